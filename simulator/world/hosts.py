"""The machines that nodes run on: cores, memory, and the way from one process to another on the same machine.

Refuses to know what processes do; it knows for how long.
"""

from __future__ import annotations

from heapq import heapify, heapreplace
from math import inf

from freehold.simulator.world.flows import Link


class Host:
    """One machine, which several nodes may share.

    Args:
        name: for people.
        cores: how many processes can run at a time; infinity if there are always enough.
        memory: bytes a second that all copies on it make together.
        local: seconds from one process to another.
    """

    __slots__ = ("free", "loopback", "memory", "name")

    def __init__(self, name: str, cores: float = inf, memory: float = inf, local: float = 0.0) -> None:
        self.name = name
        self.free = [] if cores == inf else [0.0] * max(1, round(cores))  # when each core is free, as a heap
        heapify(self.free)
        self.memory = memory
        self.loopback = Link(f"{name}'s memory", memory, local)

    def run(self, at: float, seconds: float) -> float:
        """Return when a process is done that wants to run for some time from ``at`` on.

        Processes get a core in the order in which they ask for one, and keep it until they are done.
        """
        if not self.free or not seconds:
            return at + seconds
        start = max(at, self.free[0])
        heapreplace(self.free, start + seconds)
        return start + seconds
