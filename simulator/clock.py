"""Simulated time: SimPy's environment, and the one kind of event that is put into it.

Of events at one instant those with the same *turn* come in the order in which they were made; between turns, who
makes them decides.  Refuses to know what an event is about.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from heapq import heappush
from itertools import count
from typing import Any

from simpy.core import EmptySchedule, Environment
from simpy.events import Event

__all__ = ["Clock", "EmptySchedule", "Happening", "uncollected"]


@contextmanager
def uncollected() -> Iterator[None]:
    """Have nobody look for garbage in circles: there is little, and much else to look through."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


class Happening(Event):
    """Something that happens at a known time; ``callbacks`` is a tuple that all events of a kind share."""

    __slots__ = ("callbacks",)
    _ok = True
    _value = None
    callbacks: Any

    def __init__(self, callbacks: tuple[Callable[[Any], None], ...]) -> None:
        self.callbacks = callbacks


class Call(Happening):
    """A call that is made at some time: for what happens seldom."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[[], None]) -> None:
        super().__init__((Call.make,))
        self.call = call

    def make(self) -> None:
        """Make it."""
        self.call()


class Clock(Environment):
    """Simulated time, in seconds from the start of the program."""

    def __init__(self, start: float = 0.0) -> None:
        super().__init__(start)
        self.pushed = 0  # events, so far
        self._eid = count(-(1 << 40))  # the numbers of SimPy's own, like the end of a run, are others than ours

    def push(self, at: float, turn: int, event: Happening) -> None:
        """Let an event happen at a time, which is exact: events of one turn whose times ascend keep their order."""
        self.pushed += 1
        heappush(self._queue, (at, turn, self.pushed, event))  # type: ignore[misc]

    def call_at(self, at: float, call: Callable[[], None]) -> None:
        """Make a call at a time."""
        self.push(at, 0, Call(call))
