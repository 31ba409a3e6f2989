"""What parties say to each other.  A delivered message *is* an event: there is no translation layer.

Three endings only.  A ``...Query`` is answered exactly once, or its target's death is reported; a ``...Reply`` answers
one; a ``...Notice`` is sent once.  Between two parties messages arrive in order, at most once, none missing; nothing is
promised between different pairs.  The integer tags are the wire format's version 1.
"""

from __future__ import annotations

from typing import ClassVar, TypeAlias, Union, get_args

import msgspec

from freehold.core.events import Answer, Event
from freehold.core.values import Description, Failure, Outcome, PoolKey, Shape


class Message(Event, frozen=True, gc=False, array_like=True):
    """A fact told by another party."""


class Reply(Answer, frozen=True, gc=False, array_like=True):
    """A message that answers a query; one to an earlier attempt is stale."""


class Report(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What became of one reference that a task was lent."""

    object: int
    keeps: bool  # the executor still holds it
    lent: tuple[int, ...] = ()  # to whom it lent it in turn


# ------------------------------------------------------------------ worker to worker: tasks


class TaskQuery(Message, frozen=True, gc=False, tag=1):
    """Run this task.  ``lent`` are the references that the caller keeps alive until the reply."""

    key: ClassVar[str] = "task"
    task: int
    attempt: int
    caller: int
    description: Description
    lent: tuple[int, ...]
    stacked: int = 0  # the object for which a thread of the receiver waits: it runs on top of that, or goes back
    due: tuple[int, ...] = ()  # the returns that are wanted, if the task ran before; () all of them


class TaskReply(Reply, frozen=True, gc=False, tag=2):
    """The task is over: its returns, and who holds what it was lent."""

    key: ClassVar[str] = "task"
    task: int
    attempt: int
    executor: int
    outcomes: tuple[Outcome, ...]
    reports: tuple[Report, ...]
    seconds: float


class TaskReturnNotice(Reply, frozen=True, gc=False, tag=3):
    """The task has not been started and will not be: it is its owner's again."""

    key: ClassVar[str] = "task"
    task: int
    attempt: int
    executor: int


class StopNotice(Message, frozen=True, gc=False, tag=4):
    """Do not start the task, or interrupt it."""

    key: ClassVar[str] = "task"
    task: int
    force: bool


class CancelNotice(Message, frozen=True, gc=False, tag=5):
    """Somebody who holds a reference wants the task cancelled that produces the object."""

    object: int
    force: bool


class TaskTakenNotice(Message, frozen=True, gc=False, tag=6):
    """The caller counts the references inside the returns: the executor need not hold them any longer."""

    key: ClassVar[str] = "task"
    task: int


# ------------------------------------------------------------------ worker to worker: references and locations


class LocateQuery(Message, frozen=True, gc=False, tag=10):
    """Where is it, but for the nodes ``known`` to have failed?  Repeated if a thread waits now: one answer is stale."""

    object: int
    attempt: int
    asker: int
    known: tuple[int, ...] = ()
    wait: int = 0  # not 0: a thread of the asker waits for it, and could run its task; a number of the asker's


class LocateReply(Reply, frozen=True, gc=False, tag=11):
    """Its locations, its value, or why there is none."""

    object: int
    attempt: int
    outcome: Outcome


class LocateCancelNotice(Message, frozen=True, gc=False, tag=12):
    """The asker no longer wants to know."""

    object: int
    asker: int


class BorrowNotice(Message, frozen=True, gc=False, tag=13):
    """The borrower found these references in a value; it keeps that value until it has been asked about each."""

    objects: tuple[int, ...]
    borrower: int


class ReleaseQuery(Message, frozen=True, gc=False, tag=14):
    """The owner knows you as a borrower: answer when you hold the object no more."""

    object: int
    attempt: int


class ReleaseReply(Message, frozen=True, gc=False, tag=15):
    """The borrower holds it no more, but lent it to these."""

    object: int
    attempt: int
    borrower: int
    lent: tuple[int, ...] = ()


# ------------------------------------------------------------------ worker and node: copies and holds


class CreateQuery(Message, frozen=True, gc=False, tag=20):
    """Make room for a copy that this worker will write."""

    object: int
    attempt: int
    creator: int
    nbytes: int


class CreateReply(Reply, frozen=True, gc=False, tag=21):
    """Write it at ``place``, under a hold; or there is no room; ``sealed``: it is there already."""

    object: int
    attempt: int
    place: int
    sealed: bool = False
    failure: Failure | None = None


class SealNotice(Message, frozen=True, gc=False, tag=22):
    """The copy is written; ``keeps``: the writer keeps its hold."""

    object: int
    creator: int
    keeps: bool


class PullQuery(Message, frozen=True, gc=False, tag=23):
    """Get a copy from ``source`` to this node.  A HoldNotice says that it is here, a PullReply that it cannot."""

    object: int
    attempt: int
    asker: int
    source: int
    nbytes: int
    want: int


class PullReply(Reply, frozen=True, gc=False, tag=24):
    """The copy could not be got from that node."""

    object: int
    attempt: int
    failure: Failure


class PullCancelNotice(Message, frozen=True, gc=False, tag=25):
    """The asker no longer wants the copy."""

    object: int
    asker: int


class HoldNotice(Message, frozen=True, gc=False, tag=26):
    """A sealed copy is at ``place``; its bytes stay there until this hold is returned."""

    object: int
    place: int
    nbytes: int


class HoldReturnNotice(Message, frozen=True, gc=False, tag=27):
    """``count`` holds on the copy are given back: all that the holder had been granted when it sent this."""

    object: int
    holder: int
    count: int


class HoldRecallNotice(Message, frozen=True, gc=False, tag=28):
    """Give the hold back: when nobody reads the copy, or if the object is released, when no reference is left."""

    object: int
    released: bool = False  # there will be no other copy


# ------------------------------------------------------------------ node to node, node and owner


class ChunkQuery(Message, frozen=True, gc=False, tag=30):
    """Send these bytes of your copy.  The first query takes a hold on it, for the pulling node."""

    object: int
    attempt: int
    target: int
    offset: int
    nbytes: int
    total: int  # the bytes of the whole copy, as its reader was told


class ChunkReply(Reply, frozen=True, gc=False, tag=31):
    """The bytes have arrived in the place reserved for them; or there is no such copy."""

    object: int
    attempt: int
    offset: int
    nbytes: int
    failed: bool = False


class CopyNotice(Message, frozen=True, gc=False, tag=32):
    """A node tells the owner that it has, or no longer has, a copy."""

    object: int
    node: int
    nbytes: int
    present: bool


class FreeNotice(Message, frozen=True, gc=False, tag=33):
    """The owner releases the object: this node's copy ends at its last hold's return."""

    object: int


class KeepNotice(Message, frozen=True, gc=False, tag=34):
    """Yours is the primary copy: keep it until the owner releases the object; or (not ``keeps``) no longer."""

    object: int
    keeps: bool


# ------------------------------------------------------------------ leases


class LeaseQuery(Message, frozen=True, gc=False, tag=40):
    """Lend me up to ``count`` workers for tasks of this shape.  Answered when there is at least one."""

    key: ClassVar[str] = ""
    pool: PoolKey
    attempt: int
    owner: int
    shape: Shape
    count: int


class LeaseReply(Message, frozen=True, gc=False, tag=41):
    """These workers are yours until you return them."""

    key: ClassVar[str] = "pool"
    pool: PoolKey
    attempt: int
    node: int
    workers: tuple[int, ...]


class LeaseBusyNotice(Message, frozen=True, gc=False, tag=42):
    """Your query is in the queue: try another node meanwhile.  ``full``: no more workers can be started here."""

    key: ClassVar[str] = "pool"
    pool: PoolKey
    attempt: int
    node: int
    full: bool


class LeaseRecallNotice(Message, frozen=True, gc=False, tag=43):
    """Others wait: return this worker once it has nothing of yours to do."""

    key: ClassVar[str] = "pool"
    pool: PoolKey
    worker: int


class LeaseReturnNotice(Message, frozen=True, gc=False, tag=44):
    """The owner of the lease needs the worker no more."""

    key: ClassVar[str] = ""
    worker: int


class LeaseCancelNotice(Message, frozen=True, gc=False, tag=45):
    """The query is withdrawn."""

    key: ClassVar[str] = ""
    pool: PoolKey
    owner: int


class BlockedNotice(Message, frozen=True, gc=False, tag=46):
    """The worker's task waits for objects: its CPU may serve another."""

    key: ClassVar[str] = ""
    worker: int


class ResumedNotice(Message, frozen=True, gc=False, tag=47):
    """It goes on."""

    key: ClassVar[str] = ""
    worker: int


# ------------------------------------------------------------------ membership


class NodeNotice(Message, frozen=True, gc=False, tag=50):
    """A node lives, with these resources."""

    key: ClassVar[str] = "party"
    party: int
    resources: Shape


class DeathNotice(Message, frozen=True, gc=False, tag=51):
    """A node or worker is dead; a node takes its workers along."""

    key: ClassVar[str] = "party"
    party: int


AnyMessage: TypeAlias = Union[  # noqa: UP007  (read back by get_args)
    TaskQuery, TaskReply, TaskReturnNotice, StopNotice, CancelNotice, TaskTakenNotice, LocateQuery, LocateReply,
    LocateCancelNotice, BorrowNotice, ReleaseQuery, ReleaseReply, CreateQuery, CreateReply, SealNotice, PullQuery,
    PullReply, PullCancelNotice, HoldNotice, HoldReturnNotice, HoldRecallNotice, ChunkQuery, ChunkReply, CopyNotice,
    FreeNotice, KeepNotice, LeaseQuery, LeaseReply, LeaseBusyNotice, LeaseRecallNotice, LeaseReturnNotice,
    LeaseCancelNotice, BlockedNotice, ResumedNotice, NodeNotice, DeathNotice,
]  # fmt: skip
MESSAGES: tuple[type[Event], ...] = get_args(AnyMessage)


class Envelope(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A message on its way, with the step of its source that caused it."""

    cause: int
    message: AnyMessage
