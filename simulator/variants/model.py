"""A cluster under another protocol, as a model: messages, what they cost, and who waits; no parties, no programs.

Scripts (``scripts.py``) find the same calls here as on freehold's own protocol.  What a call leads to is a *life*, a
process of SimPy's that goes from one process of the cluster to the next; which ones it visits a scheme says
(``schemes.py``).  A store holds all values, and a task runs where its shape pins it (``node:3``), else at the node that
has the fewest tasks, as soon as all arguments are there.

Refuses to know which protocol it is, and what is measured.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from typing import Any

from simpy import Event, Interrupt, Process, Store
from simpy.core import EmptySchedule

from freehold.core.errors import DeadlockError
from freehold.core.ids import INCARNATION_BITS, node_id, node_index, node_of, object_id, object_name, worker_id
from freehold.core.values import Description as Task
from freehold.core.values import Shape, Slot
from freehold.simulator.clock import Clock, Happening
from freehold.simulator.scripts import ONE_CPU, Body, Script, stand_in
from freehold.simulator.world.description import Crash, Description, graph_of
from freehold.simulator.world.network import Network
from freehold.simulator.world.topology import Topology

CONTROL_BYTES = 200  # of a message that carries no value
Life = Generator[Event, Any, Any]


class Arrival(Happening):
    """A message arrives; a life may wait for it."""

    __slots__ = ()

    def __init__(self) -> None:
        self.callbacks = []


class Server:
    """A process of the cluster, which does one thing after the other."""

    def __init__(self, world: Modelled, me: int) -> None:
        self.world = world
        self.me = me
        self.node = node_of(me)
        self.until = 0.0  # it has something to do up to here

    def now(self) -> float:
        """Return its own time: it may be ahead."""
        return max(self.until, self.world.clock.now)

    def spend(self, seconds: float) -> Event:
        """Be busy for some time, after whatever it is busy with; return its end."""
        self.until = self.now() + seconds
        return self.world.clock.timeout(self.until - self.world.clock.now)


class Value:
    """An object: where copies of it are, and how it came about."""

    def __init__(self, world: Modelled, name: int, made_by: Errand | None = None) -> None:
        self.name = name
        self.made_by = made_by
        self.nbytes = 0
        self.copies: set[int] = set()  # nodes
        self.there = Event(world.clock)  # it was computed, once
        self.again: Process | None = None  # it is being computed again


class Errand:
    """A task, and who wants it done."""

    def __init__(self, caller: Caller, task: Task, values: list[Value], shape: Shape) -> None:
        self.caller = caller
        self.task = task
        self.arguments = values
        self.shape = shape
        self.returns: list[Value] = []


class Modelled(ABC):
    """A cluster, and the protocol by which it runs tasks.

    Args:
        description: nodes, network, costs, and nodes that crash.
        functions: what tasks do, by name.
    """

    def __init__(self, description: Description, functions: dict[str, Body] | None = None) -> None:
        self.description = description
        self.costs = description.costs
        self.functions = functions or {}
        self.clock = Clock(0.0)
        topology = Topology(graph_of(description), description.network.flow)
        self.network = Network(self.clock, topology, None, 0, contention=description.network.contention)
        self.values: dict[int, Value] = {}
        self.schedulers: dict[int, Server] = {}
        self.workers: dict[int, Store] = {}  # of each node, those that are idle
        self.load: dict[int, int] = {}  # of each node: tasks that run there, or are to
        self.homes: list[int] = []  # where tasks run that do not say where
        self.started: dict[int, int] = {}
        self.living: dict[int, dict[Process, None]] = {}  # what is lost with a node
        self.scripts = 0  # that are not over

    # ------------------------------------------------------------------ what a scheme says

    @abstractmethod
    def placed(self, errand: Errand, node: int) -> Life:
        """Let a node know of a task."""

    @abstractmethod
    def known(self, errand: Errand, node: int) -> Life:
        """Let whoever asks for what a task has returned find it."""

    @abstractmethod
    def lookup(self, here: Server) -> Life:
        """Find out where a value is."""

    @abstractmethod
    def overdue(self) -> float:
        """Return the seconds that pass until somebody minds that no copy of a value is left."""

    # ------------------------------------------------------------------ the cluster

    def populate(self, *, idle_head: bool = False) -> list[Caller]:
        """Start all nodes; return a caller on each.

        Args:
            idle_head: whether no task runs on the first node.
        """
        for index in range(self.description.nodes):
            self.start_node(node_id(index))
        self.homes = [*self.load][idle_head:]
        for fault in self.description.faults:
            if not isinstance(fault, Crash):
                raise ValueError(f"a model knows only crashes: {fault!r}")
            self.clock.process(self.crash(fault))
        return [self.join(index) for index in range(self.description.nodes)]

    def start_node(self, node: int) -> None:
        """Start a node with its workers."""
        self.schedulers[node] = Server(self, node)
        self.load[node], self.living[node] = 0, {}
        self.workers[node] = Store(self.clock)
        for _ in range(int(self.description.cpus)):
            self.workers[node].put(self.join(node_index(node)))

    def join(self, index: int) -> Caller:
        """Start a process on a node, which runs a script."""
        node = node_id(index)
        self.started[node] = self.started.get(node, 0) + 1
        return Caller(self, worker_id(node, self.started[node]))

    def crash(self, fault: Crash) -> Life:
        """Let a node die with all copies and tasks, and another one take its place, with its name."""
        yield self.clock.timeout(fault.at)
        node = node_id(fault.node)
        for value in self.values.values():
            value.copies.discard(node)
        lost = list(self.living[node])
        self.start_node(node)
        for life in lost:
            life.interrupt()

    # ------------------------------------------------------------------ lives

    def start(self, caller: Caller, script: Script, after: float = 0.0) -> None:
        """Let a script begin at a process."""
        self.scripts += 1
        self.clock.process(self.script(caller, script, after))

    def script(self, caller: Caller, script: Script, after: float) -> Life:
        """Follow a script of the user's to its end."""
        yield self.clock.timeout(after)
        yield from self.follow(caller, script)
        self.scripts -= 1

    def follow(self, caller: Caller, script: Any) -> Life:
        """Let a script go on whenever what it waits for has come, and no sooner than what it did before is done."""
        answer = None
        while True:
            try:
                waits = script.send(answer)
            except StopIteration as end:
                yield caller.spend(0.0)
                return end.value
            answer = yield caller.spend(waits) if isinstance(waits, float) else waits

    def run_all(self) -> None:
        """Let time pass until all scripts are over.

        Raises:
            DeadlockError: nothing can happen any more, and somebody waits.
        """
        try:
            while self.scripts:
                self.clock.step()
        except EmptySchedule:
            raise DeadlockError(f"nothing can happen any more, and {self.scripts} scripts wait") from None

    def message(self, source: int, target: int, nbytes: int = CONTROL_BYTES) -> Arrival:
        """Send a message from one process to another; return its arrival."""
        arrival, now = Arrival(), self.clock.now
        if source >> INCARNATION_BITS == target >> INCARNATION_BITS:
            self.network.arrive(source, target, now + self.costs.local, arrival)
        else:
            self.network.carry(source, target, now, nbytes, arrival)
        return arrival

    def visit(self, source: Server, target: Server, seconds: float) -> Life:
        """Go from one process to another, which then is busy for some time."""
        if source is not target:
            yield self.message(source.me, target.me)
        yield target.spend(seconds)

    def live(self, errand: Errand) -> Life:
        """Have a task done, again and again if its node dies, until it is."""
        while not all(value.copies for value in errand.returns):
            node = self.place(errand)
            living = self.living[node]
            process = self.clock.active_process
            assert process is not None
            living[process] = None
            self.load[node] += 1
            try:
                yield from self.placed(errand, node)
                yield from self.fetch_all(errand.arguments, self.schedulers[node])
                yield from self.execute(errand, node)
                yield from self.known(errand, node)
            except Interrupt:
                yield self.clock.timeout(self.description.detection)
            finally:
                living.pop(process, None)
                self.load[node] -= living is self.living[node]
        for value in errand.returns:
            if not value.there.triggered:
                value.there.succeed()

    def place(self, errand: Errand) -> int:
        """Return the node on which a task is to run."""
        for name, _ in errand.shape:
            if name.startswith("node:"):
                return node_id(int(name[5:]))
        return min(self.homes, key=lambda node: (self.load[node], node))

    def execute(self, errand: Errand, node: int) -> Life:
        """Run a task at the next idle worker of a node, and keep what it returns there."""
        idle = self.workers[node]
        worker = yield idle.get()
        try:
            yield from self.visit(self.schedulers[node], worker, self.costs.run)
            returned = yield from self.follow(worker, self.functions[errand.task.name](worker, errand.task))
        finally:
            idle.put(worker)
        sizes = returned if isinstance(returned, list) else [returned] * len(errand.returns)
        for value, size in zip(errand.returns, sizes, strict=True):
            value.nbytes = int(size[0] if isinstance(size, tuple) else size or 0)
            value.copies.add(node)
            yield worker.spend(value.nbytes * self.costs.copy)

    def fetch_all(self, values: Sequence[Value], here: Server) -> Life:
        """Have copies of values at a process's node, all at once."""
        yield from [self.clock.process(self.fetch(value, here)) for value in values if here.node not in value.copies]

    def fetch(self, value: Value, here: Server) -> Life:
        """Wait for a value, and have a copy of it at a process's node."""
        yield value.there
        while here.node not in value.copies:
            if value.copies:
                yield from self.lookup(here)
                if value.copies:
                    yield self.message(min(value.copies), here.node, value.nbytes)
                    yield here.spend(value.nbytes * self.costs.copy)
                    value.copies.add(here.node)
            else:
                yield self.lost(value)

    def lost(self, value: Value) -> Process:
        """Have a value computed again of which no copy is left, once for all who want it."""
        if value.again is None or not value.again.is_alive:
            value.again = self.clock.process(self.recover(value))
        return value.again

    def recover(self, value: Value) -> Life:
        """Have it computed again, once its time is up."""
        if value.made_by is None:
            raise DeadlockError(f"{object_name(value.name)} was put, and the last copy of it is lost")
        yield self.clock.timeout(self.overdue())
        yield from self.live(value.made_by)


class Caller(Server):
    """A process that runs scripts or tasks, with the calls that scripts know."""

    def __init__(self, world: Modelled, me: int) -> None:
        super().__init__(world, me)
        self.minted = 0

    def mint(self, made_by: Errand | None = None) -> Value:
        """Return a new value."""
        self.minted += 1
        value = Value(self.world, object_id(self.me, self.minted), made_by)
        self.world.values[value.name] = value
        return value

    def put(self, nbytes: int, refs: Sequence[int] = ()) -> Generator[Event, Any, int]:
        """Put a value of some size; return its object."""
        value = self.mint()
        value.nbytes, value.copies = nbytes, {self.node}
        yield self.spend(self.world.costs.call + nbytes * self.world.costs.copy)
        value.there.succeed()
        return value.name

    def get(self, *objects: int) -> Generator[Event, Any, None]:
        """Wait for values, and read them; here nothing fails for ever."""
        self.spend(self.world.costs.call)
        yield from self.world.fetch_all([self.world.values[object] for object in objects], self)

    def hold(self, *objects: int) -> None:
        """References cost nothing here."""

    def find(self, outer: int, *objects: int) -> None:
        """References cost nothing here."""

    def drop(self, *objects: int) -> None:
        """References cost nothing here; a copy that nobody needs is in nobody's way."""

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
        world = self.world
        self.spend(world.costs.call)
        arguments = [world.values[object] for object in values]
        first = object_id(self.me, self.minted + 1)
        task = Task(first, 0, name, stand_in(nbytes, refs), tuple([Slot(object) for object in values]), returns)
        errand = Errand(self, task, arguments, shape)
        errand.returns = [self.mint(errand) for _ in range(max(returns, 1))]
        world.clock.process(world.live(errand))
        return first
