"""The room table: the bytes of one object store, who waits for some, and what may go to make room.

One record for each node.  Room is asked of the driver for one copy at a time, in the order get > wait > task
argument, creates among the gets.  Pulls for waits and task arguments together take at most a share of the store,
but one may always run.  When there is no range of bytes the longest unused secondary copy is evicted; when there
is none of those, holds that nobody uses are asked back, and the first in the queue waits for frees as long as
the policy says.  Then it hears who fills the store.

This file refuses to know what copies are for.
"""

from __future__ import annotations

import msgspec
from immutables import Map

from freehold.core.effects import CancelTimer, Release, Reserve, SetTimer
from freehold.core.ids import object_name
from freehold.core.machine import Here, Out, State, Table, replace
from freehold.core.node_events import (
    CopyBusy,
    CopyEvicted,
    CopyIdle,
    HoldsRecalled,
    PullOver,
    Reserved,
    ReserveFailed,
    RoomDenied,
    RoomFreed,
    RoomGranted,
    RoomOverdue,
    RoomWanted,
)
from freehold.core.values import Failure, Want


class Rooming(State):
    """What the object store is doing about room."""

    OPEN = "whoever asks is served"
    RESERVING = "the driver has been asked for bytes", Reserved, ReserveFailed
    AWAITING = "nothing fits and nothing can be evicted", RoomOverdue, RoomFreed, CopyIdle


OPEN, RESERVING, AWAITING = Rooming


class Ask(msgspec.Struct, frozen=True, gc=False):
    """One copy that waits for room."""

    object: int
    nbytes: int
    want: int  # a member of Want, or negative for a create


class Room(msgspec.Struct, frozen=True, gc=False):
    """The bytes of one object store."""

    capacity: int
    state: Rooming = OPEN
    attempt: int = 0
    reserving: Ask | None = None  # RESERVING: for whom
    queue: tuple[Ask, ...] = ()  # most urgent first, then first come
    overdue: int = 0  # the timer of the first in the queue, 0 if it has none
    sizes: Map[int, int] = Map()  # copies -> bytes
    pulls: Map[int, int] = Map()  # copies being pulled for waits and task arguments -> bytes
    idle: Map[int, int] = Map()  # evictable copies -> since which step; evicted in this order
    clock: int = 0  # counts additions to idle
    eased: bool = False  # RESERVING: something was freed, or became evictable, since the driver was asked


TABLE = Table(
    "room",
    Rooming,
    (
        RoomWanted,
        RoomFreed,
        PullOver,
        CopyIdle,
        CopyBusy,
        Reserved,
        ReserveFailed,
        RoomOverdue,
    ),
)


def urgency(ask: Ask) -> int:
    """Creates and gets come first."""
    return max(ask.want, Want.GET)


def advance(r: Room, here: Here) -> tuple[Room, Out]:
    """Ask the driver for the first in the queue, unless its pull must wait for others to end."""
    if not r.queue:
        out = (CancelTimer(r.overdue),) if r.overdue else ()
        return replace(r, state=OPEN, overdue=0), out
    first = r.queue[0]
    share = here.policy.pull_share * r.capacity
    if urgency(first) > Want.GET and r.pulls and sum(r.pulls.values()) + first.nbytes > share:
        return replace(r, state=OPEN), ()
    attempt = here.mint()
    r = replace(r, state=RESERVING, attempt=attempt, reserving=first, eased=False)
    return r, (Reserve(first.object, attempt, first.nbytes),)


def leave_queue(r: Room, object: int) -> Room:
    """Take an object out of the queue."""
    return replace(r, queue=tuple([ask for ask in r.queue if ask.object != object]))


def full(r: Room, ask: Ask) -> Failure:
    """Say how large the store is, what was asked, and who fills it."""
    largest = sorted(r.sizes.items(), key=lambda item: (-item[1], item[0]))[:5]
    held = ", ".join(f"{object_name(object)} {nbytes:,} B" for object, nbytes in largest) or "nothing"
    used = sum(r.sizes.values())
    text = f"asked {ask.nbytes:,} B; capacity {r.capacity:,} B; used {used:,} B; largest: {held}"
    return Failure("full", ask.object, 0, text)


# ------------------------------------------------------------------ asking


@TABLE.on(OPEN, RESERVING, AWAITING, event=RoomWanted, to={OPEN: (RESERVING,), AWAITING: (RESERVING, OPEN)})
def want(r: Room, e: RoomWanted, here: Here) -> tuple[Room, Out]:
    """Queue by urgency.  What can never fit is refused at once; what is asked again becomes more urgent."""
    ask = Ask(e.object, e.nbytes, e.want)
    if e.nbytes > r.capacity:
        return r, (RoomDenied(e.object, full(r, ask)),)
    if r.reserving is not None and r.reserving.object == e.object and r.reserving in r.queue:
        return r, ()
    r = leave_queue(r, e.object)
    queue = tuple(sorted((*r.queue, ask), key=urgency))
    r = replace(r, queue=queue)
    return advance(r, here) if r.state is OPEN or (r.state is AWAITING and queue[0] is ask) else (r, ())


@TABLE.on(RESERVING, event=Reserved, to=(OPEN, RESERVING))
def reserved(r: Room, e: Reserved, here: Here) -> tuple[Room, Out]:
    """The bytes are the copy's, if it still wants them."""
    ask = r.reserving
    assert ask is not None
    r = replace(r, reserving=None)
    timer = (CancelTimer(r.overdue),) if r.overdue else ()
    if ask not in r.queue:
        r, out = advance(r, here)
        return r, (Release(ask.object, e.place, ask.nbytes), *out)
    pulls = r.pulls.set(ask.object, ask.nbytes) if urgency(ask) > Want.GET else r.pulls
    r = replace(leave_queue(r, ask.object), sizes=r.sizes.set(ask.object, ask.nbytes), pulls=pulls, overdue=0)
    r, out = advance(r, here)
    return r, (*timer, RoomGranted(ask.object, e.place), *out)


@TABLE.on(RESERVING, event=ReserveFailed, to=(AWAITING, OPEN, RESERVING))
def make_room(r: Room, e: ReserveFailed, here: Here) -> tuple[Room, Out]:
    """Evict the copy that has been idle longest; if there is none, ask for holds and wait."""
    ask = r.reserving
    assert ask is not None
    r = replace(r, reserving=None)
    if r.queue[:1] != (ask,) or r.eased:  # what failed is out of date
        return advance(r, here)
    r = replace(r, state=AWAITING)
    if r.idle:
        return r, (CopyEvicted(min(r.idle, key=r.idle.__getitem__)),)
    recalls = tuple([HoldsRecalled(object) for object in sorted(r.sizes)])
    if r.overdue:
        return r, recalls
    timer = here.mint()
    return replace(r, overdue=timer), (
        SetTimer(timer, here.policy.store_wait, RoomOverdue(ask.object, timer)),
        *recalls,
    )


@TABLE.on(RESERVING, AWAITING, OPEN, event=RoomOverdue, to={AWAITING: (OPEN, RESERVING)})
def give_up(r: Room, e: RoomOverdue, here: Here) -> tuple[Room, Out]:
    """It was first in the queue for long enough: a full store is an error, never a hang."""
    if e.timer != r.overdue:
        return r, ()
    late = [ask for ask in r.queue if ask.object == e.object]
    if not late:
        r = replace(r, overdue=0)
        return advance(r, here) if r.state is AWAITING else (r, ())
    r = replace(leave_queue(r, e.object), overdue=0)
    denied = RoomDenied(e.object, full(r, late[0]))
    if r.state is RESERVING:
        return r, (denied,)
    r, out = advance(r, here)
    return r, (denied, *out)


# ------------------------------------------------------------------ room comes back


@TABLE.on(OPEN, RESERVING, AWAITING, event=RoomFreed, to={OPEN: (RESERVING,), AWAITING: (OPEN, RESERVING)})
def freed(r: Room, e: RoomFreed, here: Here) -> tuple[Room, Out]:
    """A copy is gone, or wants no room any more: try the first in the queue again."""
    r = leave_queue(r, e.object)
    if e.object in r.sizes:
        r = replace(r, sizes=r.sizes.delete(e.object))
    if e.object in r.pulls:
        r = replace(r, pulls=r.pulls.delete(e.object))
    if e.object in r.idle:
        r = replace(r, idle=r.idle.delete(e.object))
    return (replace(r, eased=True), ()) if r.state is RESERVING else advance(r, here)


@TABLE.on(OPEN, RESERVING, AWAITING, event=PullOver, to={OPEN: (RESERVING,)})
def pull_over(r: Room, e: PullOver, here: Here) -> tuple[Room, Out]:
    """The next pull may begin."""
    if e.object not in r.pulls:
        return r, ()
    r = replace(r, pulls=r.pulls.delete(e.object))
    return advance(r, here) if r.state is OPEN else (r, ())


@TABLE.on(OPEN, RESERVING, event=CopyIdle)
def may_go(r: Room, e: CopyIdle, here: Here) -> tuple[Room, Out]:
    """The copy takes its place at the end of the line of those that may be evicted."""
    return replace(r, idle=r.idle.set(e.object, r.clock), clock=r.clock + 1, eased=True), ()


@TABLE.on(AWAITING, event=CopyIdle, to=(RESERVING, OPEN))
def may_go_now(r: Room, e: CopyIdle, here: Here) -> tuple[Room, Out]:
    """Room is waited for: try again, and evict it if that fails."""
    return advance(replace(r, idle=r.idle.set(e.object, r.clock), clock=r.clock + 1), here)


@TABLE.on(OPEN, RESERVING, event=CopyBusy)
def must_stay(r: Room, e: CopyBusy, here: Here) -> tuple[Room, Out]:
    """The copy is held again."""
    return replace(r, idle=r.idle.delete(e.object)) if e.object in r.idle else r, ()


@TABLE.on(AWAITING, event=CopyBusy)
def may_be_read(r: Room, e: CopyBusy, here: Here) -> tuple[Room, Out]:
    """Room is waited for: a new hold is kept for as long as it is used, not in case."""
    return must_stay(r, e, here)[0], (HoldsRecalled(e.object),)
