"""Models beside the parties: the threads of one process, and a link that loses frames; and which there are in all.

Their tables take every step.  Refuses to know how states are searched.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple

from freehold.core.effects import CancelTimer, SetTimer
from freehold.core.handover import Handover, Lead, ThreadCame, ThreadLeft, ThreadServed, Wake
from freehold.core.link import (
    CLOSED,
    CUT,
    SENDING,
    TRIES_MAX,
    Broken,
    Frame,
    FrameCame,
    Heard,
    Link,
    MessageDue,
    ResendDue,
)
from freehold.specs.explorer.leases import Leases
from freehold.specs.explorer.plain import put, spent
from freehold.specs.explorer.stores import Store

# ------------------------------------------------------------------ threads

AWAY, ASLEEP, LEADING = "away", "asleep", "leading"

HERE: Any = SimpleNamespace(me=0, counter=0)


class Threads(NamedTuple):
    """The threads of a process, and the record of who leads."""

    record: Handover
    doing: tuple[str, ...]  # each thread: AWAY, ASLEEP or LEADING
    told: tuple[tuple[str, int], ...] = ()  # orders that have been given, and that their threads have not noticed
    served: frozenset[int] = frozenset()  # threads whose wait is over, as the leader knows


class HandOver:
    """Some threads that wait for answers, get them, and may at any time wait no more.

    Args:
        threads: how many.
    """

    def __init__(self, threads: int = 3) -> None:
        self.threads = range(threads)

    def first(self) -> Threads:
        """Nobody waits."""
        return Threads(Handover(), (AWAY,) * len(self.threads))

    def moves(self, state: Threads) -> Iterator[tuple[str, Threads]]:
        """A thread comes, is served, notices an order, or leaves."""
        leader = LEADING in state.doing
        for thread in self.threads:
            doing = state.doing[thread]
            if doing == AWAY:
                yield f"{thread} comes", self.asked(state, thread, ASLEEP, ThreadCame(thread + 1))
                continue
            orders = [order for order in state.told if order[1] == thread]
            if orders and doing == ASLEEP:
                yield f"{thread} notices {orders[0][0]}", self.notices(state, orders[0])
            if leader and thread not in state.served:
                served = state._replace(served=state.served | {thread})
                yield f"{thread} is served", self.asked(served, thread, doing, ThreadServed(thread + 1))
            left = state._replace(
                told=tuple([order for order in state.told if order[1] != thread]), served=state.served - {thread}
            )
            if doing == LEADING or ("wake", thread) not in state.told:  # it is interrupted, or has looked itself
                yield f"{thread} leaves", self.asked(left, thread, AWAY, ThreadLeft(thread + 1))

    def asked(self, state: Threads, thread: int, doing: str, event: Any) -> Threads:
        """Ask the table; what one tells itself it notices at once."""
        record, out = state.record.state.rows[type(event)](state.record, event, HERE)
        state = state._replace(record=record, doing=put(state.doing, thread, doing))
        for order in out:
            kind = "lead" if isinstance(order, Lead) else "wake"
            assert isinstance(order, Lead | Wake)
            if kind == "lead" and order.thread == thread + 1:
                state = state._replace(doing=put(state.doing, thread, LEADING))
            else:
                state = state._replace(told=(*state.told, (kind, order.thread - 1)))
        return state

    def notices(self, state: Threads, order: tuple[str, int]) -> Threads:
        """A thread that slept does what it was told."""
        kind, thread = order
        state = state._replace(told=tuple([other for other in state.told if other != order]))
        if kind == "lead":
            return state._replace(doing=put(state.doing, thread, LEADING))
        gone = state._replace(served=state.served - {thread})
        return self.asked(gone, thread, AWAY, ThreadLeft(thread + 1))

    def wrong(self, state: Threads) -> str:
        """Return what is wrong."""
        leaders = [thread for thread in self.threads if state.doing[thread] == LEADING]
        called = [thread for kind, thread in state.told if kind == "lead"]
        if len(leaders) + len(called) > 1:
            return f"{leaders} lead while {called} are told to"
        waiting = [thread for thread in self.threads if state.doing[thread] == ASLEEP]
        awake = {thread for _, thread in state.told}
        if waiting and not leaders and not called and not awake.issuperset(waiting):
            return f"{waiting} wait, and nobody leads"
        if any(state.doing[thread] == AWAY for _, thread in state.told):
            return "a thread that has gone is told something"
        if len(set(state.told)) < len(state.told):
            return "a thread is told twice"
        unheard = [thread for thread in waiting if thread in state.served and thread not in awake]
        return f"{unheard} are served, and nobody tells them" if unheard else ""


# ------------------------------------------------------------------ a link


class Wire(NamedTuple):
    """Two ends of a link, what is on its way, and what has happened; of each end something."""

    ends: tuple[Link, Link]
    frames: tuple[tuple[Frame, ...], tuple[Frame, ...]] = ((), ())  # towards each end, in any order
    timers: tuple[int, int] = (0, 0)  # the number of each end's timer, 0 if none is set
    said: tuple[int, int] = (0, 0)  # messages that it was given
    heard: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())  # what it has handed on
    news: tuple[int, int] = (0, 0)  # how often it still has to say that the other is lost
    vain: tuple[int, int] = (0, 0)  # how often its timer has fired since something was acknowledged
    loses: tuple[bool, bool] = (False, False)  # whether a frame from or to it was lost since its timer fired
    owed: tuple[bool, bool] = (False, False)  # whether it has said something to one who has given up
    left: tuple[int, int, int, int] = (0, 0, 0, 0)  # messages that may be sent, frames lost and doubled, timers fired


class Lossy:
    """Two ends that send each other messages over a link that loses, doubles and reorders frames.

    Args:
        messages: that may be sent in all.
        losses: of frames.
        doubles: frames that come once more.
        alarms: timers that fire, early or late.
        tries: that have been in vain already: a few more, and the link is cut.
    """

    def __init__(self, messages: int, losses: int = 1, doubles: int = 1, alarms: int = 1, tries: int = 0) -> None:
        self.budget = (messages, losses, doubles, alarms)
        self.tries = tries

    def first(self) -> Wire:
        """Nothing has been sent."""
        ends = Link(1, tries=self.tries), Link(0, tries=self.tries)
        return Wire(ends, vain=(self.tries, self.tries), left=self.budget)

    def moves(self, state: Wire) -> Iterator[tuple[str, Wire]]:
        """Somebody sends, a frame comes, is lost or doubled, or a timer fires."""
        for end in (0, 1):
            if state.left[0]:
                message = state.said[end] + 1
                says = spent(state, 0)._replace(said=put(state.said, end, message))
                yield f"{end} sends {message}", self.told(says, end, MessageDue(1 - end, message))
            for index, frame in enumerate(state.frames[end]):
                if frame in state.frames[end][:index]:
                    continue
                rest = state.frames[end][:index] + state.frames[end][index + 1 :]
                taken = state._replace(frames=put(state.frames, end, rest))
                came = FrameCame(1 - end, frame.number, frame.message, frame.heard)
                yield f"frame {frame.number} comes to {end}", self.told(taken, end, came)
                if state.left[1]:
                    owed = put(state.owed, end, state.owed[end] and frame.number != CLOSED)
                    yield f"frame {frame.number} to {end} is lost", spent(taken._replace(loses=BOTH, owed=owed), 1)
                if state.left[2]:
                    yield f"frame {frame.number} comes to {end} twice", self.told(spent(state, 2), end, came)
            if state.timers[end] and state.left[3]:
                due = ResendDue(1 - end, state.timers[end])
                fired = spent(state._replace(timers=put(state.timers, end, 0)), 3)
                yield f"the timer of {end} fires", self.told(fired, end, due)

    def told(self, state: Wire, end: int, event: Any) -> Wire:
        """Let an end take a step."""
        before = state.ends[end]
        here: Any = SimpleNamespace(me=0, counter=0, mint=lambda: before.attempt + 1 + before.tries + before.sent)
        after, out = before.state.rows[type(event)](before, event, here)
        state = self.noted(state._replace(ends=put(state.ends, end, after)), end, event, before, after)
        for wish in out:
            match wish:
                case Frame():
                    towards = tuple(sorted((*state.frames[1 - end], wish), key=repr))
                    state = state._replace(frames=put(state.frames, 1 - end, towards))
                case Heard(_, message):
                    state = state._replace(heard=put(state.heard, end, (*state.heard[end], message)))
                case SetTimer(timer):
                    state = state._replace(timers=put(state.timers, end, timer))
                case CancelTimer(timer) if timer == state.timers[end]:
                    state = state._replace(timers=put(state.timers, end, 0))
                case Broken():
                    state = state._replace(news=put(state.news, end, state.news[end] - 1))
        return state

    def noted(self, state: Wire, end: int, event: Any, before: Link, after: Link) -> Wire:
        """Take down what has happened to an end, whatever it makes of it."""
        if (before.state is CUT and isinstance(event, MessageDue)) or (before.state is not CUT and after.state is CUT):
            state = state._replace(news=put(state.news, end, state.news[end] + 1))
        if isinstance(event, ResendDue):
            vain = put(state.vain, end, state.vain[end] + 1)
            state = state._replace(vain=vain, loses=put(state.loses, end, False))
        if isinstance(event, FrameCame):
            if any(number <= event.heard for number, _ in before.open) and event.number != CLOSED:
                state = state._replace(vain=put(state.vain, end, 0))
            if event.number == CLOSED:
                state = state._replace(owed=put(state.owed, end, False))
            elif before.state is CUT:
                state = state._replace(owed=put(state.owed, 1 - end, state.ends[1 - end].state is not CUT))
        return state

    def wrong(self, state: Wire) -> str:
        """Return what is wrong."""
        return next((what for end in (0, 1) for what in self.wrong_at(state, end)), "")

    def wrong_at(self, state: Wire, end: int) -> Iterator[str]:
        """Yield what is wrong at one end."""
        here, there, handed = state.ends[end], state.ends[1 - end], state.heard[end]
        if handed != tuple(range(1, len(handed) + 1)) or len(handed) > state.said[1 - end]:
            yield f"{end} was handed {handed} of {state.said[1 - end]} messages"
        if (here.state is SENDING) != bool(here.open) or (here.state is SENDING) != bool(state.timers[end]):
            yield f"{end} is {here.state.name} with {here.open} and timer {state.timers[end]}"
        if state.news[end]:
            yield f"{end} has to say that the other is lost {state.news[end]} times more, or less"
        if here.state is not CUT and state.vain[end] >= TRIES_MAX:
            yield f"{end} has tried {state.vain[end]} times, and goes on"
        given_up = state.vain[end] >= TRIES_MAX or state.vain[1 - end] >= TRIES_MAX
        if here.state is CUT and not given_up:
            yield f"{end} has lost the other after {state.vain} tries"
        if any(state.frames) or CUT in (here.state, there.state):
            closed = any(frame.number == CLOSED for frame in state.frames[end])
            if state.owed[end] and not closed and here.state is not CUT:
                yield f"{end} goes on to speak to one who has given up, and is not told so"
        elif here.open and not state.loses[end]:
            yield f"nothing is lost or on its way, and {end} waits for an answer about {here.open}"
        elif not here.open and len(state.heard[1 - end]) < state.said[end]:
            yield f"nothing is on its way, and {1 - end} has not heard all that {end} has said"


BOTH = (True, True)
LAST_TRY = TRIES_MAX - 1
QUICK: dict[str, Any] = {
    "hand-over": HandOver(3),
    "link": Lossy(2),
    "link, last tries": Lossy(2, alarms=2, tries=LAST_TRY - 1),
    "store": Store(2, (1, 1, 2), acts=5),
    "leases": Leases(2, (1,), tasks=3, waits=1),
    "leases of two nodes": Leases(2, (1, 1), tasks=2),
}
WHOLE: dict[str, Any] = {
    "hand-over": HandOver(4),
    "link": Lossy(3, alarms=2),
    "link, last tries": Lossy(3, alarms=2, tries=LAST_TRY - 1),
    "store": Store(2, (1, 1, 2), acts=7),
    "leases": Leases(2, (1,), tasks=3, waits=1, deaths=1),
    "leases of two nodes": Leases(2, (1, 1), tasks=3),
}
