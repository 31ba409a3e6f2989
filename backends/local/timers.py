"""Timers of one process: events that fall due, the earliest first."""

from __future__ import annotations

import heapq
from time import monotonic

from freehold.core.events import Event

CANCELLED_MAX = 1000  # that are not due yet
NEVER = 3600.0  # seconds


class Timers:
    """Events that are to happen later, by the number of their timer."""

    def __init__(self) -> None:
        self._events: dict[int, Event] = {}
        self._due: list[tuple[float, int]] = []  # (when, timer), a heap; cancelled timers stay in it

    def set(self, timer: int, seconds: float, event: Event) -> bool:
        """Have an event fall due, under a number that was never used; tell whether it is the next."""
        self._events[timer] = event
        entry = (monotonic() + seconds, timer)
        heapq.heappush(self._due, entry)
        first = self._due[0] is entry
        if len(self._due) > 2 * len(self._events) + CANCELLED_MAX:
            self._due = [entry for entry in self._due if entry[1] in self._events]
            heapq.heapify(self._due)
        return first

    def cancel(self, timer: int) -> None:
        """Forget a timer, if there is one."""
        self._events.pop(timer, None)

    def clear(self) -> None:
        """Forget all."""
        self._events.clear()
        self._due.clear()

    def next(self) -> tuple[Event | None, float]:
        """Return an event that is due and is due no more, or None and the seconds until the next."""
        while self._due:
            when, timer = self._due[0]
            if timer in self._events:
                left = when - monotonic()
                if left > 0:
                    return None, left
                heapq.heappop(self._due)
                return self._events.pop(timer), 0.0
            heapq.heappop(self._due)
        return None, NEVER
