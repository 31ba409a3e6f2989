"""The machines that nodes run on: cores, memory, and the way from one process to another on the same machine.

If a machine has fewer cores than processes that have something to do, these take turns: a process that has a core does
one job after the other until it has no more, or one that waits has had less of a core by a whole slice.  Next is who
has had least, as for Linux (kernel/sched/fair.c).

Refuses to know what jobs are about; it knows for how long they keep a core.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from math import inf
from random import Random

from freehold.simulator.clock import Clock
from freehold.simulator.world.costs import NOTHING, Costs
from freehold.simulator.world.flows import Link

REMEMBERED = 4  # processes of which the caches of a core hold something
Job = Callable[[], None]


class Process:
    """What runs on a machine; whoever does its jobs moves ``until``.

    Args:
        machine: on which it runs.
    """

    queued = False  # it has a core, or waits for one
    ran = 0.0  # seconds for which it had a core; what it did without while it had nothing to do, it is given in part

    def __init__(self, machine: Host) -> None:
        self.machine = machine
        self.shares = bool(machine.cores)  # there may be fewer cores than processes that have something to do
        self.until = 0.0  # it has something to do up to here
        self.jobs: deque[Job] = deque()  # that wait for a core

    def take(self, job: Job) -> None:
        """Do a job as soon as there is a core for it; if there always is, at once."""
        if self.shares:
            self.machine.offer(self, job)
        else:
            job()

    def rest(self) -> bool:
        """Do what was left for when there is nothing else to do; tell whether there was anything."""
        return False


class Core:
    """What can run one process at a time."""

    __slots__ = ("idle", "process", "recent", "since", "slept")

    def __init__(self) -> None:
        self.process: Process | None = None  # which it runs
        self.recent: list[Process] = []  # which it ran last, the last one first
        self.since = -inf  # it has had that process, or none, from here on
        self.slept = -inf  # who has had nothing to do since then sleeps: others have spun in vain
        self.idle = True

    def exchange(self, process: Process) -> int:
        """Run another process; return how many others have used the caches since it ran, some at the most."""
        recent = self.recent
        others = recent.index(process) if process in recent else len(recent)
        if others or not recent:
            if others < len(recent):
                del recent[others]
            recent.insert(0, process)
            del recent[REMEMBERED:]
        return others


def waking(costs: Costs, random: Random) -> float:
    """Return how long it takes until a process that sleeps runs again: some time at the least, and more by chance."""
    return costs.wake + costs.linger * random.expovariate(1.0) if costs.linger else costs.wake


class Host:
    """One machine, which several nodes may share.

    Args:
        name: for people.
        clock: simulated time.
        cores: how many processes can run at a time; infinity if there are always enough.
        memory: bytes a second that all copies on it make together.
        local: seconds from one process to another.
        random: where what is left to chance comes from.

    Attributes:
        costs: of running another process, and of waking up.
    """

    __slots__ = ("clock", "cores", "costs", "fair", "loopback", "memory", "name", "random", "ready")

    def __init__(
        self,
        name: str,
        clock: Clock,
        cores: float = inf,
        memory: float = inf,
        local: float = 0.0,
        random: Random | None = None,
    ) -> None:
        self.name = name
        self.clock = clock
        self.costs = NOTHING
        self.memory = memory
        self.random = random or Random(0)
        self.loopback = Link(f"{name}'s memory", memory, local)
        self.cores = [Core() for _ in range(0 if cores == inf else max(1, round(cores)))]
        self.ready: list[Process] = []  # who waits for a core
        self.fair = 0.0  # the most that one has run

    def offer(self, process: Process, job: Job) -> None:
        """Let a process do one thing more, as soon as it has done all others, and has a core."""
        process.jobs.append(job)
        if process.queued:
            return
        process.queued = True
        process.ran = max(process.ran, self.fair - self.costs.slice)
        self.ready.append(process)
        idle = [core for core in self.cores if core.idle]
        if idle:
            core = next((core for core in idle if core.recent[:1] == [process]), idle[0])
            core.idle = False
            if self.clock.now - core.since > self.costs.spin:
                core.slept = self.clock.now
            self.then(core, self.clock.now)

    def then(self, core: Core, at: float) -> None:
        """Let a core go on at a time."""
        self.clock.call_at(at, partial(self.go_on, core))

    def go_on(self, core: Core) -> None:
        """A core has done a job, or woken up: let it do the next one."""
        process, now = core.process, self.clock.now
        if process is not None and not process.jobs and process.rest():
            self.charge(core, process)
            return
        if process is None or not process.jobs or self.unfair(process):
            process = self.exchanged(core)
            if process is None:
                return
            at = now + self.costs.turn + self.costs.switch * core.exchange(process)
            if process.until <= core.slept:
                at += waking(self.costs, self.random)
            if at > now:
                self.then(core, at)
                return
        try:
            process.jobs.popleft()()
        finally:
            self.charge(core, process)

    def charge(self, core: Core, process: Process) -> None:
        """Let a core be busy for as long as its process was, which has had that."""
        now = self.clock.now
        after = max(now, process.until)
        process.ran += after - now
        self.fair = max(self.fair, process.ran)
        self.then(core, after)

    def unfair(self, process: Process) -> bool:
        """Tell whether another is to have its core: one that has had less by a slice."""
        return any([process.ran > other.ran + self.costs.slice for other in self.ready])

    def exchanged(self, core: Core) -> Process | None:
        """Give a core to who waits and has had least, if anybody waits."""
        before = core.process
        if before is not None:
            before.queued = bool(before.jobs)
            if before.jobs:
                self.ready.append(before)
        core.since = self.clock.now
        core.process = min(self.ready, key=lambda process: process.ran, default=None)
        if core.process is not None:
            self.ready.remove(core.process)
        core.idle = core.process is None
        return core.process
