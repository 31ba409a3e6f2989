"""Users that are scripts instead of programs: for workloads of a million calls on ten thousand nodes.

Functions are scripts, too, which a task's worker finds by name.  All else is as for programs: the parties are the same,
and so is what everything costs.

Refuses to know what a workload is for, and what is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any

from freehold.core.effects import Interrupt, Move, Run, Settle
from freehold.core.errors import DeadlockError
from freehold.core.events import (
    Event,
    GetWanted,
    Moved,
    PutWanted,
    RefCreated,
    RefDropped,
    RefsFound,
    RefsHeld,
    ViewDropped,
    ViewTaken,
)
from freehold.core.hosted import Hosted
from freehold.core.ids import node_id, object_id, worker_id
from freehold.core.party import Party
from freehold.core.policies import DEFAULT, Policy
from freehold.core.queries import Held, readable
from freehold.core.task_events import RunEnded, TaskSubmitted, WorkerStarted
from freehold.core.values import Description as Task
from freehold.core.values import Failure, Shape, Slot
from freehold.core.worker import Worker
from freehold.simulator.clock import EmptySchedule, Happening, uncollected
from freehold.simulator.cluster import Simulated
from freehold.simulator.deadlocks import Wait, deadlock, missing, who
from freehold.simulator.driver import Simulator
from freehold.simulator.scripts import ONE_CPU, Body, Script, stand_in
from freehold.simulator.world.description import Description
from freehold.simulator.world.meter import Meter

FUNCTION_BYTES = 700  # of a small function's pickle
REQUESTS = 1 << 35  # requests are numbered apart from what a party mints: both name timers


class Turn(Happening):
    """A script goes on."""

    __slots__ = ("answer", "thread")

    def __init__(self, callbacks: tuple[Callable[[Turn], None], ...], thread: Thread, answer: Any = None) -> None:
        self.callbacks = callbacks
        self.thread = thread
        self.answer = answer


class Thread:
    """A script that runs at a worker.

    Args:
        user: whose.
        script: what it does.
        run: the task whose body it is, if it is one.
    """

    __slots__ = ("began", "run", "script", "user")

    def __init__(self, user: User, script: Script, run: Run | None = None) -> None:
        self.user = user
        self.script = script
        self.run = run
        self.began = user.now()


class Users(Simulated):
    """A simulated cluster whose users are scripts.

    Args:
        description: the cluster.
        policy: the rules of all parties.
        functions: what tasks do, by name.
    """

    def __init__(
        self, description: Description, policy: Policy = DEFAULT, functions: dict[str, Body] | None = None
    ) -> None:
        super().__init__(policy, int(description.store), description)
        self.functions = functions or {}
        self.threads: dict[Thread, None] = {}  # that are not over
        self.going_on = (self.go_on,)

    def driver(self, party: Party) -> User:
        return User(self, party)

    def settle_in(self, party: Worker, driver: Hosted) -> None:
        """There is no user code that would need anything."""

    def user(self, party: int) -> User:
        """Return a worker's user."""
        found = self.drivers[party]
        assert isinstance(found, User)
        return found

    def populate(self, *, tasks: bool = True, idle_head: bool = False) -> list[User]:
        """Start all nodes, in no time; return the user of the first worker of each.

        Args:
            tasks: whether tasks are to run; else nodes need not know of each other, each of which takes memory.
            idle_head: whether no task runs on the first node.
        """
        nodes = range(self.description.nodes)
        if tasks:
            cpus = {"CPU": self.description.cpus}
            self.start_nodes(self.capacity, [{} if idle_head and not index else cpus for index in nodes])
        else:
            for index in nodes:
                self.add_node(node_id(index), self.capacity, ())
                self.add_worker(node_id(index))
        self.built()
        return [self.user(worker_id(node_id(index), 1)) for index in nodes]

    def join(self, index: int) -> User:
        """Start a process on a node, which runs a script; no task is ever given to it."""
        worker = self.add_worker(node_id(index))
        self.deliver(node_id(index), WorkerStarted(worker, False))
        return self.user(worker)

    def start(self, user: User, script: Script, run: Run | None = None, after: float = 0.0) -> None:
        """Let a script begin at a worker."""
        thread = Thread(user, script, run)
        self.threads[thread] = None
        self.plan(thread, user.now() + after)

    def plan(self, thread: Thread, at: float, answer: Any = None) -> None:
        """Let a script go on at a time; the seed says who is first of those that do so at one instant."""
        turn = hash((self.policy.seed, thread.user.party.me, at))
        self.clock.push(at, turn, Turn(self.going_on, thread, answer))

    def go_on(self, turn: Turn, *, due: bool = False) -> None:
        """Let a script do what it does until it waits again, when its worker has a core (``due``)."""
        thread = turn.thread
        user = thread.user
        if user.shares and not due:
            user.take(partial(self.go_on, turn, due=True))
            return
        if thread not in self.threads:
            return  # its worker has died
        user.thread = thread
        try:
            waits = thread.script.send(turn.answer)
        except StopIteration as end:
            del self.threads[thread]
            if thread.run is not None:
                user.tell(user.ended(thread, end.value))
            return
        finally:
            user.thread = None
        if isinstance(waits, float):
            self.plan(thread, user.now() + waits)
        else:
            user.asked(waits, thread)

    def remove(self, party: int) -> None:
        for thread in [thread for thread in self.threads if thread.user.party.me == party]:
            del self.threads[thread]
        super().remove(party)

    def run_all(self) -> None:
        """Let time pass until all scripts are over.

        Raises:
            DeadlockError: nothing can happen any more, and somebody waits.
        """
        step = self.clock.step
        try:
            with uncollected():
                while self.threads:
                    step()
        except EmptySchedule:
            raise self.deadlock() from None

    def deadlock(self) -> DeadlockError:
        waits = []
        for thread in self.threads:
            worker, task = thread.user.worker, thread.run.task if thread.run is not None else 0
            objects = missing(worker, thread.user.awaited_by(thread))
            waits.append(Wait(who(worker, task, "a script"), task, objects, "an answer that nobody gives"))
        return deadlock(waits, self.drivers)


class User(Simulator):
    """A worker's user: what scripts do here."""

    world: Users
    thread: Thread | None = None  # that runs now

    def __init__(self, world: Users, party: Party) -> None:
        super().__init__(world, party)
        if isinstance(party.watch, Meter):
            party.watch.other = None
        else:
            party.watch = None
        self.minted = 0
        self.requested = REQUESTS
        self.answers: dict[int, Thread] = {}  # request -> who waits for it
        self.functions: dict[str, int] = {}  # name -> object

    # ------------------------------------------------------------------ what scripts do

    def mint(self, count: int = 1) -> int:
        """Return the first of some new names."""
        self.minted += count
        return object_id(self.party.me, self.minted - count + 1)

    def request(self) -> int:
        """Return a number for a call that waits."""
        self.requested += 1
        return self.requested

    def put(self, nbytes: int, refs: Sequence[int] = ()) -> Generator[int, Any, int]:
        """Put a value of some size; return its object."""
        object, payload = self.mint(), stand_in(nbytes, refs)
        if nbytes <= self.party.policy.inline_bytes_max:
            self.tell(RefCreated(object, payload))
            return object
        request = self.request()
        self.tell(PutWanted(request, object, self.task), RefCreated(object, payload, request))
        yield request
        return object

    def get(self, *objects: int) -> Generator[int, Any, Failure | None]:
        """Wait for values, and read them; return the first failure."""
        worker = self.worker
        missing = tuple([object for object in objects if readable(worker, object) is None])
        if missing:
            request = self.request()
            self.tell(GetWanted(request, missing, len(missing), task=self.task))
            yield request
        for object in objects:
            found = readable(worker, object)
            if isinstance(found, Failure):
                return found
            if isinstance(found, Held):
                self.drive(ViewTaken(object))
                self.drive(ViewDropped(object))
        return None

    def hold(self, *objects: int) -> None:
        """Keep references that have come with a task."""
        self.tell(RefsHeld(objects))

    def find(self, outer: int, *objects: int) -> None:
        """Take references out of a value."""
        self.tell(RefsFound(outer, objects))

    def drop(self, *objects: int) -> None:
        """Let references go."""
        self.tell(*[RefDropped(object) for object in objects])

    def submit(
        self,
        name: str,
        nbytes: int = 50,
        refs: Sequence[int] = (),
        values: Sequence[int] = (),
        returns: int = 1,
        shape: Shape = ONE_CPU,
        retries: int = 3,
    ) -> int:
        """Submit a task; return the first of its returns, which follow each other."""
        function = self.functions.get(name)
        if function is None:
            function = self.functions[name] = self.mint()
            self.tell(RefCreated(function, stand_in(FUNCTION_BYTES)))
        task, slots = self.mint(max(returns, 1)), tuple([Slot(value) for value in values])
        self.tell(
            TaskSubmitted(task, Task(task, function, name, stand_in(nbytes, refs), slots, returns), shape, retries)
        )
        return task

    # ------------------------------------------------------------------ what the driver does with it

    @property
    def worker(self) -> Worker:
        """The worker."""
        assert isinstance(self.party, Worker)
        return self.party

    @property
    def task(self) -> int:
        """The task that runs now, 0 if none does."""
        return self.thread.run.task if self.thread is not None and self.thread.run is not None else 0

    def tell(self, *events: Event) -> None:
        if self.party.me in self.world.drivers and events:
            self.called(events[0])
            for event in events:
                self.drive(event)

    def asked(self, request: int, thread: Thread) -> None:
        """Note who waits for a request, which may have been settled already."""
        if request in self.settled:
            self.world.plan(thread, self.now(), self.settled.pop(request))
        else:
            self.answers[request] = thread

    def awaited_by(self, thread: Thread) -> tuple[int, ...]:
        """Return the objects that a script waits for."""
        requests = [self.worker.requests.get(request) for request, other in self.answers.items() if other is thread]
        return tuple([object for request in requests if request is not None for object in request.objects])

    def settle(self, step: int, effect: Settle) -> None:
        thread = self.answers.pop(effect.request, None)
        if thread is None:
            self.settled[effect.request] = effect.failure
        else:
            self.world.plan(thread, self.now(), effect.failure)

    def run(self, step: int, effect: Run) -> None:
        self.spend(self.world.costs.run)
        body = self.world.functions[effect.description.name]
        self.world.start(self, body(self, effect.description), effect)

    def move(self, step: int, effect: Move) -> None:
        if effect.payload is None:
            super().move(step, effect)
        else:  # a stand-in has no bytes to be written
            me = self.party.me
            self.world.post(me, me, step, Moved(effect.object, effect.attempt), effect.nbytes)

    def interrupt(self, step: int, effect: Interrupt) -> None:
        """Scripts cancel nothing."""

    def ended(self, thread: Thread, returned: Any) -> RunEnded:
        """Return the news that a task's body is over."""
        assert thread.run is not None
        values = returned if isinstance(returned, list) else [returned] * thread.run.description.returns
        outcomes = [stand_in(*value) if isinstance(value, tuple) else stand_in(int(value or 0)) for value in values]
        return RunEnded(thread.run.task, thread.run.attempt, tuple(outcomes), self.now() - thread.began)
