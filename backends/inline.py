"""The debugging backend: a whole cluster in one process, on one thread.  The smallest correct driver: read it first.

Messages wait in one queue, first in first out.  A task runs to completion on the caller's stack, when the caller
waits for something and no message is left; so breakpoints, coverage and profilers work.  Time is real.
"""

from __future__ import annotations

import heapq
import os
import time
from collections import deque
from collections.abc import Callable, Sequence, Sized

from freehold.backends.interrupts import BETWEEN, Interrupts, InterruptsAtStart
from freehold.core.effects import Run
from freehold.core.events import Event, RequestAbandoned
from freehold.core.hooks import Options, hookimpl
from freehold.core.hosted import Hosted, World
from freehold.core.ids import HEAD, owner_of, worker_id
from freehold.core.machine import replace
from freehold.core.party import Party
from freehold.core.policies import Policy
from freehold.core.session import Session
from freehold.core.values import Failure

PROGRAM = worker_id(HEAD, 1)
STORE_NBYTES = 2 * 2**30  # of each node, unless the user says otherwise; bytes are only taken when used


class Inline(World):
    """A cluster whose messages are delivered when somebody waits."""

    def __init__(self, nonce: bytes, policy: Policy, capacity: int, trace: str = "") -> None:
        super().__init__(nonce, policy, capacity, trace)
        self.posts: deque[tuple[int, Event, int]] = deque()
        self.timers: list[tuple[float, int, int, Event]] = []  # (when, target, timer, event), a heap
        self.runnable: deque[tuple[Session, Run]] = deque()
        self.waits: list[tuple[int, frozenset[int]]] = []  # who waits on this stack, for what; the innermost last
        self.ran = False  # a task has just run, and timers that fell due meanwhile have not been seen to
        self.interrupts = Interrupts()

    def driver(self, party: Party) -> Hosted:
        return Debugged(self, party)

    def start_nodes(self, capacity: int, resources: Sequence[dict[str, float]]) -> list[int]:
        with self.interrupts:
            return super().start_nodes(capacity, resources)

    def remove(self, party: int) -> None:
        with self.interrupts:
            super().remove(party)

    def deliver(self, target: int, event: Event, cause: int = 0) -> None:
        with self.interrupts:
            super().deliver(target, event, cause)

    def now(self) -> float:
        return time.monotonic()

    def post(self, source: int, target: int, cause: int, event: Event, nbytes: int) -> None:
        self.posts.append((target, event, cause))

    def after(self, seconds: float, target: int, timer: int, event: Event) -> None:
        heapq.heappush(self.timers, (self.now() + seconds, target, timer, event))

    def forget(self, target: int, timer: int) -> None:
        self.timers = [entry for entry in self.timers if entry[1:3] != (target, timer)]
        heapq.heapify(self.timers)

    def begin(self, session: Session, run: Run) -> None:
        self.runnable.append((session, run))

    def interrupt(self, session: Session, task: int) -> None:
        """A task runs while nobody else does: by the time it could be interrupted it has ended."""

    def watched(self, driver: Hosted, request: int) -> None:
        """Whoever asks for a future waits for it: nobody else would let the world turn."""
        while request in driver.listeners and self.turn():
            pass

    def wake(self, request: int) -> None:
        """Who waits looks for itself."""

    def block(self, driver: Hosted, request: int, came: Sized) -> Failure | None:
        """Deliver messages, run tasks and let timers fire, in this order, until the request is settled."""
        self.ran = False  # what falls due by this call's own deadline did not fall due while a task ran
        waiting = driver.party.tables["request"].get(request)
        self.waits.append((driver.party.me, frozenset(waiting.objects if waiting is not None else ())))
        try:
            while request not in driver.settled and not came:
                self.end_of_the_dead(driver)
                if not self.turn():
                    awaited = driver.awaited(request)
                    driver.drive(RequestAbandoned(request))
                    text = "every task that could make progress waits for another, further down this stack"
                    return Failure("deadlock", awaited, driver.party.me, text)
        finally:
            self.waits.pop()
        return driver.settled.pop(request, None)

    def end_of_the_dead(self, driver: Hosted) -> None:
        """Unwind a task whose worker has died while it was on the stack, as its process would have ended."""
        if driver.party.me not in self.drivers and driver.party.me != PROGRAM:
            raise SystemExit

    def turn(self) -> bool:
        """Do the next thing there is to do; tell whether there was one.

        What fell due while a task ran comes before what the task has sent: its get is late.
        """
        overdue = bool(self.timers) and self.timers[0][0] <= self.now()
        if self.ran and not overdue:
            self.ran = False
        if self.posts and not self.ran:
            with self.interrupts:
                target, event, cause = self.posts.popleft()
                self.deliver(target, event, cause)
        elif self.runnable and not self.ran:
            self.run_next()
        elif overdue:
            with self.interrupts:
                _, target, _, event = heapq.heappop(self.timers)
                self.deliver(target, event)
        elif self.timers:
            time.sleep(max(0.0, self.timers[0][0] - self.now()))
        else:
            return False
        return True

    def run_next(self) -> None:
        """Run the task that is next, if its worker lives."""
        session, run = self.next_run()
        if session.worker.me in self.drivers:
            self.run(session, run, reraise=True)
            self.ran = True

    def next_run(self) -> tuple[Session, Run]:
        """Return the task that is next: one that the innermost wait is for, else one that who waits has called.

        Any other may need what lies beneath it on the stack, and would then wait for ever.
        """
        if not self.waits:
            return self.runnable.popleft()
        me, awaited = self.waits[-1]

        def turn_of(index: int) -> int:
            run = self.runnable[index][1]
            if not awaited.isdisjoint(range(run.task, run.task + max(1, run.description.returns))):
                return 0
            return 1 if owner_of(run.task) == me else 2

        first = min(range(len(self.runnable)), key=turn_of)
        found = self.runnable[first]
        del self.runnable[first]
        return found

    def settle_down(self, ready: Callable[[], bool]) -> None:
        """Do what there is to do until something is so, or nothing is left to do."""
        while not ready() and self.turn():
            pass

    def idle(self) -> None:
        """Deliver what is on its way; run nothing."""
        while self.posts:
            self.turn()


class Debugged(Hosted):
    """The driver of one party; Ctrl-C waits until its step is over."""

    world: Inline

    def begun(self) -> None:
        self.world.interrupts.begun()

    def tell(self, *events: Event) -> None:
        with self.world.interrupts:
            self.world.end_of_the_dead(self)
            super().tell(*events)

    def view(self, object: int) -> memoryview | None:
        with self.world.interrupts:
            return super().view(object)

    def close(self) -> None:
        interrupts = self.world.interrupts
        interrupts.defer()
        try:
            super().close()
            interrupts.closed = not self.world.drivers
        finally:
            interrupts.resume()


BETWEEN |= {Inline.run_next.__code__, World.run.__code__}


@hookimpl
def freehold_check(options: Options) -> None:
    """Refuse a description of a cluster."""
    options.nodes()


@hookimpl
def freehold_start(options: Options) -> Session:
    """Start the nodes, each with its workers, and return the program's session."""
    nodes = options.nodes()
    policy = replace(options.policy, cpu_back="end")
    world = Inline(os.urandom(16), policy, options.object_store_memory or STORE_NBYTES, options.trace)
    resources = {"CPU": options.num_cpus or 2.0, **options.resources}
    with InterruptsAtStart() as interrupts:
        world.start_nodes(world.capacity, [resources] * nodes)
        world.idle()
        interrupts.heir = world.interrupts
    return world.sessions[PROGRAM]
