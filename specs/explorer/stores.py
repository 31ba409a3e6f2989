"""A model of one object store: copies that want room, and a driver that answers whenever it likes.

The room table takes every step; copies do anything that copies may do.  Refuses to know how states are searched.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple

from freehold.core.effects import CancelTimer, Release, Reserve, SetTimer
from freehold.core.events import Event
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
from freehold.core.policies import DEFAULT
from freehold.core.room import AWAITING, OPEN, RESERVING, Room
from freehold.core.values import Want

AWAY, COMING, HELD, IDLE = "away", "coming", "held", "idle"  # COMING: it has room, and its bytes are pulled
NUMBERS = 3, 5, 7  # of timers and of what the driver is asked: one of them is free
WANTS = (-1, Want.GET, Want.RUN)  # a create, and what a copy is pulled for


class Storing(NamedTuple):
    """The room of a store, what each copy does, and what the driver has to do."""

    record: Room
    doing: tuple[Any, ...]  # each copy: AWAY, (what it wants room for, since which request), COMING, HELD or IDLE
    idle: tuple[int, ...] = ()  # copies that are IDLE, the longest first
    asked_back: frozenset[int] = frozenset()  # whose holds were asked back since they were granted
    places: tuple[tuple[int, int], ...] = ()  # bytes that are set aside: (place, copy)
    owed: Event | None = None  # the driver's answer
    served: tuple[int, int] = (0, 0)  # for which copy it was asked last, and what that wanted room for
    timer: RoomOverdue | None = None
    asked: int = 0  # requests
    left: int = 0  # things that copies may still do
    said: str = ""  # what went wrong in the last step


class Store:
    """Copies that want room in one store, get it, may go or may not, and are gone.

    Args:
        capacity: bytes.
        sizes: the bytes of each copy.
        acts: how much copies may do in all, and timers that may fire.
    """

    def __init__(self, capacity: int, sizes: tuple[int, ...], acts: int) -> None:
        self.capacity, self.sizes, self.acts = capacity, sizes, acts

    def first(self) -> Storing:
        """Nothing is stored."""
        return Storing(Room(self.capacity), (AWAY,) * len(self.sizes), left=self.acts)

    def moves(self, state: Storing) -> Iterator[tuple[str, Storing]]:
        """The driver answers, a timer fires, or a copy does what copies do."""
        if state.owed is not None:
            yield f"the driver says {state.owed}", self.told(state._replace(owed=None), state.owed)
        if not state.left:
            return
        acts = state._replace(left=state.left - 1)
        if state.timer is not None:
            yield f"{state.timer} fires", self.overdue(acts)
        for copy, doing in enumerate(state.doing):
            match doing:
                case "away":
                    yield from [self.wants(acts, copy, want) for want in WANTS]
                case "coming":
                    yield f"{copy} has come", self.told(to(acts, copy, HELD), PullOver(copy), CopyBusy(copy))
                    yield f"{copy} breaks off", self.goes(acts, copy)
                case "held":
                    yield f"{copy} is used no more", self.told(to(acts, copy, IDLE), CopyIdle(copy))
                    yield f"{copy} is freed", self.goes(acts, copy)
                case "idle":
                    yield f"{copy} is used", self.told(to(acts, copy, HELD), CopyBusy(copy))
                    yield f"{copy} is freed", self.goes(acts, copy)
                case (want, _):
                    yield f"{copy} wants no room", self.told(to(acts, copy, AWAY), RoomFreed(copy, 0))
                    if want > Want.GET:
                        late = state.owed is not None and state.served == (copy, want)  # the driver has been asked
                        yield self.wants(acts, copy, Want.GET, late=late)

    def wants(self, state: Storing, copy: int, want: int, *, late: bool = False) -> tuple[str, Storing]:
        """A copy asks for room, or for what is more urgent; that may come too late."""
        if not late:
            state = to(state, copy, (want, state.asked))._replace(asked=state.asked + 1)
        return f"{copy} wants room for {want}", self.told(state, RoomWanted(copy, self.sizes[copy], want))

    def goes(self, state: Storing, copy: int) -> Storing:
        """A copy gives its bytes back."""
        coming, idle = state.doing[copy] == COMING, state.doing[copy] == IDLE
        place = next(place for place, of in state.places if of == copy)
        state = self.perform(to(state, copy, AWAY), Release(copy, place, self.sizes[copy]))
        busy = (CopyBusy(copy),) if idle else ()
        return self.told(state, *busy, RoomFreed(copy, self.sizes[copy], coming))

    def overdue(self, state: Storing) -> Storing:
        """The timer fires: whoever it was set for has waited for long enough."""
        timer = state.timer
        assert timer is not None
        state = self.told(state._replace(timer=None), timer)
        late = timer.object in dict(asking(state))
        return state._replace(said=f"{timer.object} goes on to wait") if late else state

    # ------------------------------------------------------------------ a step of the table, and what comes of it

    def told(self, state: Storing, *events: Any) -> Storing:
        """Tell the table something; it hears at once of what a copy does thereupon."""
        for event in events:
            record = state.record
            used = (record.attempt, record.overdue)
            here: Any = SimpleNamespace(
                me=0, counter=0, policy=DEFAULT, mint=lambda used=used: next(n for n in NUMBERS if n not in used)
            )
            after, out = record.state.rows[type(event)](record, event, here)
            state = state._replace(record=after)
            for wish in out:
                state = self.perform(state, wish, overdue=isinstance(event, RoomOverdue))
        return state

    def perform(self, state: Storing, wish: Any, overdue: bool = False) -> Storing:
        """Do what the table asks for; the driver knows at once what it will answer."""
        match wish:
            case Reserve(copy, attempt, nbytes):
                place = min({*range(1, len(self.sizes) + 2)}.difference([place for place, _ in state.places]))
                if state.owed is not None or copy != self.next(state):
                    return state._replace(said=f"room is asked for {copy}, while {state.doing} and {state.owed}")
                state = state._replace(served=(copy, state.doing[copy][0]))
                if self.used(state) + nbytes > self.capacity:
                    return state._replace(owed=ReserveFailed(attempt))
                return state._replace(places=(*state.places, (place, copy)), owed=Reserved(attempt, place))
            case Release(copy, place, _):
                if (place, copy) not in state.places:
                    return state._replace(said=f"{copy} gives back bytes that it has not")
                return state._replace(places=tuple([other for other in state.places if other != (place, copy)]))
            case SetTimer(_, _, RoomOverdue() as event):
                return state._replace(timer=event)
            case CancelTimer(timer):
                return state._replace(timer=None if state.timer and state.timer.timer == timer else state.timer)
            case RoomGranted(copy, place):
                if type(state.doing[copy]) is not tuple or (place, copy) not in state.places:
                    return state._replace(said=f"{copy} is granted room at {place}")
                granted = COMING if state.doing[copy][0] > Want.GET else HELD
                return to(state, copy, granted)
            case RoomDenied(copy):
                if type(state.doing[copy]) is not tuple or not (overdue or self.sizes[copy] > self.capacity):
                    return state._replace(said=f"{copy} is denied room")
                return to(state, copy, AWAY)
            case CopyEvicted(copy):
                if state.idle[:1] != (copy,):
                    return state._replace(said=f"{copy} is evicted, and {state.idle} are idle, the longest first")
                return self.goes(state, copy)
            case HoldsRecalled(copy):
                return state._replace(asked_back=state.asked_back | {copy})
        raise TypeError(f"the room table asks for {wish}")

    # ------------------------------------------------------------------ what must hold

    def used(self, state: Storing) -> int:
        """Return how many bytes are set aside."""
        return sum(self.sizes[copy] for _, copy in state.places)

    def next(self, state: Storing) -> int | None:
        """Return which copy is the first to get room: creates and gets go first, then whoever came first."""
        waiting = [(max(doing[0], Want.GET), doing[1], copy) for copy, doing in asking(state)]
        return min(waiting)[-1] if waiting else None

    def wrong(self, state: Storing) -> str:
        """Return what is wrong."""
        return state.said or next(self.wrong_in(state), "")

    def wrong_in(self, state: Storing) -> Iterator[str]:
        """Yield what is wrong with the books, and with who waits."""
        r, owed = state.record, state.owed
        stored = {copy: self.sizes[copy] for copy, doing in enumerate(state.doing) if doing in (COMING, HELD, IDLE)}
        coming = {copy: self.sizes[copy] for copy in stored if state.doing[copy] == COMING}
        idle = {*state.idle}
        lent = [copy for place, copy in state.places if not (isinstance(owed, Reserved) and owed.place == place)]
        if (dict(r.sizes), dict(r.pulls), {*r.idle}, sorted(lent)) != (stored, coming, idle, sorted(stored)):
            yield f"{r} does not say that {stored} are stored, {coming} coming and {idle} idle, or {lent} have bytes"
        if (r.state is RESERVING) != (owed is not None):
            yield f"{r} and the driver owes {owed}"
        if r.overdue != (state.timer.timer if state.timer else 0):
            yield f"{r} with the timer {state.timer}"
        first = self.next(state)
        if owed is not None or first is None:
            return
        share = DEFAULT.pull_share * self.capacity
        pulls = state.doing[first][0] > Want.GET and coming
        if pulls and sum(coming.values()) + self.sizes[first] > share:
            if r.state is not OPEN:
                yield f"{first} should wait for {coming} to come, in {r}"
        elif self.used(state) + self.sizes[first] <= self.capacity:
            yield f"{first} waits, and there is room for it, in {r}"
        elif idle or r.state is not AWAITING:
            yield f"{first} waits, while {idle} may go, in {r}"
        elif state.timer is None:
            yield f"{first} waits without a timer, in {r}"
        elif kept := [copy for copy in stored if state.doing[copy] == HELD and copy not in state.asked_back]:
            yield f"{first} waits, and nobody has asked for the holds on {kept}"


def asking(state: Storing) -> list[tuple[int, tuple[int, int]]]:
    """Return the copies that wait for room, each with what for and since which request."""
    return [(copy, doing) for copy, doing in enumerate(state.doing) if isinstance(doing, tuple)]


def to(state: Storing, copy: int, doing: Any) -> Storing:
    """Return a state in which a copy does something else; then it has holds anew, if any."""
    after = (*state.doing[:copy], doing, *state.doing[copy + 1 :])
    idle = (*[other for other in state.idle if other != copy], *((copy,) if doing == IDLE else ()))
    return state._replace(doing=after, idle=idle, asked_back=state.asked_back - {copy})
