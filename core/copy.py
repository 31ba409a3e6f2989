"""The copy table: one object in one object store, from reserved bytes to their release, and the holds on it.

A copy is *primary* (written here by a worker; kept until the owner releases the object) or *secondary* (pulled
from another node; evicted when room is short and nobody holds it).  A **hold** is the right of a worker to read
the bytes, or of a node to pull them: it is granted by this table together with the location, counted for each
holder, and given back with the number of grants that the holder had seen, so that a grant and a return that
cross on the way never cancel each other.  Released bytes are reused only after the last hold has come back.

The rows about bytes that come are in ``transfer.py``, those about bytes that go to other nodes in ``relay.py``.  This
file refuses to know who owns references; of the owner it knows only whom to tell about copies.
"""

from __future__ import annotations

import msgspec
from immutables import Map

from freehold.core.effects import Release, Send
from freehold.core.events import HolderDied, OwnerDied
from freehold.core.ids import is_node, owner_of
from freehold.core.machine import Here, Out, State, Table, replace
from freehold.core.node_events import (
    CopyBusy,
    CopyEvicted,
    CopyIdle,
    HoldsRecalled,
    PullOver,
    RoomDenied,
    RoomFreed,
    RoomGranted,
    RoomWanted,
)
from freehold.core.node_messages import (
    ChunkQuery,
    ChunkReply,
    CopyNotice,
    CreateQuery,
    CreateReply,
    FreeNotice,
    HoldNotice,
    HoldRecallNotice,
    HoldReturnNotice,
    KeepNotice,
    PullCancelNotice,
    PullQuery,
    PullReply,
    RelayReply,
    SealNotice,
)
from freehold.core.values import Failure

CREATE = -1  # the reason of a copy that a worker writes, beside those of Want


class Copying(State):
    """What this node's object store has of an object."""

    ABSENT = "nothing"
    RESERVING = "room has been asked for", RoomGranted, RoomDenied
    WRITING = "a worker is writing it", SealNotice
    PULLING = "chunks are coming from another node", ChunkReply, RelayReply
    PRIMARY = "the copy that is kept until the owner releases the object"
    SECONDARY = "a copy that may be evicted when nobody holds it"
    RETIRING = "released; the bytes are still held", HoldReturnNotice


ABSENT, RESERVING, WRITING, PULLING, PRIMARY, SECONDARY, RETIRING = Copying


class Copy(msgspec.Struct, frozen=True, gc=False):
    """One object in this object store."""

    object: int
    state: Copying = ABSENT
    attempt: int = 0  # PULLING: of the transfer
    nbytes: int = 0
    place: int = 0  # from RoomGranted on
    creator: int = 0  # the worker that writes, or wrote, it; 0 for a pulled copy
    creating: int = 0  # RESERVING: the creator's attempt
    source: int = 0  # until it is complete: the node it comes from
    origin: int = 0  # PULLING: the node that has referred us to that one, if any
    rank: int = 0  # and our place in the line behind its copy
    asked: int = 0  # PULLING: bytes asked for
    arrived: int = 0  # until it is complete: bytes received
    want: int = CREATE  # why it is pulled, or CREATE
    holds: Map[int, int] = Map()  # holder -> grants not yet given back
    askers: Map[int, int] = Map()  # workers waiting for the copy -> their attempt
    awaited: tuple[ChunkQuery, ...] = ()  # WRITING, PULLING: chunks that nodes have asked for before they are here
    line: tuple[int, ...] = ()  # nodes to which it is sent on, in the order in which they asked
    next: CreateQuery | None = None  # a worker that will write it anew, once this one is out of its way
    spare: bool = False  # WRITING: it is not to be the primary copy


TABLE = Table(
    "copy",
    Copying,
    (
        CreateQuery,
        RoomGranted,
        RoomDenied,
        SealNotice,
        PullQuery,
        PullCancelNotice,
        ChunkQuery,
        ChunkReply,
        RelayReply,
        HoldReturnNotice,
        HoldsRecalled,
        FreeNotice,
        KeepNotice,
        CopyEvicted,
        HolderDied,
        OwnerDied,
    ),
)
SEALED = (PRIMARY, SECONDARY)
ENDS = (RETIRING, ABSENT)
AGAIN = (ABSENT, RESERVING)  # it is gone, or written anew
RETIRED = {RESERVING: (ABSENT,), WRITING: (RETIRING,), PULLING: ENDS, PRIMARY: ENDS, SECONDARY: ENDS}
EMPTY: Map[int, int] = Map()


def grant(r: Copy, holder: int) -> tuple[Copy, Out]:
    """Give a worker the right to read, and tell it where."""
    busy = (CopyBusy(r.object),) if r.state is SECONDARY else ()
    r = replace(r, holds=r.holds.set(holder, r.holds.get(holder, 0) + 1))
    return r, (*busy, Send(holder, HoldNotice(r.object, r.place, r.nbytes)))


def gone(r: Copy, *out: object) -> tuple[Copy | None, Out]:
    """Give the bytes back; whoever waits to write the copy anew is next."""
    freed: Out = (RoomFreed(r.object, 0),)
    if r.state is not RESERVING:
        freed = (Release(r.object, r.place, r.nbytes), RoomFreed(r.object, r.nbytes, r.state is PULLING))
    if r.next is None:
        return None, (*out, *freed)
    after, wish = reserving(r.next)
    return after, (*out, *freed, *wish)


def reserving(e: CreateQuery) -> tuple[Copy, Out]:
    """Ask for room for a copy that a worker will write."""
    return Copy(e.object, RESERVING, nbytes=e.nbytes, creator=e.creator, creating=e.attempt), (
        RoomWanted(e.object, e.nbytes, CREATE),
    )


def refuse(r: Copy, failure: Failure) -> Out:
    """Tell all who wait that the copy does not come."""
    created = (Send(r.creator, CreateReply(r.object, r.creating, 0, False, failure)),) if r.state is RESERVING else ()
    out = [Send(worker, PullReply(r.object, r.askers[worker], failure)) for worker in sorted(r.askers)]
    return (*(created if r.creator else ()), *out, *[no_chunk(query) for query in r.awaited])


def no_chunk(e: ChunkQuery) -> Send:
    """Return the answer to a node that asked for a chunk which is not here."""
    return Send(e.target, ChunkReply(e.object, e.attempt, e.offset, 0, True))


def retire(r: Copy, here: Here) -> tuple[Copy | None, Out]:
    """Release the copy: at once if nobody holds it, else when the last hold comes back, for which we ask."""
    if r.next is not None:
        after, out = retire(replace(r, next=None), here)
        return after, (Send(r.next.creator, in_vain(r.next, here)), *out)
    if r.state is RESERVING:
        return gone(r, *refuse(r, Failure("released", r.object)))
    busy = (CopyBusy(r.object),) if r.state is SECONDARY and not r.holds else ()
    if r.state is PULLING:
        return broken_off(r, *refuse(r, Failure("released", r.object)), *thanks(r, here))
    if not r.holds:
        return gone(r, *busy)
    out = refuse(r, Failure("released", r.object))
    return replace(r, state=RETIRING, askers=EMPTY, awaited=(), line=()), (*out, *recalls(r, released=True))


def broken_off(r: Copy, *out: object) -> tuple[Copy | None, Out]:
    """End a transfer before its time: the bytes are given back when those to which they are sent on are done."""
    if not r.holds:
        return gone(r, *out)
    return replace(r, state=RETIRING, askers=EMPTY, awaited=()), (*out, PullOver(r.object))


def thanks(r: Copy, here: Here) -> Out:
    """Tell the source, and who has referred us to it, that we want no more."""
    told = [node for node in (r.source, r.origin) if node and here.hears(node)]
    return tuple([Send(node, HoldReturnNotice(r.object, here.me, 1)) for node in told])


def unless_wanted(r: Copy, here: Here) -> tuple[Copy | None, Out]:
    """End what nobody waits for any more: no worker of this node, and no node to which it is sent on."""
    if r.askers or r.creator or r.holds or r.awaited:
        return r, ()
    return gone(r, *thanks(r, here)) if r.state is PULLING else gone(r)


def recalls(r: Copy, *, released: bool = False) -> Out:
    """Ask the workers among the holders to give back what they do not use."""
    workers = [holder for holder in sorted(r.holds) if not is_node(holder)]
    return tuple([Send(worker, HoldRecallNotice(r.object, released)) for worker in workers])


# ------------------------------------------------------------------ a worker writes a copy


@TABLE.on(ABSENT, event=CreateQuery, to=(RESERVING,))
def create(r: Copy, e: CreateQuery, here: Here) -> tuple[Copy, Out]:
    """Nothing is promised before the bytes are reserved; what belongs to the dead nobody would ever release."""
    return reserving(e) if here.hears(owner_of(r.object)) else (r, (Send(e.creator, in_vain(e, here)),))


@TABLE.on(*SEALED, event=CreateQuery, to={PRIMARY: (RETIRING, RESERVING), SECONDARY: (PRIMARY,)})
def exists(r: Copy, e: CreateQuery, here: Here) -> tuple[Copy | None, Out]:
    """A task runs again, and a copy of its return has survived: as good as written.

    One that another worker has written here is what is left of a run that died before it could say so: nobody
    counts the references in it.
    """
    if r.state is PRIMARY and r.creator not in (0, e.creator):
        return gone(replace(r, next=e)) if not r.holds else (replace(r, state=RETIRING, next=e), recalls(r))
    busy = (CopyBusy(r.object),) if r.state is SECONDARY and not r.holds else ()
    return replace(r, state=PRIMARY), (*busy, Send(e.creator, as_written(e)))


def as_written(e: CreateQuery) -> CreateReply:
    """Return the answer to one who need not write a copy any more."""
    return CreateReply(e.object, e.attempt, 0, True)


@TABLE.on(RESERVING, WRITING, PULLING, RETIRING, event=CreateQuery)
def create_later(r: Copy, e: CreateQuery, here: Here) -> tuple[Copy, Out]:
    """Its predecessor is still being cleared away, or a copy is coming from elsewhere."""
    return (replace(r, next=e), ()) if here.hears(owner_of(r.object)) else (r, (Send(e.creator, in_vain(e, here)),))


def in_vain(e: CreateQuery, here: Here) -> CreateReply:
    """Return the answer to one who would write what has been released; it may ask again, unless for one who is dead."""
    owner = owner_of(e.object)
    failure = Failure("released", e.object) if here.hears(owner) else Failure("owner_died", e.object, owner)
    return CreateReply(e.object, e.attempt, 0, False, failure)


@TABLE.on(RESERVING, event=RoomDenied, to=(ABSENT,))
def no_room(r: Copy, e: RoomDenied, here: Here) -> tuple[Copy | None, Out]:
    """The store is full: whoever asked hears who fills it."""
    out = refuse(r, e.failure)
    if r.next is None:
        return None, out
    after, wish = reserving(r.next)
    return after, (*out, *wish)


TABLE.never(ABSENT, WRITING, PULLING, *SEALED, RETIRING, event=RoomGranted, why="room is asked for once")
TABLE.ignore(ABSENT, WRITING, PULLING, *SEALED, RETIRING, event=RoomDenied, why="nothing here waits for room")


# ------------------------------------------------------------------ holds come back


def counted_down(r: Copy, holder: int, count: int) -> Copy:
    """Return the record with so many holds less; who gives them back has left the line."""
    if holder in r.line:
        r = replace(r, line=tuple([node for node in r.line if node != holder]))
    if holder not in r.holds:
        return r
    left = r.holds[holder] - count
    return replace(r, holds=r.holds.set(holder, left) if left > 0 else r.holds.delete(holder))


def give_back(r: Copy, holder: int, count: int, here: Here) -> tuple[Copy | None, Out]:
    """Count holds down; the last one frees released bytes, or makes a secondary copy evictable."""
    before, r = r.holds, counted_down(r, holder, count)
    if r.holds or not before:
        return r, ()
    if r.state is RETIRING:
        return gone(r)
    return r, (CopyIdle(r.object),) if r.state is SECONDARY else ()


@TABLE.on(*SEALED, RETIRING, event=HoldReturnNotice, to={RETIRING: AGAIN})
def hold_returned(r: Copy, e: HoldReturnNotice, here: Here) -> tuple[Copy | None, Out]:
    """A holder returns as many grants as it had seen: one that is still on its way to it stays."""
    return give_back(r, e.holder, e.count, here)


TABLE.ignore(ABSENT, RESERVING, event=HoldReturnNotice, why="a hold on a copy that is no more")


@TABLE.on(WRITING, event=HoldReturnNotice)
def chunks_unwanted(r: Copy, e: HoldReturnNotice, here: Here) -> tuple[Copy, Out]:
    """Whom a node has asked for the copy are gone; who writes gives its hold back by sealing, or after a release."""
    return without(r, e.holder), ()


@TABLE.on(PULLING, event=HoldReturnNotice, to=AGAIN)
def relay_unwanted(r: Copy, e: HoldReturnNotice, here: Here) -> tuple[Copy | None, Out]:
    """A node to which the chunks are sent on wants no more; maybe nobody does."""
    return unless_wanted(counted_down(without(r, e.holder), e.holder, e.count), here)


def without(r: Copy, node: int) -> Copy:
    """Forget the chunks that a node has asked for before there were any."""
    return replace(r, awaited=tuple([query for query in r.awaited if query.target != node])) if r.awaited else r


@TABLE.on(SECONDARY, event=HoldsRecalled)
def recall(r: Copy, e: HoldsRecalled, here: Here) -> tuple[Copy, Out]:
    """Room is short: holds kept in case are asked back, so that the copy may be evicted."""
    return r, recalls(r)


TABLE.ignore(ABSENT, RESERVING, WRITING, PULLING, PRIMARY, RETIRING, event=HoldsRecalled, why="nothing can be evicted")

# ------------------------------------------------------------------ the end


@TABLE.on(RESERVING, WRITING, PULLING, *SEALED, event=FreeNotice, to=RETIRED)
@TABLE.on(RESERVING, WRITING, PULLING, *SEALED, event=OwnerDied, to=RETIRED)
def free(r: Copy, e: FreeNotice | OwnerDied, here: Here) -> tuple[Copy | None, Out]:
    """The owner releases the object, or is dead: then it is of no use to anybody but those who read it now."""
    return retire(r, here)


TABLE.ignore(ABSENT, RETIRING, event=FreeNotice, why="it is released already")
TABLE.ignore(ABSENT, RETIRING, event=OwnerDied, why="it is released already")


@TABLE.on(*SEALED, event=KeepNotice, to=SEALED)
def keep(r: Copy, e: KeepNotice, here: Here) -> tuple[Copy, Out]:
    """The primary copy died with its node, and this one takes its place; or nobody but lineage needs one any more."""
    if e.keeps is (r.state is PRIMARY):
        return r, ()
    told = CopyBusy(r.object) if e.keeps or r.holds else CopyIdle(r.object)
    return replace(r, state=PRIMARY if e.keeps else SECONDARY), (told,)


@TABLE.on(WRITING, event=KeepNotice)
def keep_later(r: Copy, e: KeepNotice, here: Here) -> tuple[Copy, Out]:
    """The task that returned it has replied before it was sealed here."""
    return replace(r, spare=not e.keeps), ()


@TABLE.on(ABSENT, RETIRING, event=KeepNotice)
def not_here(r: Copy, e: KeepNotice, here: Here) -> tuple[Copy, Out]:
    """The owner hears, maybe once more, that this is no location."""
    return r, (Send(owner_of(r.object), CopyNotice(r.object, here.me, r.nbytes, False)),) if e.keeps else ()


TABLE.ignore(RESERVING, PULLING, event=KeepNotice, why="its owner knows that it was gone, and will hear of this one")


@TABLE.on(SECONDARY, event=CopyEvicted, to=(ABSENT,))
def evict(r: Copy, e: CopyEvicted, here: Here) -> tuple[Copy | None, Out]:
    """Room was needed; the owner's directory hears of it."""
    if r.holds:
        return r, ()
    return gone(r, Send(owner_of(r.object), CopyNotice(r.object, here.me, r.nbytes, False)))


TABLE.ignore(ABSENT, RESERVING, WRITING, PULLING, PRIMARY, RETIRING, event=CopyEvicted, why="it is not evictable")
