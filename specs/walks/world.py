"""A cluster without drivers: real parties, a list for each ordered pair of them, and nothing that decides when.

What a driver would perform becomes an entry of a list: a message on its way, an answer that is due, a timer that
is set, a task that runs.  Whoever uses this world picks the next entry, so that every order which the transport
contract allows can be tried.  Between two parties messages arrive in order; everything else may overtake.

This file refuses to know what user code does and which order is likely.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from freehold.core.effects import (
    CancelTimer,
    Effect,
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
from freehold.core.events import Event, Moved
from freehold.core.ids import HEAD, is_node, node_id, node_of, object_name, party_name, worker_id
from freehold.core.node import Node
from freehold.core.node_events import PeerLost, Reserved, ReserveFailed
from freehold.core.node_messages import ChunkReply, NodeNotice
from freehold.core.party import Party
from freehold.core.policies import DEFAULT, Policy
from freehold.core.queries import landing
from freehold.core.strides import NONE
from freehold.core.task_events import OfficeOpened, WorkerStarted
from freehold.core.values import Failure, Shape
from freehold.core.worker import Worker
from freehold.specs.records import hears_well


class Violation(AssertionError):
    """A property does not hold.  The message says which, and of what."""


class World:
    """Parties, and what is on its way between them.

    Args:
        policy: the rules that all parties play by.
        capacity: bytes of each object store.
    """

    strides = True  # whether workers may take short cuts, which know nothing of changed tables

    def __init__(self, policy: Policy = DEFAULT, capacity: int = 1 << 30) -> None:
        self.policy = policy
        self.capacity = capacity
        self.parties: dict[int, Party] = {}
        self.channels: dict[tuple[int, int], list[tuple[int, Event]]] = {}  # (source, target) -> (cause, event)
        self.answers: dict[int, list[tuple[int, Event]]] = {}  # party -> what its driver owes it; any may be next
        self.timers: dict[tuple[int, int], Event] = {}  # (party, number) -> event
        self.links: dict[int, set[int]] = {}  # party -> peers that will hear of its death
        self.cuts: set[tuple[int, int]] = set()  # pairs whose link is broken for ever, both ways round
        self.stores: dict[int, dict[int, Stored]] = {}  # node -> place -> bytes
        self.writes: dict[tuple[int, int], tuple[int, Any]] = {}  # (worker, attempt) -> place, token
        self.started: dict[int, int] = {}  # node -> workers that have been started there, programs among them
        self.ordered: dict[int, list[int]] = {}  # node -> workers that it has started itself
        self.moved: set[int] = set()  # who was told something since somebody looked
        self.numbers = 0
        self.log: Callable[[str], None] | None = None

    # ------------------------------------------------------------------ parties

    def add_node(self, index: int, resources: Shape, workers: int) -> Node:
        """Add a node that starts some workers; the head node hears of it."""
        me = node_id(index)
        node = Node(me, self.capacity, resources, self.policy)
        self.parties[me], self.stores[me], self.links[me] = node, {}, set()
        if me != HEAD:
            self.link(me, HEAD)
        self.tell(HEAD, NodeNotice(((me, resources),)))
        self.tell(me, OfficeOpened(workers))
        return node

    def add_worker(self, node: int) -> Worker:
        """Add a worker; the caller tells its node."""
        self.started[node] = self.started.get(node, 0) + 1
        worker = self.new_worker(worker_id(node, self.started[node]))
        self.parties[worker.me], self.links[worker.me] = worker, set()
        self.link(worker.me, node)
        return worker

    def new_worker(self, me: int) -> Worker:
        """Make a worker."""
        worker = Worker(me, self.policy)
        if not self.strides:
            worker.strides = NONE
        return worker

    def add_program(self, node: int) -> Worker:
        """Add a worker that is a user's program."""
        worker = self.add_worker(node)
        self.owe(node, WorkerStarted(worker.me, False))
        return worker

    def link(self, a: int, b: int) -> None:
        """Note that two parties have a connection."""
        self.links[a].add(b)
        self.links[b].add(a)

    def crash(self, party: int, keep: Callable[[int], int]) -> None:
        """Let a party die; a node takes its workers along.

        Args:
            party: who dies.
            keep: how many of so many messages on their way from it to one peer still arrive.
        """
        if is_node(party):
            for other in [p for p in self.parties if p != party and node_of(p) == party]:
                self.crash(other, keep)
        if self.parties.pop(party, None) is None:
            return
        if self.log is not None:
            self.log(f"{party_name(party)} dies")
        self.answers.pop(party, None)
        self.stores.pop(party, None)
        for key in [key for key in self.timers if key[0] == party]:
            del self.timers[key]
        for key in [key for key in self.channels if key[1] == party]:
            del self.channels[key]
        for peer in sorted(self.links.pop(party)):
            if peer in self.parties:
                self.links[peer].discard(party)
                waiting = self.channels.setdefault((party, peer), [])
                del waiting[keep(len(waiting)) :]
                waiting.append((0, PeerLost(party)))
        self.died(party)

    def cut(self, a: int, b: int, keep: Callable[[int], int]) -> None:
        """Break the link of two parties, for ever; both are told that they have lost each other.

        Args:
            a: one of them; neither may be the node of the other, or the head node: who loses these is dead.
            b: the other.
            keep: how many of so many messages on their way from one to the other still arrive.
        """
        if self.log is not None:
            self.log(f"{party_name(a)} and {party_name(b)} lose each other")
        for source, target in ((a, b), (b, a)):
            self.cuts.add((source, target))
            self.links[source].discard(target)
            waiting = self.channels.setdefault((source, target), [])
            del waiting[keep(len(waiting)) :]
            waiting.append((0, PeerLost(source)))

    # ------------------------------------------------------------------ what happens next

    def tell(self, party: int, *events: Event, cause: int = 0) -> None:
        """Hand events to a party and perform what it asks for; the dead hear nothing."""
        for event in events:
            if party not in self.parties:
                return
            if self.log is not None:
                self.log(f"{party_name(party)} <- {event}")
            self.moved.add(party)
            for what in hears_well(self.parties[party], event):
                raise Violation(what)
            if type(event) is ChunkReply:
                self.land(party, event)
            for step, effect in self.handle(self.parties[party], event, cause):
                if party in self.parties:  # it may end itself
                    self.perform(party, step, effect)

    def handle(self, party: Party, event: Event, cause: int) -> list[tuple[int, Effect]]:
        """Let a party take its steps."""
        return party.handle(event, 0.0, cause)

    def owe(self, party: int, event: Event, cause: int = 0) -> None:
        """Note that a party's driver has something to tell it."""
        self.answers.setdefault(party, []).append((cause, event))

    def deliver(self, source: int, target: int) -> None:
        """Deliver the first message of a pair."""
        waiting = self.channels[source, target]
        cause, event = waiting.pop(0)
        if not waiting:
            del self.channels[source, target]
        self.tell(target, event, cause=cause)

    def answer(self, party: int, index: int) -> None:
        """Tell a party one of the things that its driver owes it; bytes that it writes are written now."""
        owed = self.answers[party]
        cause, event = owed.pop(index)
        if not owed:
            del self.answers[party]
        if type(event) is Moved:
            place, token = self.writes.pop((party, event.attempt))
            stored = self.stores[node_of(party)].get(place)
            if stored is None or stored.object != event.object:
                raise Violation(f"{party_name(party)} writes {object_name(event.object)} into bytes that are not its")
            stored.token, stored.arrived = token, {*range(stored.nbytes)}
        self.tell(party, event, cause=cause)

    def fire(self, party: int, timer: int) -> None:
        """Let a timer fire."""
        self.tell(party, self.timers.pop((party, timer)))

    def quiet(self) -> bool:
        """Tell whether nothing is on its way; timers may be set."""
        return not self.channels and not self.answers

    # ------------------------------------------------------------------ effects

    def perform(self, me: int, step: int, effect: Effect) -> None:
        """Turn an effect into an entry of some list."""
        match effect:
            case Send(target, message):
                self.send(me, target, step, message)
            case SetTimer(timer, _, event):
                self.timers[me, timer] = event
            case CancelTimer(timer):
                self.timers.pop((me, timer), None)
            case Settle(request, failure):
                self.settled(me, request, failure)
            case Run():
                self.begin(me, effect)
            case Interrupt(task):
                self.interrupted(me, task)
            case Spawn():
                worker = self.add_worker(me).me
                self.ordered.setdefault(me, []).append(worker)
                self.owe(me, WorkerStarted(worker), step)
            case Kill(worker):
                self.crash(worker, lambda waiting: waiting)
            case Reserve():
                self.reserve(me, step, effect)
            case Move():
                self.move(me, step, effect)
            case Release(object, place, nbytes):
                self.release(me, object, place, nbytes)

    def send(self, me: int, target: int, step: int, message: Event) -> None:
        """Put a message behind those of its pair; one to the dead comes back as the news of the death."""
        if target not in self.parties or (me, target) in self.cuts:
            self.channels.setdefault((target, me), []).append((0, PeerLost(target)))
            return
        self.link(me, target)
        self.channels.setdefault((me, target), []).append((step, message))

    def reserve(self, me: int, step: int, effect: Reserve) -> None:
        """Set bytes aside."""
        used = sum(stored.nbytes for stored in self.stores[me].values())
        if used + effect.nbytes > self.capacity:
            self.owe(me, ReserveFailed(effect.attempt), step)
            return
        self.numbers += 1
        self.stores[me][self.numbers] = Stored(effect.object, effect.nbytes)
        self.owe(me, Reserved(effect.attempt, self.numbers), step)

    def move(self, me: int, step: int, effect: Move) -> None:
        """Begin to write a payload, or send a chunk; its bytes are read here and now."""
        if effect.payload is not None:
            self.writes[me, effect.attempt] = effect.place, effect.payload.token
            self.owe(me, Moved(effect.object, effect.attempt), step)
            return
        stored = self.stores[me].get(effect.place)
        if stored is None or stored.object != effect.object or not stored.arrived.issuperset(span(effect)):
            raise Violation(f"{party_name(me)} sends a chunk of {object_name(effect.object)} that it has not")
        chunk = ChunkReply(effect.object, effect.attempt, effect.offset, effect.nbytes)
        if coming := self.coming(effect.target, chunk):
            coming.token = stored.token
        self.send(me, effect.target, step, chunk)

    def coming(self, node: int, chunk: ChunkReply) -> Stored | None:
        """Return the bytes of which a chunk is a part, unless their transfer is over."""
        target = self.parties.get(node)
        if not isinstance(target, Node) or landing(target, chunk) is None:
            return None
        return self.stores[node][target.copies[chunk.object].place]

    def land(self, node: int, chunk: ChunkReply) -> None:
        """Note that a chunk has come; from another source all come anew."""
        coming = self.coming(node, chunk)
        if coming is not None and not chunk.failed:
            if coming.attempt != chunk.attempt:
                coming.attempt, coming.arrived = chunk.attempt, set()
            coming.arrived.update(span(chunk))

    def release(self, me: int, object: int, place: int, nbytes: int) -> None:
        """Give bytes back."""
        stored = self.stores[me].pop(place, None)
        if stored is None or (stored.object, stored.nbytes) != (object, nbytes):
            raise Violation(f"{party_name(me)} releases {nbytes} B of {object_name(object)} that are not reserved")
        self.released(me, place)

    # ------------------------------------------------------------------ what user code is told

    def begin(self, me: int, run: Run) -> None:
        """A task begins to run on a worker."""

    def interrupted(self, me: int, task: int) -> None:
        """A running task is interrupted."""

    def settled(self, me: int, request: int, failure: Failure | None) -> None:
        """A call may return."""

    def released(self, node: int, place: int) -> None:
        """Bytes have been given back."""

    def died(self, party: int) -> None:
        """A party has died."""


class Stored:
    """Bytes that are set aside for a copy; the token stands for their content."""

    def __init__(self, object: int, nbytes: int) -> None:
        self.object = object
        self.nbytes = nbytes
        self.arrived = set[int]()  # which of them have been written, or have come from another node
        self.attempt = 0  # in which transfer
        self.token: Any = None


def span(chunk: Move | ChunkReply) -> range:
    """Return which bytes a chunk has."""
    return range(chunk.offset, chunk.offset + chunk.nbytes)
