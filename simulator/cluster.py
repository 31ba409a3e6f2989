"""A cluster in simulated time, in which a message is one event of SimPy's: its arrival.

A process does one thing after the other (``driver.py``): what it sends leaves when that is done.

Refuses to know what messages are about, and which way they take.
"""

from __future__ import annotations

import hashlib
import time
from asyncio.events import _get_running_loop
from collections.abc import Callable, Sequence, Sized
from contextlib import suppress
from functools import partial
from random import Random
from typing import Any

from greenlet import GreenletExit

from freehold.core import cluster
from freehold.core.effects import Run
from freehold.core.errors import DeadlockError
from freehold.core.events import Event
from freehold.core.failures import exit_status
from freehold.core.hosted import Hosted, World
from freehold.core.ids import COUNTER_BITS, INCARNATION_BITS, node_id, node_index, node_of
from freehold.core.node_events import PeerLost
from freehold.core.node_messages import ChunkReply
from freehold.core.party import Party
from freehold.core.policies import Policy
from freehold.core.session import Session
from freehold.core.tasks import session_function
from freehold.core.values import Failure
from freehold.simulator.clock import Clock, Happening, uncollected
from freehold.simulator.deadlocks import deadlock, waits_of_programs
from freehold.simulator.driver import Simulator
from freehold.simulator.durations import Durations, run_for
from freehold.simulator.loop import Loop
from freehold.simulator.programs import Strands
from freehold.simulator.world.costs import NOTHING, Costs
from freehold.simulator.world.description import Description, graph_of
from freehold.simulator.world.faults import both_ways, needs_wires, schedule
from freehold.simulator.world.hosts import Host
from freehold.simulator.world.network import Network
from freehold.simulator.world.topology import Topology
from freehold.simulator.world.wires import Letter, Weather, Wires


class Message(Happening):
    """A message on its way, from the moment it is sent: its arrival is the event."""

    __slots__ = ("cause", "event", "nbytes", "target")

    def __init__(
        self, callbacks: tuple[Callable[[Any], None], ...], target: int, event: Event, cause: int, nbytes: int = 0
    ) -> None:
        self.callbacks = callbacks
        self.target = target
        self.event = event
        self.cause = cause
        self.nbytes = nbytes


class Timer(Message):
    """A message to oneself that can be cancelled."""

    __slots__ = ("number",)
    number: int


class Hosts(dict[int, Host]):
    """The machine of each party.

    Args:
        description: which nodes share one.
        clock: simulated time.
        seed: of what is left to chance.
    """

    def __init__(self, description: Description, clock: Clock, seed: int) -> None:
        self.clock = clock
        self.random = Random(seed)
        self.machine = description.machine
        self.local = description.costs.local
        self.costs = NOTHING
        self.all: dict[int, Host] = {}

    def __missing__(self, party: int) -> Host:
        index = node_index(party) // self.machine.nodes
        host = self.all.get(index)
        if host is None:
            machine = self.machine
            host = Host(f"host{index}", self.clock, machine.cores, machine.memory, self.local, self.random)
            host.costs = self.costs
            self.all[index] = host
        self[party] = host
        return host

    def begin(self, costs: Costs) -> None:
        """From here on it takes time to run another process, and to wake up."""
        self.costs = costs
        for host in self.all.values():
            host.costs = costs


class Simulated(World):
    """A cluster in simulated time.

    Args:
        policy: the rules of all parties; its seed also orders what happens at one instant.
        capacity: bytes of each node's object store.
        description: the cluster; what things cost holds once it is built, which takes no time.
        trace: a folder for the events of each party, "" for none.
    """

    def __init__(self, policy: Policy, capacity: int, description: Description, trace: str = "") -> None:
        self.drivers: dict[int, Simulator]  # type: ignore[assignment]
        super().__init__(hashlib.sha256(b"freehold sim %d" % policy.seed).digest()[:16], policy, capacity, trace)
        self.clock = Clock(0.0)
        self.strands = Strands(self.clock, self.deadlock, policy.seed)
        self.description = description
        self.durations = Durations(description.tasks)
        self.costs = NOTHING
        self.begun = False
        self.hosts = Hosts(description, self.clock, policy.seed)
        topology = Topology(graph_of(description), description.network.flow)
        contention = description.network.contention
        hosts = self.hosts.__getitem__ if description.machine.nodes > 1 else None
        self.network = Network(self.clock, topology, hosts, policy.seed, contention=contention)
        lossy = needs_wires(description.faults)
        self.wires = Wires(self.clock, self.network, self.hand, self.lose, policy.seed) if lossy else None
        self.began = time.perf_counter()
        self.timers: dict[tuple[int, int], Timer] = {}
        self.ends: dict[int, float] = {}  # of the dead: the times up to which they have done something
        self.silent: dict[int, float] = {}  # of those that crashed: the times at which they are missed
        self.shapes: dict[int, tuple[int, dict[str, float]]] = {}  # of nodes: capacity and resources
        self.paces: dict[int, float] = {}  # of nodes: how many times as long everything takes
        self.arriving = (self.receive,)
        self.answering = (self.answer,)
        self.firing = (self.fire,)
        self.on_task: Callable[[Any], None] = lambda function: None  # told of a task's function before it runs
        self.on_close: Callable[[], None] = lambda: None

    def driver(self, party: Party) -> Simulator:
        return Simulator(self, party)

    def now(self) -> float:
        return self.clock.now

    # ------------------------------------------------------------------ messages and timers

    def post(self, source: int, target: int, cause: int, event: Event, nbytes: int) -> None:
        sender = self.drivers.get(source)
        if source == target:  # the driver reports what came of an effect
            at = self.clock.now if sender is None else sender.spend(nbytes * self.costs.copy)
            answer = Message(self.answering, target, event, cause)
            if sender is not None and sender.shares:
                sender.take(partial(self.answer, answer))  # when it has done what the answer is about
            else:
                self.network.arrive(source, target, at, answer)
        elif sender is not None:
            self.bring(source, target, sender.spend(self.costs.send), nbytes, event, cause)
        elif source in self.silent:  # who speaks to it hears nothing, either, until it is missed
            at = max(self.clock.now, self.silent[source])
            self.network.arrive(source, target, at, Message(self.arriving, target, event, cause))
        else:  # of its death its peers hear behind what it has said
            self.bring(source, target, self.ends.get(source, self.clock.now), nbytes, event, cause)

    def bring(self, source: int, target: int, at: float, nbytes: int, event: Event, cause: int) -> None:
        """Bring a message that leaves at a time to its target."""
        if source >> INCARNATION_BITS == target >> INCARNATION_BITS or not self.begun:
            message = Message(self.arriving, target, event, cause, nbytes)
            self.network.arrive(source, target, at + self.costs.local, message)
        elif self.wires is None:
            self.network.carry(source, target, at, nbytes, Message(self.arriving, target, event, cause, nbytes))
        elif source in self.drivers:
            self.wires.send(source, target, at, Letter(event, cause, nbytes))
        else:  # the news of a death is no message of the dead
            self.network.carry(source, target, at, 0, Message(self.arriving, target, event, cause))

    def hand(self, target: int, source: int, letter: Letter) -> None:
        """Hand on what has come over wires that may lose something."""
        self.receive(Message(self.arriving, target, letter.event, letter.cause, letter.nbytes))

    def lose(self, party: int, peer: int) -> None:
        """Tell a party that the link to a peer is broken."""
        self.network.arrive(peer, party, self.clock.now, Message(self.answering, party, PeerLost(peer), 0))

    def receive(self, message: Message, *, due: bool = False) -> None:
        """Let a party take what has come, which takes it some time, if it lives, and when it has a core (``due``)."""
        driver = self.drivers.get(message.target)
        if driver is None:
            return
        if driver.shares and not due:
            driver.take(partial(self.receive, message, due=True))
            return
        costs, event, nbytes = self.costs, message.event, message.nbytes
        driver.spend(costs.receive + nbytes * (costs.copy if type(event) is ChunkReply else costs.pickle))
        self.deliver(message.target, event, message.cause)
        if driver.outbox is not None:
            driver.answered(message.cause >> COUNTER_BITS)

    def answer(self, message: Message) -> None:
        """Tell a party what came of an effect; that takes it no time."""
        self.deliver(message.target, message.event, message.cause)

    def after(self, seconds: float, target: int, timer: int, event: Event) -> None:
        at = self.drivers[target].now() + seconds
        message = self.timers[target, timer] = Timer(self.firing, target, event, 0)
        message.number = timer
        self.clock.push(at, hash((self.policy.seed, target, timer, at)), message)

    def forget(self, target: int, timer: int) -> None:
        message = self.timers.pop((target, timer), None)
        if message is not None:
            message.target = 0

    def fire(self, timer: Timer) -> None:
        """Hand a timer's event to who set it, unless it was cancelled."""
        if timer.target:
            del self.timers[timer.target, timer.number]
            driver = self.drivers.get(timer.target)
            if driver is not None:
                driver.take(partial(self.deliver, timer.target, timer.event))

    # ------------------------------------------------------------------ tasks and waiting

    def begin(self, session: Session, run: Run) -> None:
        driver = self.of(session)
        driver.spend(self.costs.run)
        driver.runs.append(run)
        if driver.body is None:
            driver.body = self.strands.start(session, partial(self.work, driver))
        elif driver.body in driver.waiting.values():  # a task of the one that waits, on its stack
            self.strands.wake(driver.body)

    def of(self, session: Session) -> Simulator:
        """Return the driver of a session."""
        assert isinstance(session.host, Simulator)
        return session.host

    def work(self, driver: Simulator) -> None:
        """Run tasks one after another, as long as there are any."""
        while driver.runs:
            self.perform(driver)
        driver.body = None

    def perform(self, driver: Simulator) -> None:
        """Run the next task's body; what would end a real process ends the worker."""
        session, run = driver.session, driver.runs.popleft()
        assert session is not None
        with suppress(Exception):  # run_for meets it again, and reports it
            self.on_task(session_function(session, run.description.function))
        try:
            run_for(driver, run, self.durations.next(run.description.name))
        except (Exception, GreenletExit):
            raise
        except BaseException as error:
            if driver.body is self.strands.program:
                raise
            if isinstance(error, SystemExit):
                self.exits[driver.party.me] = exit_status(error)
            driver.close()

    def interrupt(self, session: Session, task: int) -> None:
        self.strands.ready.append(partial(self.interrupt_now, self.of(session), task))

    def interrupt_now(self, driver: Simulator, task: int) -> None:
        """Raise KeyboardInterrupt where the worker is parked, if it is still at that task."""
        if driver.body is not None and driver.session is not None and driver.session.task == task:
            driver.session.doomed.add(task)
            self.strands.switch(driver.body, KeyboardInterrupt())

    def wake(self, request: int) -> None:
        """The driver knows who waits."""

    def block(self, driver: Hosted, request: int, came: Sized) -> Failure | None:
        assert isinstance(driver, Simulator) and self.strands.running is not None
        strand = self.strands.running
        while request not in driver.settled and not came:
            if driver.runs and driver.body is strand:
                self.perform(driver)
                continue
            driver.waiting[request] = strand
            try:
                self.strands.park()
            finally:
                driver.waiting.pop(request, None)
        return driver.settled.pop(request, None)

    def watched(self, driver: Hosted, request: int) -> None:
        """Who awaits in an event loop of real time, as in a notebook, would wait for ever: let time pass now."""
        loop = _get_running_loop()
        if loop is not None and not isinstance(loop, Loop):
            assert isinstance(driver, Simulator)
            self.strands.poll(lambda: request not in driver.listeners and not driver.calls, None)

    def settle_down(self, ready: Callable[[], bool]) -> None:
        self.strands.poll(ready, None)

    def deadlock(self) -> DeadlockError:
        """Say who waits for what."""
        return deadlock([*waits_of_programs(self)], self.drivers)

    # ------------------------------------------------------------------ who lives

    def start_nodes(self, capacity: int, resources: Sequence[dict[str, float]], beside: int | None = None) -> list[int]:
        for number, offered in enumerate(resources, self.nodes_started):
            self.network.topology.join(number, max(0, number - 1) if beside is None else beside)
            self.shapes[number] = capacity, offered
        return super().start_nodes(capacity, resources)

    def built(self) -> None:
        """Let the cluster come to rest, in no time; from here on everything takes time."""
        with uncollected():
            while self.clock.peek() <= self.clock.now:
                self.clock.step()
        self.costs, self.begun = self.description.costs, True
        self.hosts.begin(self.costs)
        schedule(self.description.faults, self.clock, self)

    def remove(self, party: int) -> None:
        session, driver = self.sessions.get(party), self.drivers.get(party)
        if driver is not None:
            self.ends[party] = driver.now()
            self.network.forget(party)
            if self.wires is not None:
                self.wires.forget(party)
        super().remove(party)
        if session is not None:
            self.strands.doom(session)

    # ------------------------------------------------------------------ what breaks

    def crash(self, node: int) -> None:
        """Let a node die, with its workers; whoever was linked with them hears of it later."""
        for party in [party for party in self.drivers if node_of(party) == node_id(node)]:
            self.silent[party] = self.clock.now + self.description.detection
        self.remove(node_id(node))

    def replace(self, node: int) -> None:
        """Let another node join that has a dead one's place."""
        capacity, resources = self.shapes[node]
        self.start_nodes(capacity, [resources], node)

    def divide(self, source: int, target: int, *, heal: bool = False) -> None:
        """Let nothing pass from one node to another any more, or (``heal``) let it pass again."""
        assert self.wires is not None
        self.wires.divide(source + 1, target + 1, heal=heal)

    def worsen(self, weather: Weather, *, over: bool = False) -> None:
        """Let frames be lost, doubled and delayed, beside what does so already, or (``over``) no more."""
        assert self.wires is not None
        self.wires.worsen(weather, over=over)

    def slow_down(self, node: int, factor: float) -> None:
        """Let everything that a node does take so many times as long as before."""
        self.paces[node] = self.paces.get(node, 1.0) * factor
        for party, driver in self.drivers.items():
            if node_index(party) == node:
                driver.pace = self.paces[node]

    def narrow(self, cable: tuple[str, str], factor: float) -> None:
        """Let a cable have so many times less bandwidth than before."""
        for link in both_ways(self.network.topology.links, cable):
            self.network.flows.change(link, link.bandwidth / factor)

    def close(self) -> None:
        """End everything; whatever a task does from here on does nothing."""
        sessions = list(self.sessions.values())
        self.end()
        self.strands.close()
        for session in sessions:
            session.closed = True
        cluster.activate(None)
        self.on_close()
        if self.strands.interrupted:  # it came amid the end
            self.strands.interrupted = False
            raise KeyboardInterrupt
