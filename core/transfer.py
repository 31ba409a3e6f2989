"""Transfer: the rows of the copy table about bytes that have come, from a worker or another node, or go to one.

The pulling node asks for chunks, a few at a time; the source answers each from its sealed copy, under a hold.
Refuses to know which source is best, and who asks why.
"""

from __future__ import annotations

from freehold.core.copy import (
    ABSENT,
    AGAIN,
    EMPTY,
    PRIMARY,
    PULLING,
    RESERVING,
    RETIRING,
    SEALED,
    SECONDARY,
    TABLE,
    WRITING,
    Copy,
    Copying,
    as_written,
    give_back,
    gone,
    grant,
    next_chunk,
    no_chunk,
    refuse,
)
from freehold.core.effects import Move, Send
from freehold.core.ids import owner_of
from freehold.core.machine import Here, Out, replace
from freehold.core.node_events import CopyBusy, CopyIdle, PullOver, RoomWanted
from freehold.core.node_messages import (
    ChunkQuery,
    ChunkReply,
    CopyNotice,
    HoldReturnNotice,
    PullCancelNotice,
    PullQuery,
    PullReply,
    SealNotice,
)
from freehold.core.values import Failure


def sealed(r: Copy, state: Copying, here: Here) -> tuple[Copy, Out]:
    """The bytes are complete: tell an owner that does not know yet, before it may read them; grant all who waited."""
    askers, awaited, owner = r.askers, r.awaited, owner_of(r.object)
    out: list[object] = []
    if owner != r.creator:
        out.append(Send(owner, CopyNotice(r.object, here.me, r.nbytes, True)))
    r = replace(r, state=state, askers=EMPTY, awaited=(), asked=0, arrived=0, source=0)
    for worker in sorted(askers):
        r, granted = grant(r, worker)
        out += granted
    for query in awaited:
        r, chunk = send_chunk(r, query, here)
        out += chunk
    return r, tuple(out)


# ------------------------------------------------------------------ a copy that was written here


@TABLE.on(WRITING, event=SealNotice, to=(PRIMARY, SECONDARY, RESERVING))
def seal(r: Copy, e: SealNotice, here: Here) -> tuple[Copy | None, Out]:
    """From now on the copy may be read, and is never written again."""
    if r.next is not None:  # another run of the task is to write it: this one died before it could say so
        return gone(r, *refuse(r, Failure("lost", r.object, e.creator)))
    if not e.keeps:
        r = replace(r, holds=r.holds.delete(e.creator))
    r, out = sealed(r, SECONDARY if r.spare else PRIMARY, here)
    return r, (*out, CopyIdle(r.object)) if r.spare and not r.holds else out


@TABLE.on(RETIRING, event=SealNotice, to=AGAIN)
def seal_released(r: Copy, e: SealNotice, here: Here) -> tuple[Copy | None, Out]:
    """Its owner released it while it was being written."""
    return (r, ()) if e.keeps else give_back(r, e.creator, 1, here)


TABLE.ignore(ABSENT, event=SealNotice, why="its writer was held for dead")
TABLE.never(RESERVING, PULLING, *SEALED, event=SealNotice, why="only who writes seals")

# ------------------------------------------------------------------ a copy is pulled


@TABLE.on(ABSENT, event=PullQuery, to=(RESERVING,))
def pull(r: Copy, e: PullQuery, here: Here) -> tuple[Copy, Out]:
    """Make room, then ask the source for chunks.  We are not a source ourselves any more.

    A copy whose owner is dead, as the asker is about to hear, nobody would ever release.
    """
    if not here.hears(owner_of(r.object)):
        return too_late(r, e, here)
    if e.source == here.me:
        return r, (Send(e.asker, PullReply(r.object, e.attempt, Failure("lost", r.object, here.me))),)
    r = Copy(r.object, RESERVING, nbytes=e.nbytes, source=e.source, want=e.want, askers=EMPTY.set(e.asker, e.attempt))
    return r, (RoomWanted(r.object, e.nbytes, e.want),)


@TABLE.on(RESERVING, WRITING, PULLING, event=PullQuery)
def join(r: Copy, e: PullQuery, here: Here) -> tuple[Copy, Out]:
    """One transfer serves all who ask on this node; a more urgent asker moves it forward in the queue."""
    r = replace(r, askers=r.askers.set(e.asker, e.attempt))
    if r.state is RESERVING and not r.creator and e.want < r.want:
        return replace(r, want=e.want), (RoomWanted(r.object, r.nbytes, e.want),)
    return r, ()


@TABLE.on(*SEALED, event=PullQuery)
def read(r: Copy, e: PullQuery, here: Here) -> tuple[Copy, Out]:
    """The copy is here."""
    return grant(r, e.asker)


@TABLE.on(RETIRING, event=PullQuery)
def too_late(r: Copy, e: PullQuery, here: Here) -> tuple[Copy, Out]:
    """A released copy grants no more holds."""
    return r, (Send(e.asker, PullReply(r.object, e.attempt, Failure("released", r.object, here.me))),)


@TABLE.on(PULLING, event=ChunkReply, to=(SECONDARY, PRIMARY, ABSENT, RESERVING))
def receive(r: Copy, e: ChunkReply, here: Here) -> tuple[Copy | None, Out]:
    """Each chunk that comes lets the next be asked for; the last one seals the copy."""
    if e.failed:
        return gone(r, *refuse(r, Failure("lost", r.object, r.source)))
    r = replace(r, arrived=r.arrived + e.nbytes)
    if r.arrived < r.nbytes:
        return next_chunk(r, here)
    done = (Send(r.source, HoldReturnNotice(r.object, here.me, 1)), PullOver(r.object))
    query, (r, out) = r.next, sealed(replace(r, next=None), SECONDARY, here)
    if query is not None:  # a task that runs again brings the same
        return replace(r, state=PRIMARY), (*done, *out, Send(query.creator, as_written(query)))
    return r, (*done, *out, *(() if r.holds else (CopyIdle(r.object),)))


@TABLE.on(RESERVING, PULLING, event=PullCancelNotice, to=(ABSENT,))
def cancel(r: Copy, e: PullCancelNotice, here: Here) -> tuple[Copy | None, Out]:
    """When nobody waits any more the transfer ends; chunks on their way are dropped when they come."""
    r = replace(r, askers=r.askers.delete(e.asker)) if e.asker in r.askers else r
    if r.askers or r.creator:
        return r, ()
    return gone(r, Send(r.source, HoldReturnNotice(r.object, here.me, 1))) if r.state is PULLING else gone(r)


@TABLE.on(WRITING, event=PullCancelNotice)
def wait_no_more(r: Copy, e: PullCancelNotice, here: Here) -> tuple[Copy, Out]:
    """An asker that waited for the writer is gone."""
    return replace(r, askers=r.askers.delete(e.asker)) if e.asker in r.askers else r, ()


TABLE.ignore(ABSENT, *SEALED, RETIRING, event=PullCancelNotice, why="the copy, or the refusal, is on its way")


# ------------------------------------------------------------------ another node reads it


@TABLE.on(*SEALED, RETIRING, event=ChunkQuery)
def send_chunk(r: Copy, e: ChunkQuery, here: Here) -> tuple[Copy, Out]:
    """The first chunk takes a hold for the pulling node; a copy being retired still serves who holds it."""
    other = e.total != r.nbytes  # the task has run again, and returned something else: the puller was told of the first
    if other or (e.target not in r.holds if e.offset else r.state is RETIRING):
        return refuse_chunk(r, e, here)
    out: Out = ()
    if not e.offset:
        out = (CopyBusy(r.object),) if r.state is SECONDARY and not r.holds else ()
        r = replace(r, holds=r.holds.set(e.target, r.holds.get(e.target, 0) + 1))
    return r, (*out, Move(r.object, e.attempt, None, r.place, e.target, e.offset, e.nbytes))


@TABLE.on(WRITING, event=ChunkQuery)
def send_chunk_later(r: Copy, e: ChunkQuery, here: Here) -> tuple[Copy, Out]:
    """Its owner told of this copy as soon as it was written; the seal is on its way to us, from another process."""
    return replace(r, awaited=(*r.awaited, e)), ()


@TABLE.on(ABSENT, RESERVING, PULLING, event=ChunkQuery)
def refuse_chunk(r: Copy, e: ChunkQuery, here: Here) -> tuple[Copy, Out]:
    """There is no sealed copy here: the puller tries another location."""
    return r, (no_chunk(e),)
