"""A backend of one's own: a cluster in one process in which the message of any pair may come next, by a seed.

The debugging backend delivers messages in the order in which they were sent.  Here only those between the same two
parties stay in order, which is all that the transport contract promises: a program that runs right by some seeds and
not by others has found a race, its own or the protocol's.  Nobody sleeps until a timer is due: the clock is set on.

    pip install --no-deps ./examples/shuffled
    FREEHOLD_BACKEND=shuffled FREEHOLD_SEED=7 python program.py
    freehold prove conformance --backend shuffled
"""

import heapq
import os
import time
from collections import deque
from collections.abc import Callable, Sized
from random import Random

from freehold.core.effects import Run
from freehold.core.events import Event, RequestAbandoned
from freehold.core.hooks import Options, hookimpl
from freehold.core.hosted import Hosted, World
from freehold.core.ids import HEAD, worker_id
from freehold.core.machine import replace
from freehold.core.policies import Policy
from freehold.core.session import Session
from freehold.core.values import Failure

HOSTS = frozenset({"asyncio"})  # what scenarios may want of it
STORE_NBYTES = 2 * 2**30  # of each node, unless the user says otherwise


class Shuffled(World):
    """A cluster whose next step is drawn."""

    def __init__(self, seed: int, policy: Policy, capacity: int, trace: str) -> None:
        super().__init__(os.urandom(16), policy, capacity, trace)
        self.random = Random(seed)
        self.ahead = 0.0  # seconds by which the clock was put forward
        self.posts: dict[tuple[int, int], deque[tuple[Event, int]]] = {}  # (source, target) -> (event, cause)
        self.runnable: deque[tuple[Session, Run]] = deque()
        self.timers: list[tuple[float, int, int, Event]] = []  # (when, target, timer, event), a heap

    # ------------------------------------------------------------------ what parties ask for

    def now(self) -> float:
        return time.monotonic() + self.ahead

    def post(self, source: int, target: int, cause: int, event: Event, nbytes: int) -> None:
        self.posts.setdefault((source, target), deque()).append((event, cause))

    def after(self, seconds: float, target: int, timer: int, event: Event) -> None:
        heapq.heappush(self.timers, (self.now() + seconds, target, timer, event))

    def forget(self, target: int, timer: int) -> None:
        self.timers = [entry for entry in self.timers if entry[1:3] != (target, timer)]
        heapq.heapify(self.timers)

    def begin(self, session: Session, run: Run) -> None:
        self.runnable.append((session, run))

    def interrupt(self, session: Session, task: int) -> None:
        """A task runs while nobody else does: by the time it could be interrupted it has ended."""

    def wake(self, request: int) -> None:
        """Who waits looks for itself."""

    # ------------------------------------------------------------------ what the program asks for

    def block(self, driver: Hosted, request: int, came: Sized) -> Failure | None:
        while request not in driver.settled and not came:
            if not self.turn():
                awaited = driver.awaited(request)
                driver.drive(RequestAbandoned(request))
                text = "every task that could make progress waits for another, further down this stack"
                return Failure("deadlock", awaited, driver.party.me, text)
        return driver.settled.pop(request, None)

    def watched(self, driver: Hosted, request: int) -> None:
        while request in driver.listeners and self.turn():
            pass

    def settle_down(self, ready: Callable[[], bool]) -> None:
        while not ready() and self.turn():
            pass

    def turn(self) -> bool:
        """Do what is due; else deliver a message, run a task, or put the clock forward.  False if all is done."""
        if self.timers and (self.timers[0][0] <= self.now() or not (self.posts or self.runnable)):
            when, target, _, event = heapq.heappop(self.timers)
            self.ahead += max(0.0, when - self.now())
            self.deliver(target, event)
        elif self.posts:
            pair = self.random.choice(list(self.posts))
            event, cause = self.posts[pair].popleft()
            if not self.posts[pair]:
                del self.posts[pair]
            self.deliver(pair[1], event, cause)
        elif self.runnable:
            session, run = self.runnable.popleft()
            if session.worker.me in self.drivers:
                self.run(session, run, reraise=True)
        else:
            return False
        return True


@hookimpl
def freehold_start(options: Options) -> Session:
    """Start the nodes and return the program's session."""
    seed = int(os.environ.get("FREEHOLD_SEED", "0"))
    capacity = options.object_store_memory or STORE_NBYTES
    world = Shuffled(seed, replace(options.policy, cpu_back="end"), capacity, options.trace)
    world.start_nodes(capacity, [{"CPU": options.num_cpus or 2.0, **options.resources}] * options.nodes())
    while world.posts:
        world.turn()
    return world.sessions[worker_id(HEAD, 1)]
