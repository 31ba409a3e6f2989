"""Transfer: the rows of the copy table about bytes that come, from a worker or another node.

The pulling node asks for chunks, a few at a time, and may be referred to another node for them; how they are sent is
in ``relay.py``.  Refuses to know which source is best, and who asks why.
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
    counted_down,
    give_back,
    gone,
    grant,
    refuse,
    thanks,
    unless_wanted,
    without,
)
from freehold.core.effects import Send
from freehold.core.events import HolderDied
from freehold.core.ids import owner_of
from freehold.core.machine import Here, Out, replace
from freehold.core.node_events import CopyBusy, CopyIdle, PullOver, RoomGranted, RoomWanted
from freehold.core.node_messages import (
    ChunkReply,
    CopyNotice,
    CreateReply,
    PullCancelNotice,
    PullQuery,
    PullReply,
    RelayReply,
    SealNotice,
)
from freehold.core.relay import first_chunks, lost, next_chunk, pass_on, send_chunk
from freehold.core.values import Failure

BEREAVED = {RESERVING: (ABSENT,), WRITING: AGAIN, PULLING: (*AGAIN, RETIRING), RETIRING: AGAIN}


def sealed(r: Copy, state: Copying, here: Here) -> tuple[Copy, Out]:
    """The bytes are complete: tell an owner that does not know yet, before it may read them; grant all who waited."""
    askers, awaited, owner = r.askers, r.awaited, owner_of(r.object)
    out: list[object] = []
    if owner != r.creator:
        out.append(Send(owner, CopyNotice(r.object, here.me, r.nbytes, True)))
    r = replace(r, state=state, askers=EMPTY, awaited=(), asked=0, arrived=0, source=0, origin=0, rank=0)
    for worker in sorted(askers):
        r, granted = grant(r, worker)
        out += granted
    for query in awaited:
        r, chunk = send_chunk(r, query, here)
        out += chunk
    return r, tuple(out)


# ------------------------------------------------------------------ there is room


@TABLE.on(RESERVING, event=RoomGranted, to=(WRITING, PULLING))
def begin(r: Copy, e: RoomGranted, here: Here) -> tuple[Copy, Out]:
    """A creator writes under a hold; a pull asks for its first chunks."""
    if r.creator:
        r = replace(r, state=WRITING, place=e.place, holds=EMPTY.set(r.creator, 1))
        return r, (Send(r.creator, CreateReply(r.object, r.creating, e.place)),)
    return first_chunks(replace(r, state=PULLING, place=e.place), here)


# ------------------------------------------------------------------ a copy that was written here


@TABLE.on(WRITING, event=SealNotice, to=(PRIMARY, SECONDARY, RESERVING))
def seal(r: Copy, e: SealNotice, here: Here) -> tuple[Copy | None, Out]:
    """From now on the copy may be read, and is never written again."""
    if r.next is not None:  # another run of the task is to write it: this one died before it could say so
        return gone(r, *refuse(r, Failure("lost", r.object, e.creator)))
    if not e.keeps:
        r = replace(r, holds=r.holds.delete(e.creator))
    r, out = sealed(r, SECONDARY if r.spare else PRIMARY, here)
    told = CopyBusy(r.object) if r.holds else CopyIdle(r.object)
    return r, (*out, told) if r.spare else out


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


@TABLE.on(PULLING, event=ChunkReply, to=(SECONDARY, PRIMARY, ABSENT, RESERVING, RETIRING))
def receive(r: Copy, e: ChunkReply, here: Here) -> tuple[Copy | None, Out]:
    """Each chunk that comes lets the next be asked for; the last one seals the copy."""
    if e.failed:
        return lost(r, here)
    r = replace(r, arrived=r.arrived + e.nbytes)
    if r.arrived < r.nbytes:
        r, wish = next_chunk(r, here)
        r, sent_on = pass_on(r, here)
        return r, (*wish, *sent_on)
    done = (*thanks(r, here), PullOver(r.object))
    query, (r, out) = r.next, sealed(replace(r, next=None), SECONDARY, here)
    if query is not None:  # a task that runs again brings the same
        return replace(r, state=PRIMARY), (*done, *out, Send(query.creator, as_written(query)))
    return r, (*done, *out, *(() if r.holds else (CopyIdle(r.object),)))


@TABLE.on(PULLING, event=RelayReply)
def go_on_elsewhere(r: Copy, e: RelayReply, here: Here) -> tuple[Copy, Out]:
    """Ask whom we are referred to; what the first source still says of the chunks we asked it for is stale."""
    return first_chunks(replace(r, source=e.source, origin=r.source, rank=e.rank), here)


@TABLE.on(RESERVING, PULLING, event=PullCancelNotice, to=AGAIN)
def cancel(r: Copy, e: PullCancelNotice, here: Here) -> tuple[Copy | None, Out]:
    """When nobody waits any more the transfer ends; chunks on their way are dropped when they come."""
    return unless_wanted(replace(r, askers=r.askers.delete(e.asker)) if e.asker in r.askers else r, here)


@TABLE.on(WRITING, event=PullCancelNotice)
def wait_no_more(r: Copy, e: PullCancelNotice, here: Here) -> tuple[Copy, Out]:
    """An asker that waited for the writer is gone."""
    return replace(r, askers=r.askers.delete(e.asker)) if e.asker in r.askers else r, ()


TABLE.ignore(ABSENT, *SEALED, RETIRING, event=PullCancelNotice, why="the copy, or the refusal, is on its way")


# ------------------------------------------------------------------ somebody dies


@TABLE.on(RESERVING, WRITING, PULLING, *SEALED, RETIRING, event=HolderDied, to=BEREAVED)
def party_died(r: Copy, e: HolderDied, here: Here) -> tuple[Copy | None, Out]:
    """A dead worker reads, writes and waits for nothing; a dead node sends nothing."""
    if r.next is not None and r.next.creator == e.party:
        r = replace(r, next=None)
    if r.state in (RESERVING, WRITING) and r.creator == e.party:
        return gone(r, *(refuse(replace(r, creator=0), Failure("lost", r.object, e.party))))
    if r.state is PULLING and r.source == e.party:
        return lost(r, here)
    r = without(r, e.party)
    if e.party in r.askers:
        r = replace(r, askers=r.askers.delete(e.party))
    count = r.holds.get(e.party, 0)
    if r.state in (RESERVING, PULLING):
        return unless_wanted(counted_down(r, e.party, count), here)
    return give_back(r, e.party, count, here)


TABLE.ignore(ABSENT, event=HolderDied, why="nothing is here")
