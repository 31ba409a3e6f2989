"""Several parties in one process: what the debugging backend and the simulator share.

A *world* carries messages, keeps time and runs task bodies; each party has a ``Hosted`` driver that performs its
effects in that world.  Object stores are byte strings.  Nothing here decides when anything happens.
"""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence, Sized
from typing import TYPE_CHECKING, Any

from freehold.core import cluster, serde
from freehold.core.driver import Driver, Hear, Host
from freehold.core.effects import (
    CancelTimer,
    Interrupt,
    Kill,
    Move,
    Release,
    Reserve,
    Run,
    Send,
    SetTimer,
    Settle,
    Spawn,
)
from freehold.core.events import Event, Moved, RequestAbandoned, ViewDropped, ViewTaken
from freehold.core.failures import exit_status, how_it_ended
from freehold.core.ids import HEAD, is_node, node_id, node_of, worker_id
from freehold.core.node import Node
from freehold.core.node_events import PeerLost, Reserved, ReserveFailed
from freehold.core.node_messages import ChunkReply, NodeNotice
from freehold.core.party import Party
from freehold.core.policies import Policy
from freehold.core.queries import Held, landing, readable
from freehold.core.session import Session
from freehold.core.task_events import OfficeClosed, OfficeOpened, WorkerStarted
from freehold.core.tasks import run_task
from freehold.core.trace import Ring, Step
from freehold.core.values import Failure, Shape
from freehold.core.weights import nbytes_of
from freehold.core.worker import Worker

if TYPE_CHECKING:
    from freehold.core.facts import Account


class World(ABC):
    """One process that hosts a whole cluster."""

    def __init__(self, nonce: bytes, policy: Policy, capacity: int, trace: str = "") -> None:
        self.nonce = nonce
        self.trace = trace  # a folder for the events of each party, "" for none
        self.capacity = capacity  # bytes of each node's object store, unless it is given its own
        self.policy = policy
        self.drivers: dict[int, Hosted] = {}
        self.sessions: dict[int, Session] = {}
        self.nodes_started = 0
        self.started: dict[int, int] = {}  # node -> workers it has started
        self.exits: dict[int, int] = {}  # workers that have ended -> exit status, or a signal's number below 0

    @abstractmethod
    def now(self) -> float:
        """Return the world's time in seconds."""

    @abstractmethod
    def post(self, source: int, target: int, cause: int, event: Event, nbytes: int) -> None:
        """Deliver an event to a party later, in order for each pair."""

    @abstractmethod
    def after(self, seconds: float, target: int, timer: int, event: Event) -> None:
        """Deliver an event to a party after some time, unless the timer is cancelled."""

    @abstractmethod
    def forget(self, target: int, timer: int) -> None:
        """Cancel a timer."""

    @abstractmethod
    def begin(self, session: Session, run: Run) -> None:
        """Have a task run on its worker, soon."""

    @abstractmethod
    def interrupt(self, session: Session, task: int) -> None:
        """Raise KeyboardInterrupt in a running task."""

    @abstractmethod
    def wake(self, request: int) -> None:
        """A request was settled: let who waits for it go on."""

    def watched(self, driver: Hosted, request: int) -> None:  # noqa: B027  (a world with time of its own does nothing)
        """Somebody wants to be called when a request is settled."""

    @abstractmethod
    def settle_down(self, ready: Callable[[], bool]) -> None:
        """Let time pass until something is so."""

    @abstractmethod
    def block(self, driver: Hosted, request: int, came: Sized) -> Failure | None:
        """Let time pass until a request is settled, or something has come."""

    def driver(self, party: Party) -> Hosted:
        """Return a driver for a party that joins; a world may have its own kind."""
        return Hosted(self, party)

    def add_node(self, node: int, capacity: int, resources: Shape) -> Hosted:
        """Add a node to the world; the caller tells the head node about it."""
        party = Node(node, capacity, resources, self.policy)
        self.drivers[node] = self.driver(party)
        return self.drivers[node]

    def add_worker(self, node: int) -> int:
        """Add a worker to a node, and return its name; the caller tells the node about it."""
        self.started[node] = self.started.get(node, 0) + 1
        party = Worker(worker_id(node, self.started[node]), self.policy)
        driver = self.drivers[party.me] = self.driver(party)
        driver.peers.add(node)
        self.drivers[node].peers.add(party.me)
        self.settle_in(party, driver)
        return party.me

    def settle_in(self, party: Worker, driver: Hosted) -> None:
        """Give a new worker what user code needs; a world without user code needs nothing."""
        self.sessions[party.me] = driver.session = Session(party, driver, self.nonce)

    def start_nodes(self, capacity: int, resources: Sequence[dict[str, float]]) -> list[int]:
        """Start the next nodes with their workers, on the head node first the program; return their names."""
        nodes: dict[int, Shape] = {}
        for offered in resources:
            number = self.nodes_started + len(nodes)
            nodes[node_id(number)] = shape = tuple(sorted({f"node:{number}": 1.0, **offered}.items()))
            self.add_node(node_id(number), capacity, shape)
        if not self.nodes_started:
            self.deliver(HEAD, WorkerStarted(self.add_worker(HEAD), False))
        self.nodes_started += len(nodes)
        self.deliver(HEAD, NodeNotice(tuple(nodes.items())))
        for node, shape in nodes.items():
            self.deliver(node, OfficeOpened(max(1, int(dict(shape).get("CPU", 0.0)))))
        return [*nodes]

    def remove(self, party: int) -> None:
        """Let a party die: all that it was linked with hear of it, after what it has sent."""
        for other in [p for p in self.drivers if is_node(party) and p != party and node_of(p) == party]:
            self.remove(other)
        gone = self.drivers.pop(party, None)
        self.sessions.pop(party, None)
        if gone is None:
            return
        gone.end_journal()
        for peer in sorted(gone.peers):
            if peer in self.drivers:
                self.drivers[peer].peers.discard(party)
                self.post(party, peer, 0, PeerLost(party), 0)

    def end(self) -> None:
        """Forget all parties."""
        for driver in self.drivers.values():
            driver.end_journal()
        self.drivers.clear()
        self.sessions.clear()

    def deliver(self, target: int, event: Event, cause: int = 0) -> None:
        """Hand an event to a party, if it lives."""
        driver = self.drivers.get(target)
        if driver is not None:
            driver.drive(event, cause)
            driver.drain()

    def run(self, session: Session, run: Run, *, reraise: bool = False) -> None:
        """Run a task body here and now, as its worker; ``reraise`` as for ``run_task``."""
        before = cluster.activate(session)
        try:
            run_task(session, run, self.now, reraise=reraise)
        except SystemExit as error:
            self.exits[session.worker.me] = exit_status(error)
            self.remove(session.worker.me)
        finally:
            cluster.activate(before)


class Hosted(Driver, Host):
    """The driver of one party of a world."""

    def __init__(self, world: World, party: Party) -> None:
        super().__init__(party, world.trace)
        self.world = world
        self.session: Session | None = None
        self.ring = Ring()
        party.watch = self.ring
        self.peers: set[int] = set()  # who hears of its death: those with whom it has exchanged messages
        self.places: dict[int, bytearray | bytes] = {}  # a node's object store: place -> bytes
        self.numbers = 0
        self.used = 0  # bytes of the object store that are set aside
        self.settled: dict[int, Failure | None] = {}
        self.listeners: dict[int, Hear] = {}
        self.due: list[Callable[[], None]] = []  # calls to make, after the step

    # ------------------------------------------------------------------ effects

    def now(self) -> float:
        return self.world.now()

    def send(self, step: int, effect: Send) -> None:
        me, target = self.party.me, effect.target
        peer = self.world.drivers.get(target)
        if peer is None:
            self.world.post(target, me, 0, PeerLost(target), 0)
            return
        self.peers.add(target)
        peer.peers.add(me)
        self.world.post(me, target, step, effect.message, self.packed(effect.message))

    def packed(self, message: Any) -> int:
        """Return how many bytes a message takes, once it is in the form in which it travels."""
        return nbytes_of(message)

    def set_timer(self, step: int, effect: SetTimer) -> None:
        self.world.after(effect.seconds, self.party.me, effect.timer, effect.event)

    def cancel_timer(self, step: int, effect: CancelTimer) -> None:
        self.world.forget(self.party.me, effect.timer)

    def settle(self, step: int, effect: Settle) -> None:
        hear = self.listeners.pop(effect.request, None)
        if hear is not None:
            hear(effect.failure)
            return
        self.settled[effect.request] = effect.failure
        self.world.wake(effect.request)

    def run(self, step: int, effect: Run) -> None:
        assert self.session is not None
        self.world.begin(self.session, effect)

    def interrupt(self, step: int, effect: Interrupt) -> None:
        assert self.session is not None
        self.world.interrupt(self.session, effect.task)

    def spawn(self, step: int, effect: Spawn) -> None:
        worker = self.world.add_worker(self.party.me)
        self.world.post(self.party.me, self.party.me, step, WorkerStarted(worker), 0)

    def kill(self, step: int, effect: Kill) -> None:
        self.world.exits.setdefault(effect.worker, -signal.SIGKILL)  # it may be dead already
        self.world.remove(effect.worker)

    def reserve(self, step: int, effect: Reserve) -> None:
        node = self.party
        assert isinstance(node, Node)
        if self.used + effect.nbytes > node.rooms[0].capacity:
            self.world.post(node.me, node.me, step, ReserveFailed(effect.attempt), 0)
            return
        self.numbers += 1
        self.used += effect.nbytes
        self.places[self.numbers] = self.room(effect.nbytes)
        self.world.post(node.me, node.me, step, Reserved(effect.attempt, self.numbers), 0)

    def room(self, nbytes: int) -> bytearray | bytes:
        """Return bytes to be filled."""
        return bytearray(nbytes)

    def move(self, step: int, effect: Move) -> None:
        me = self.party.me
        if effect.payload is not None:
            store = self.world.drivers[self.party.node].places
            token = effect.payload.token
            store[effect.place] = token if isinstance(token, bytes) else serde.pack(token)
            self.world.post(me, me, step, Moved(effect.object, effect.attempt), effect.nbytes)
            return
        target = self.world.drivers.get(effect.target)
        if target is None:
            self.world.post(effect.target, me, 0, PeerLost(effect.target), 0)
            return
        chunk = self.chunk(effect.place, effect.offset, effect.nbytes)
        reply = ChunkReply(effect.object, effect.attempt, effect.offset, effect.nbytes)
        target.land(reply, chunk)
        self.world.post(me, effect.target, step, reply, effect.nbytes)

    def chunk(self, place: int, offset: int, nbytes: int) -> bytes:
        """Return a part of a copy, to be sent."""
        return bytes(self.places[place][offset : offset + nbytes])

    def land(self, reply: ChunkReply, chunk: bytes) -> None:
        """Write a chunk into the place that is reserved for the copy, if it still is."""
        node = self.party
        assert isinstance(node, Node)
        if landing(node, reply) is None:
            return
        place = self.places[node.copies[reply.object].place]
        assert isinstance(place, bytearray)
        place[reply.offset : reply.offset + len(chunk)] = chunk

    def release(self, step: int, effect: Release) -> None:
        del self.places[effect.place]
        self.used -= effect.nbytes

    # ------------------------------------------------------------------ what a session needs

    def tell(self, *events: Event) -> None:
        self.drain()
        for event in events:
            self.drive(event)
            if type(event) is RequestAbandoned:
                self.settled.pop(event.request, None)  # it came between what ended the wait and the word of it
        self.drain()

    def drain(self) -> None:
        """Tell the core which references have died, and make the calls that have fallen due."""
        while self.due:
            self.due.pop(0)()
        if self.session is not None and self.session.dropped:
            for event in self.session.drops():
                self.drive(event)

    def block(self, request: int, came: Sized = ()) -> Failure | None:
        return self.world.block(self, request, came)

    def awaited(self, request: int) -> int:
        """Return the first object that a request waits for, 0 if it waits for none."""
        worker = self.party
        assert isinstance(worker, Worker)
        waiting = worker.requests.get(request)
        return waiting.objects[0] if waiting is not None else 0

    def listen(self, request: int, hear: Hear) -> None:
        self.listeners[request] = hear

    def forget(self, request: int) -> None:
        self.listeners.pop(request, None)

    def later(self, call: Callable[[], None]) -> None:
        self.due.append(call)

    def watched(self, request: int) -> None:
        self.world.watched(self, request)

    def view(self, object: int) -> memoryview | None:
        worker = self.party
        assert isinstance(worker, Worker)
        found = readable(worker, object)
        if not isinstance(found, Held):
            return None
        place, _ = found
        self.drive(ViewTaken(object))
        data = View(self.world.drivers[self.party.node].places[place])
        data.driver, data.freehold_object = self, object
        return memoryview(data).toreadonly()

    def dropped_view(self, object: int) -> None:
        if self.party.me in self.world.drivers:
            self.world.post(self.party.me, self.party.me, 0, ViewDropped(object), 0)

    def end_of(self, worker: int) -> str:
        code = self.world.exits.get(worker)
        return how_it_ended(code) if code is not None else ""

    def own_steps(self, *objects: int) -> list[Step]:
        return self.ring.steps(*objects)

    def steps(self, *objects: int) -> list[Step]:
        return [step for driver in self.world.drivers.values() for step in driver.ring.steps(*objects)]

    def accounts(self, objects: tuple[int, ...], names: tuple[int, ...]) -> tuple[list[Account], list[int]]:
        from freehold.core.account import account

        found = []
        for driver in self.world.drivers.values():
            known = driver.session and driver.session.account(objects, names)
            found.append(known or account(driver.party, driver.ring, objects, self.now()))
        return found, []

    def add_node(self, resources: dict[str, float], capacity: int | None) -> int:
        (node,) = self.world.start_nodes(capacity or self.world.capacity, [resources])
        self.world.settle_down(lambda: any(other == node for other, _ in self.party.nodes))
        return node

    def remove_node(self, node: int, graceful: bool) -> None:
        office = self.world.drivers[node].party
        assert isinstance(office, Node)
        if graceful:
            self.world.deliver(node, OfficeClosed())
            self.world.settle_down(lambda: not office.offices[0].loans)
        self.world.remove(node)
        self.world.settle_down(lambda: all(other != node for other, _ in self.party.nodes))

    def close(self) -> None:
        if self.party.me == worker_id(HEAD, 1):  # only the program ends its cluster
            self.world.end()


class View(bytearray):
    """The bytes of a copy as one get sees them; its driver hears of its end."""

    __slots__ = ("driver", "freehold_object")
    driver: Hosted
    freehold_object: int

    def __del__(self) -> None:
        self.driver.dropped_view(self.freehold_object)
