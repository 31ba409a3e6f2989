"""How a thread waits for descriptors: it looks again and again for a moment, unless others need the processor."""

from __future__ import annotations

import os
import select
from resource import RUSAGE_SELF, getrusage
from time import perf_counter

SPIN_SECONDS = 60e-6  # blocking costs a wake-up of 20 to 50 us on an idle machine
SPINS_SKIPPED_MAX = 255  # waits that begin without a spin, when others have use for the processor


class Spin:
    """The waits of one process."""

    def __init__(self) -> None:
        self._preempted = 0  # how often others took the processor from this process, when it waited last
        self._penalty = self._skips = 0  # waits to begin without a spin: when they do so again, and from now on

    def poll(self, epoll: select.epoll, seconds: float) -> list[tuple[int, int]]:
        """Return (descriptor, events) of what is ready, or becomes so in some seconds."""
        poll = epoll.poll
        events = poll(0)
        if events or not seconds:
            return events
        if self._alone():
            until = perf_counter() + SPIN_SECONDS
            while perf_counter() < until:
                os.sched_yield()
                events = poll(0)
                if events:
                    return events
        return poll(seconds)

    def _alone(self) -> bool:
        """Tell whether a spin takes the processor from nobody, as far as this process has noticed."""
        preempted = getrusage(RUSAGE_SELF).ru_nivcsw
        if preempted != self._preempted:
            self._preempted = preempted
            self._skips = self._penalty = min(2 * self._penalty + 1, SPINS_SKIPPED_MAX)
        elif self._skips:
            self._skips -= 1
        else:
            self._penalty >>= 1
            return True
        return False
