"""Blocking programs in simulated time: one greenlet for each flow of control, and one, the *hub*, that lets time pass.

A *strand* is a flow of control: the program, the thread of a worker, or a call that has fallen due.  Whoever
blocks or sleeps switches to the hub, and the hub switches to one strand at a time; so everyone gets what he
himself has waited for.  Refuses to know messages, tasks and objects.
"""

from __future__ import annotations

import gc
from asyncio.events import _get_running_loop, _set_running_loop
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from greenlet import GreenletExit, getcurrent, greenlet

from freehold.core import cluster
from freehold.core.errors import NotSupported
from freehold.core.session import Session
from freehold.simulator.clock import Clock, EmptySchedule, Happening
from freehold.simulator.world.hosts import Process

TURNS_PER_COLLECTION = 20_000  # garbage is collected at fixed counts of turns, so that references die repeatably
COLLECTIONS_PER_FULL = 50
T = TypeVar("T")


class Strand:
    """One flow of control of one process of the simulated cluster.

    It is parked, in the queue of those that are ready, or running.  A wake-up carries the ticket of the stay for
    which it is meant, so that one that comes late does nothing.
    """

    __slots__ = ("doomed", "greenlet", "process", "session", "ticket")

    def __init__(self, session: Session) -> None:
        assert isinstance(session.host, Process)
        self.session = session
        self.process = session.host
        self.ticket = 0
        self.doomed = False  # its worker is dead
        self.greenlet: greenlet = getcurrent()


class Alarm(Happening):
    """The end of a sleep, or of the time given to a wait."""

    __slots__ = ("strand", "ticket")

    def __init__(self, callbacks: tuple[Callable[[Alarm], None], ...], strand: Strand) -> None:
        super().__init__(callbacks)
        self.strand = strand
        self.ticket = strand.ticket


class Strands:
    """All flows of control, and the hub.

    Args:
        clock: what lets time pass.
        stuck: returns what the program is to raise when it waits and nothing can happen any more.
        seed: orders those that wake up at the same instant.
    """

    def __init__(self, clock: Clock, stuck: Callable[[], BaseException], seed: int) -> None:
        self.clock = clock
        self.stuck = stuck
        self.seed = seed
        self.hub = greenlet(self.loop)
        self.program: Strand | None = None
        self.running: Strand | None = None  # None: the hub
        self.alive: dict[Strand, int] = {}  # all but the program -> number
        self.ready: deque[Callable[[], None]] = deque()  # what the hub does before time passes
        self.polls: dict[Strand, Callable[[], bool]] = {}  # parked until something is so
        self.number = 0
        self.turns = 0
        self.closed = False
        self.telling = False  # a strand is in the middle of a step of the cluster
        self.interrupted = False
        self.ringing = (self.ring,)

    # ------------------------------------------------------------------ who runs

    def inside(self) -> bool:
        """Tell whether the caller is a simulated program or task, and not the hub or another thread."""
        return self.running is not None and getcurrent() is self.running.greenlet

    def check(self) -> None:
        """Refuse to serve other threads."""
        here = self.hub if self.running is None else self.running.greenlet
        if getcurrent() is not here:
            raise NotSupported("a simulated cluster serves only the thread that called init(), and its tasks")

    def aside(self, call: Callable[[], T]) -> T:
        """Return what a call returns that finds Python as it really is, and does not block."""
        strand, self.running = self.running, None
        try:
            return call()
        finally:
            self.running = strand

    def adopt(self, session: Session) -> Strand:
        """Take the caller for the program, which runs now."""
        self.program = self.running = Strand(session)
        return self.program

    def start(self, session: Session, call: Callable[[], None]) -> Strand:
        """Begin a flow of control, as soon as the hub runs."""
        strand = Strand(session)
        strand.greenlet = greenlet(call, self.hub)
        self.number += 1
        self.alive[strand] = self.number
        self.wake(strand)
        return strand

    def wake(self, strand: Strand) -> None:
        """Let a parked strand go on when its turn comes, and its process has done what came before."""
        process = strand.process
        if process.shares:
            process.take(partial(self.resume, strand, strand.ticket))
        elif process.until > self.clock.now:
            self.set_alarm(strand, 0.0)
        else:
            self.ready.append(partial(self.resume, strand, strand.ticket))

    def resume(self, strand: Strand, ticket: int) -> None:
        """Let a strand go on, unless it has done so meanwhile."""
        if ticket == strand.ticket and not strand.greenlet.dead:
            self.switch(strand, GreenletExit() if strand.doomed else None)

    def doom(self, session: Session) -> None:
        """End the strands of a process that has died."""
        for strand in self.alive:
            if strand.session is session:
                strand.doomed = True
                self.wake(strand)

    # ------------------------------------------------------------------ waiting, called by strands

    def park(self) -> None:
        """Let others run until somebody wakes the caller."""
        self.check()
        strand = self.running
        assert strand is not None
        if self.closed or strand.doomed:
            raise GreenletExit
        loop = _get_running_loop()  # asyncio's note belongs to the thread, which others use meanwhile
        _set_running_loop(None)
        try:
            self.hub.switch()
        finally:
            _set_running_loop(loop)

    def now(self) -> float:
        """Return the time of the process that runs, which may be ahead of the others'."""
        return self.clock.now if self.running is None else self.running.session.host.now()

    def catch_up(self) -> None:
        """Park until the time of all others is that of the caller."""
        if self.inside():
            assert self.running is not None
            self.wake(self.running)
            self.park()

    def sleep(self, seconds: float) -> None:
        """Park for some time."""
        assert self.running is not None
        self.set_alarm(self.running, seconds)
        self.park()

    def poll(self, ready: Callable[[], bool], seconds: float | None) -> None:
        """Park until something is so, which is looked at after every turn, or the time is up."""
        strand = self.running
        assert strand is not None
        if ready():
            return
        if seconds is not None:
            self.set_alarm(strand, seconds)
        self.polls[strand] = ready
        try:
            self.park()
        finally:
            self.polls.pop(strand, None)

    def set_alarm(self, strand: Strand, seconds: float) -> None:
        """Wake a strand after some time, if it is still parked then for the same reason."""
        at = strand.session.host.now() + max(0.0, seconds)
        turn = hash((self.seed, self.alive.get(strand, 0), at))
        self.clock.push(at, turn, Alarm(self.ringing, strand))

    def ring(self, alarm: Alarm) -> None:
        """Wake who has set the alarm."""
        alarm.strand.process.take(partial(self.resume, alarm.strand, alarm.ticket))

    # ------------------------------------------------------------------ the hub

    def loop(self) -> None:
        """Let whoever is ready run, else let time pass.  What goes wrong here is raised in the program."""
        assert self.program is not None
        while not self.closed:
            try:
                self.turn()
            except GreenletExit:
                return
            except EmptySchedule:
                self.switch(self.program, self.stuck())
            except BaseException as error:
                self.switch(self.program, error)

    def turn(self) -> None:
        """Do the next thing there is to do."""
        self.count()
        if self.interrupted:
            self.interrupted = False
            raise KeyboardInterrupt
        if self.ready:
            self.ready.popleft()()
        else:
            self.clock.step()
        for waiting, ready in list(self.polls.items()) if self.polls else ():
            if ready():
                del self.polls[waiting]
                self.wake(waiting)

    def count(self) -> None:
        """Collect garbage now and then; Python does not do so by itself while a simulation lives."""
        self.turns += 1
        if self.turns % TURNS_PER_COLLECTION == 0:
            gc.collect(2 if self.turns % (TURNS_PER_COLLECTION * COLLECTIONS_PER_FULL) == 0 else 1)

    def switch(self, strand: Strand, error: BaseException | None) -> None:
        """Let a strand run, as the process that it belongs to, until it parks or ends."""
        strand.ticket += 1
        self.running = strand
        cluster.activate(strand.session)
        try:
            if error is None:
                strand.greenlet.switch()
            else:
                strand.greenlet.throw(error)
        finally:
            self.running = None
            if strand.greenlet.dead:
                self.alive.pop(strand, None)
        if strand.session.dropped:
            strand.session.host.tell()

    def interrupt(self) -> bool:
        """Take note of the user's interrupt; tell whether to raise it here and now: in the program, between steps."""
        here = self.interrupted or (self.running is self.program and not self.telling)
        self.interrupted = not here
        return here

    def told(self) -> None:
        """Note that a step is over; raise an interrupt that came meanwhile, if this is the program."""
        self.telling = False
        if self.interrupted and self.running is self.program:
            self.interrupted = False
            raise KeyboardInterrupt

    def close(self) -> None:
        """End all strands but the caller's, and the hub."""
        self.closed = True
        here = getcurrent()
        for strand in list(self.alive):
            strand.greenlet.parent = here
            self.switch(strand, GreenletExit())
        self.running = None
        if self.hub is not here:
            self.hub.parent = here
            self.hub.throw(GreenletExit())
        self.ready.clear()
        self.polls.clear()
