"""Mutants that do something else than their rows, to no effect that anybody could notice: which, and why.

Each reason is for all pairs of things, or mutants, whose name its pattern fits.  One that is found had an effect.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freehold.specs.mutants.faults import Mutant

ALIKE = "the same is asked for some objects or tasks, one after the other: any order is as good, unless both fail"
IN_ORDER = {"Move", "Heard", "ChunkQuery"}  # but of these the order matters
APART = "the two are for different records, or for the driver, and neither changes what the other does"
SERVED = "those who wait for one value are served in another order; of failures the first is told"
BOTH = "a copy goes, or may go, only when both have happened, whichever is first"
PAIRS = {  # of things that a row asks for, which may come the other way round
    "ObjectReleased ObjectUnused": BOTH,
    "ObjectRested ObjectUnused": BOTH,
    "ObjectUnused ContainerGone": APART,
    "ReturnArrived Argument*": APART,
    "Argument* TaskOver": APART,
    "Argument* LineageKept": APART,
    "Lineage* TaskOver": APART,
    "Lineage* Lineage*": APART,
    "ReturnArrived Contained": APART,
    "Contained ContentsKnown": APART,
    "ContentsKnown ReturnArrived": APART,
    "ThreadBlocked *Wanted": APART,
    "CopyWanted ReturnAwaited": APART,
    "Settle CancelTimer": APART,
    "Release CancelTimer": APART,
    "Lease*Notice Spawn": APART,
    "TurnOver *": APART,
    "TurnDropped *": APART,
    "WantWithdrawn *": APART,
    "CopyWanted ValueWanted": APART,
    "ValueWanted CopyWanted": APART,
    "CopyWanted *Ready": SERVED,
    "RequestReady CopyWanted": SERVED,
    "RequestReady DependencyReady": SERVED,
    "ArgumentAdded *Wanted": APART,
    "InquestWanted BorrowerLost": APART,
    "*Reply Release": APART,
    "HoldReturnNotice Release": APART,
    "HoldReturnNotice ChunkQuery": "the new hold is lost with the old; the pull is refused, and tried again later",
    "CopyNotice HoldNotice": "an owner that hears of a copy after it has let the object go has it freed then",
    "HoldNotice CopyWanted": "a copy that is here is asked for, and comes at once",
    "DependencyReady RequestReady": SERVED,
    "Lent InquestDue": APART,
    "Lent ReturnArrived": APART,
    "LeaseBusyNotice LeaseRecallNotice": "who is to give a worker back does so whether it has asked for more or not",
    "TaskOver TaskReady": "the task may go to the same worker once more, which hands it back",
}
UNKNOWN = "who drops such a reference asks the owner, and hears of its death; only an account of references shows it"
ASKED_BACK = "the hold is given back when the node asks for it, and it asks when the object is released or has no owner"
LATER = "who waits behind a slow task is handed back a little sooner or later, behind a timer of its own"
HEARD = "who waits for the copy has heard of the death, or is ended for it"
TWICE = "the head node is asked once more who goes of two, and answers once"
SERVED_NEXT = "a pool without a task asks nobody, and says that it is served when the next thing happens"
SHUT = "a desk may close behind a task when it likes"
OVER = "nobody looks at what a task misses once it is not to begin, and reports begin to count anew"
NODES = "it matters which nodes are in it, not the numbers of the questions that they were asked"
OTHERS = {  # mutants
    "promotion: ABSENT ReturnArrived dropped FreeNotice": "the node tells of its copy itself, and that is freed then",
    "ownership: BORROWED OwnerDied ignored": UNKNOWN,
    "ownership: BORROWED OwnerDied ended in BORROWED *": UNKNOWN,
    "resolution: IDLE OwnerDied ignored": ASKED_BACK,
    "resolution: LOCAL ObjectUnused ended in LOCAL instead of IDLE": ASKED_BACK,
    "resolution: LOCAL ViewDropped ended in LOCAL instead of IDLE": ASKED_BACK,
    "resolution: PULLING CopyWanted dropped PullQuery": "a pull that is less urgent than it could be comes, too",
    "copy: RESERVING OwnerDied ignored": HEARD,
    "copy: RESERVING OwnerDied dropped PullReply": HEARD,
    "copy: PULLING OwnerDied dropped PullReply": HEARD,
    "copy: PULLING OwnerDied counted askers [+-]1": HEARD,  # an answer to another question is as good as none
    "copy: WRITING OwnerDied dropped HoldRecallNotice": "who writes gives its hold back when it has written",
    "copy: WRITING FreeNotice dropped HoldRecallNotice": "who writes gives its hold back when it has written",
    "desk: CLOSED TurnOver ended in CLOSED instead of BUSY": SHUT,
    "desk: CLOSED DeskResumed ended in CLOSED *": SHUT,
    "desk: FREE TurnWanted ended in CLOSED *": SHUT,
    "resolution: SEEN OwnerDied ended in ABSENT *": "whoever wants it later finds that its owner is dead",
    "resolution: RETRYING RetryDue ended in RETRYING *": "it has asked all the same, and hears the answer as well",
    "resolution: RETRYING LateNotice *": "the owner is asked again after a while, and says so again",
    "resolution: PULLING OwnerDied dropped PullCancelNotice": HEARD,
    "resolution: RETRYING LocateReply ended in ABSENT *": "whoever asks again hears of the same failure",
    "membership: UNKNOWN PeerLost ended in UNKNOWN instead of MISSING": TWICE,
    "membership: ALIVE PeerLost ended in ALIVE instead of MISSING": TWICE,
    "membership: ALIVE LossNotice dropped LossNotice": "a link breaks at both ends, and a node says so itself",
    "membership: MISSING LossNotice *": "who has lost a peer itself has said so, and whoever lives by it hears of it",
    "membership: UNKNOWN PeerLost dropped Kill": "who has lost its node ends itself",
    "copy: WRITING OwnerDied dropped ChunkReply": HEARD,
    "room: * CopyIdle counted clock +1": "it only says which of two idle copies goes first: a number may be left out",
    "room: AWAITING CopyIdle counted clock -1": "who waits for room has sent away all others that are idle",
    "desk: * counted turns [+-]1": "numbers tell turns apart; one that is taken for another is called slow too soon",
    "desk: BUSY TurnSlow counted timed_turn [+-]1": LATER,
    "desk: BUSY TurnSlow ended in BUSY *": LATER,
    "running: FETCHING * dropped WantWithdrawn": "a function that is not wanted any more comes for nobody",
    "running: FETCHING ArgumentLate counted missing [+-]1": OVER,
    "running: READY StopNotice counted missing [+-]1": OVER,
    "resolution: PULLING ObjectUnused dropped PullCancelNotice": "a copy that nobody wants comes, and is given back",
    "execution: KEPT LineageEvicted dropped LineageLost": "a forgotten task says the same, but for the node",
    "pool: LEASING TaskOver ended in LEASING *": SERVED_NEXT,
    "pool: LEASING LeaseReply ended in LEASING *": SERVED_NEXT,
    "pool: LEASING LeaseLost ended in LEASING *": SERVED_NEXT,
    "pool: LEASING * counted busy [+-]1": NODES,
    "pool: LEASING * counted full [+-]1": NODES,
    "office: OPEN OfficeOpened ignored": "workers that were not started before are started when they are needed",
    "link: SENDING ResendDue dropped CancelTimer": "it has just fired",
    "resolution: * counted round [+-]1": "it says only how long to wait before all locations are tried again",
}


def reason(mutant: Mutant) -> str:
    """Return why a mutant is as good as its row, "" if there is no reason."""
    if mutant.kind != "swapped":
        return first(OTHERS, str(mutant))
    one, two = mutant.detail
    return ALIKE if one == two and one not in IN_ORDER else first(PAIRS, f"{one} {two}")


def first(reasons: dict[str, str], name: str) -> str:
    """Return the first reason whose pattern a name fits, "" if there is none."""
    return next((why for pattern, why in reasons.items() if fnmatchcase(name, pattern)), "")
