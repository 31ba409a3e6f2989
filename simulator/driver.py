"""A cluster in simulated time, in which a message is one event of SimPy's: its arrival.

A process does one thing after the other.  What it is told it does at once, but its time goes on for as long as that
takes: what it sends leaves later, and what it hears meanwhile it does after that.  So its own time may be ahead.

Refuses to know what messages are about, and which way they take.
"""

from __future__ import annotations

import hashlib
import time
from asyncio.events import _get_running_loop
from collections import deque
from collections.abc import Callable, Sized
from contextlib import suppress
from functools import partial
from typing import Any

from greenlet import GreenletExit

from freehold.core import cluster
from freehold.core.effects import Run, Send, Settle
from freehold.core.errors import DeadlockError, SessionError
from freehold.core.events import Event
from freehold.core.failures import exit_status
from freehold.core.hosted import Hosted, World
from freehold.core.ids import INCARNATION_BITS, node_index, object_name, party_name
from freehold.core.party import Party
from freehold.core.policies import Policy
from freehold.core.session import Session
from freehold.core.tasks import run_task, session_function
from freehold.core.values import Failure
from freehold.core.weights import nbytes_of
from freehold.simulator.clock import Clock, Happening
from freehold.simulator.loop import Loop
from freehold.simulator.programs import Strand, Strands
from freehold.simulator.world.costs import NOTHING
from freehold.simulator.world.description import Description, graph_of
from freehold.simulator.world.hosts import Host
from freehold.simulator.world.network import Network
from freehold.simulator.world.topology import Topology
from freehold.simulator.world.units import shown

AHEAD = 0.001  # seconds: a program whose own time is further ahead than this lets the others catch up


class Message(Happening):
    """A message on its way, from the moment it is sent: its arrival is the event."""

    __slots__ = ("cause", "event", "target")

    def __init__(self, callbacks: tuple[Callable[[Any], None], ...], target: int, event: Event, cause: int) -> None:
        self.callbacks = callbacks
        self.target = target
        self.event = event
        self.cause = cause


class Timer(Message):
    """A message to oneself that can be cancelled."""

    __slots__ = ("number",)
    number: int


class Hosts(dict[int, Host]):
    """The machine of each party.

    Args:
        description: which nodes share one.
    """

    def __init__(self, description: Description) -> None:
        self.machine = description.machine
        self.local = description.costs.local
        self.all: dict[int, Host] = {}

    def __missing__(self, party: int) -> Host:
        index = node_index(party) // self.machine.nodes
        host = self.all.get(index)
        if host is None:
            host = self.all[index] = Host(f"host{index}", self.machine.cores, self.machine.memory, self.local)
        self[party] = host
        return host


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
        self.costs = NOTHING
        self.begun = False
        self.hosts = Hosts(description)
        topology = Topology(graph_of(description))
        contention = description.network.contention
        hosts = self.hosts.__getitem__ if description.machine.nodes > 1 else None
        self.network = Network(self.clock, topology, hosts, policy.seed, contention=contention)
        self.began = time.perf_counter()
        self.timers: dict[tuple[int, int], Timer] = {}
        self.ends: dict[int, float] = {}  # of the dead: the times up to which they have done something
        self.arriving = (self.arrive,)
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
            self.network.arrive((source, target), at, Message(self.answering, target, event, cause))
        elif sender is not None:
            self.convey(sender, target, cause, event, nbytes)
        else:  # of its death its peers hear behind what it has said
            self.bring(source, target, self.ends.get(source, self.clock.now), nbytes, event, cause)

    def convey(self, sender: Simulator, target: int, cause: int, event: Event, nbytes: int) -> None:
        """Let a party that lives send a message."""
        self.bring(sender.party.me, target, sender.spend(self.costs.send), nbytes, event, cause)

    def bring(self, source: int, target: int, at: float, nbytes: int, event: Event, cause: int) -> None:
        """Bring a message that leaves at a time to its target."""
        message = Message(self.arriving, target, event, cause)
        if source >> INCARNATION_BITS == target >> INCARNATION_BITS or not self.begun:
            self.network.arrive((source, target), at + self.costs.local, message)
        else:
            self.network.carry(source, target, at, nbytes, message)

    def arrive(self, message: Message) -> None:
        """Hand a message to its target, if it lives."""
        driver = self.drivers.get(message.target)
        if driver is not None:
            driver.spend(self.costs.receive)
            self.deliver(message.target, message.event, message.cause)

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
            self.deliver(timer.target, timer.event)

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
        with suppress(Exception):  # run_task meets it again, and reports it
            self.on_task(session_function(session, run.description.function))
        try:
            run_task(session, run, driver.now)  # the time that it has spent is its own
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
        waits = []
        for me, driver in self.drivers.items():
            for request in driver.waiting if isinstance(driver, Simulator) else ():
                who = driver.session.task_name if driver.session and driver.session.task else "the program"
                objects = driver.party.tables["request"][request].objects
                waits.append(f"{who} on {party_name(me)} waits for {', '.join(map(object_name, objects[:3]))}")
        return DeadlockError("nothing can happen any more: " + ("; ".join(waits) or "nobody waits for an object"))

    # ------------------------------------------------------------------ who lives

    def start_node(self, capacity: int, resources: dict[str, float]) -> int:
        self.network.topology.join(self.nodes_started, max(0, self.nodes_started - 1))
        return super().start_node(capacity, resources)

    def built(self) -> None:
        """Let the cluster come to rest, in no time; from here on everything takes time."""
        while self.clock.peek() <= self.clock.now:
            self.clock.step()
        self.costs, self.begun = self.description.costs, True

    def remove(self, party: int) -> None:
        session, driver = self.sessions.get(party), self.drivers.get(party)
        if driver is not None:
            self.ends[party] = driver.now()
            self.network.forget(party)
        super().remove(party)
        if session is not None:
            self.strands.doom(session)

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


class Simulator(Hosted):
    """The driver of one party: who waits here is parked, and calls that fall due are made by strands."""

    world: Simulated

    def __init__(self, world: Simulated, party: Party) -> None:
        super().__init__(world, party)
        self.machine = world.hosts[party.me]
        self.until = 0.0  # it has something to do up to here
        self.calls = 0  # that have fallen due
        self.waiting: dict[int, Strand] = {}  # request -> who is parked until it is settled
        self.runs: deque[Run] = deque()  # tasks that may begin
        self.body: Strand | None = None  # who runs them

    def now(self) -> float:
        """Return its own time: it may be ahead."""
        now = self.world.clock._now
        return self.until if self.until > now else now

    def spend(self, seconds: float) -> float:
        """Be busy for some time, after whatever it is busy with; return until when."""
        until, now = self.until, self.world.clock._now
        if until < now:
            costs = self.world.costs
            until = now + costs.wake if until + costs.spin < now else now
        self.until = until = self.machine.run(until, seconds) if self.machine.free else until + seconds
        return until

    def send(self, step: int, effect: Send) -> None:
        """As everybody, but quicker to parties that are known to live: most are."""
        target, world = effect.target, self.world
        if target not in world.links[self.party.me]:
            super().send(step, effect)
            return
        world.convey(self, target, step, effect.message, self.packed(effect.message))

    def packed(self, message: Any) -> int:
        nbytes = nbytes_of(message)
        self.spend(nbytes * self.world.costs.pickle)
        return nbytes

    def settle(self, step: int, effect: Settle) -> None:
        hear = self.listeners.pop(effect.request, None)
        if hear is not None:
            hear(effect.failure)
            for strand in self.waiting.values():  # they see for themselves whether it is what they wait for
                self.world.strands.wake(strand)
            return
        self.settled[effect.request] = effect.failure
        waiting = self.waiting.pop(effect.request, None)
        if waiting is not None:
            self.world.strands.wake(waiting)

    def later(self, call: Callable[[], None]) -> None:
        assert self.session is not None
        self.calls += 1
        self.world.strands.start(self.session, partial(self.make, call))

    def make(self, call: Callable[[], None]) -> None:
        """Make a call that has fallen due."""
        self.calls -= 1
        call()

    def tell(self, *events: Event) -> None:
        strands = self.world.strands
        strands.count()
        if self.party.me in self.world.drivers:
            strands.check()
            strands.telling = True
            try:
                if events:
                    self.spend(self.world.costs.call)
                super().tell(*events)
            finally:
                strands.told()
            if self.until - self.world.clock.now > AHEAD:
                strands.catch_up()
        elif strands.running is strands.program:
            raise SessionError("the head node of the cluster has died")
        elif strands.running is not None:
            raise GreenletExit  # a task whose worker is dead says nothing more

    def summary(self) -> str:
        world = self.world
        wall = time.perf_counter() - world.began
        rate = world.clock.pushed / wall
        return f"simulated {shown(world.clock.now, 's')} in {shown(wall, 's')}: {rate:,.0f} events a second"

    def close(self) -> None:
        """End the simulation; a task that leaves the cluster ends its worker."""
        program = self.world.strands.program
        if program is None or program.session is self.session:
            self.world.close()
            return
        self.world.remove(self.party.me)
        raise GreenletExit
