"""Mutants that do something else than their rows, to no effect that anybody could notice: which, and why.

Each reason is for all mutants whose name its pattern fits.  A mutant that is found for all that was not so.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freehold.specs.mutants.faults import Mutant

ALIKE = "the same is asked for some objects or tasks, one after the other: any order is as good"
APART = "the two are for different records, or for the driver, and neither changes what the other does"
SERVED = "those who wait for one value are served in another order"
BOTH = "a copy goes, or may go, only when both have happened, whichever is first"
EQUIVALENT = {
    "* swapped *: ObjectReleased ObjectUnused": BOTH,
    "* swapped *: ObjectRested ObjectUnused": BOTH,
    "* swapped *: ObjectUnused ContainerGone": APART,
    "* swapped *: ReturnArrived Argument*": APART,
    "* swapped *: Argument* TaskOver": APART,
    "* swapped *: Argument* LineageKept": APART,
    "* swapped *: Lineage* TaskOver": APART,
    "* swapped *: WantWithdrawn ThreadResumed": APART,
    "* swapped *: ThreadBlocked *Wanted": APART,
    "* swapped *: *Wanted ReturnAwaited": APART,
    "* swapped *: Settle CancelTimer": APART,
    "* swapped *: TurnOver *": APART,
    "* swapped *: CopyWanted ValueWanted": APART,
    "* swapped *: ValueWanted CopyWanted": APART,
    "* swapped *: CopyWanted RequestReady": SERVED,
    "* swapped *: CopyWanted DependencyReady": SERVED,
    "* swapped *: RequestReady CopyWanted": SERVED,
    "* swapped *: RequestReady DependencyReady": SERVED,
    "* swapped *: DependencyReady RequestReady": SERVED,
    "promotion: * ObjectReleased dropped *: LocateReply": "who still asks then is dead to the owner",
    "promotion: * LocateCancelNotice ignored": "whoever has asked gets an answer that it does not wait for any more",
    "resolution: * counted round [+-]1": "it says only how long to wait before all locations are tried again",
}


def reason(mutant: Mutant) -> str:
    """Return why a mutant is as good as its row, "" if there is no reason."""
    if mutant.kind == "swapped" and all(pair.split()[0] == pair.split()[1] for pair in mutant.detail[1].split("/")):
        return ALIKE
    name = str(mutant)
    return next((why for pattern, why in EQUIVALENT.items() if fnmatchcase(name, pattern)), "")
