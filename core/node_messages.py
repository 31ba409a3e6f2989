"""What nodes say and hear: about copies and holds, leases, and who lives.  See ``messages.py``."""

from __future__ import annotations

from typing import ClassVar

from freehold.core.events import Message, Reply
from freehold.core.values import Failure, PoolKey, Shape

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
    """Send these bytes of your copy.  The first query takes a hold on it, for the pulling node.

    Whoever was referred to you says by whom, and its place in the line behind that copy: you may still wait for
    the bytes yourself, if you are further ahead in the same line.
    """

    object: int
    attempt: int
    target: int
    offset: int
    nbytes: int
    total: int  # the bytes of the whole copy, as its reader was told
    origin: int = 0  # who referred it, 0: nobody
    rank: int = 0


class ChunkReply(Reply, frozen=True, gc=False, tag=31):
    """The bytes have arrived in the place reserved for them; or there is no such copy."""

    object: int
    attempt: int
    offset: int
    nbytes: int
    failed: bool = False


class RelayReply(Reply, frozen=True, gc=False, tag=35):
    """I am sending the copy to others; ask this node, which has asked before you, for all its chunks."""

    object: int
    attempt: int
    source: int
    rank: int


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
    """Some nodes live, each with its resources."""

    nodes: tuple[tuple[int, Shape], ...]


class DeathNotice(Message, frozen=True, gc=False, tag=51):
    """A node or worker is dead; a node takes its workers along."""

    key: ClassVar[str] = "party"
    party: int


class LossNotice(Message, frozen=True, gc=False, tag=52):
    """A node, or a worker by way of its node, tells the head node that a link of its broke: one of the two must go."""

    key: ClassVar[str] = "party"
    party: int
    by: int
