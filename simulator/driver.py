"""A process of a simulated cluster: it does one thing after the other, and each takes it some time.

What it is told it does at once, but its time goes on for as long as that takes: what it sends leaves later, and what it
hears meanwhile it does after that.  So its own time may be ahead of the cluster's.

Refuses to know what messages are about, and what others do.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from greenlet import GreenletExit

from freehold.core.effects import Effect, Move, Run, Send, Settle
from freehold.core.errors import SessionError
from freehold.core.events import Event
from freehold.core.hosted import Hosted
from freehold.core.ids import node_index
from freehold.core.node import Node
from freehold.core.node_messages import ChunkReply
from freehold.core.party import Party
from freehold.core.queries import landing
from freehold.core.task_events import TaskSubmitted
from freehold.core.weights import nbytes_of
from freehold.simulator.outbox import Held, Outbox
from freehold.simulator.programs import Strand
from freehold.simulator.unfinished import unfinished
from freehold.simulator.world.hosts import Process, waking
from freehold.simulator.world.meter import Meter
from freehold.simulator.world.units import shown

if TYPE_CHECKING:
    from freehold.simulator.cluster import Simulated

AHEAD = 0.001  # seconds: a program whose own time is further ahead than this lets the others catch up


class Simulator(Hosted, Process):
    """The driver of one party: who waits here is parked, and calls that fall due are made by strands."""

    world: Simulated
    # What few drivers have is said here: Python keeps the attributes of an object close together only if they are few.
    calls = 0  # that have fallen due
    body: Strand | None = None  # who runs tasks
    random: Random | None = None  # None: nothing interrupts it
    calm = 0.0  # seconds until the next interruption
    touched = 0  # bytes of a node's store that have been in use at a time
    outbox: Outbox | None = None  # None: what is to be sent is sent at once

    def __init__(self, world: Simulated, party: Party) -> None:
        Hosted.__init__(self, world, party)
        Process.__init__(self, world.hosts[party.me])
        self.pace = world.paces.get(node_index(party.me), 1.0)  # how many times as long everything takes
        self.waiting: dict[int, Strand] = {}  # request -> who is parked until it is settled
        self.runs: deque[Run] = deque()  # tasks that may begin
        costs = world.description.costs
        if costs.step or costs.event:
            self.meter = Meter(party.watch)
            party.watch, self.told, self.handle = self.meter, self.handle, self.metered
        if costs.batch:
            self.outbox = Outbox(costs.batch)
            self.methods = {**self.methods, Send: Simulator.hold_back}
        rousing = costs.turn or costs.wake or costs.linger
        self.rouses = rousing and not self.shares  # else it takes no time, or is switched to
        if costs.interruption:
            self.random = Random(hash((world.policy.seed, party.me)))
            self.calm = costs.calm * self.random.expovariate(1.0)

    def now(self) -> float:
        """Return its own time: it may be ahead."""
        now = self.world.clock._now
        return self.until if self.until > now else now

    def drive(self, event: Event, cause: int = 0) -> None:
        now, until, methods = self.world.clock._now, self.until, self.methods  # most of what happens begins here
        for step, effect in self.handle(event, until if until > now else now, cause):
            methods[type(effect)](self, step, effect)

    def spend(self, seconds: float) -> float:
        """Be busy for some time, after whatever it is busy with; return until when."""
        until, now = self.until, self.world.clock._now
        if self.random is not None:
            seconds += self.disturbed(seconds, self.random)
        if until < now:
            until = now + self.roused(now - until) if self.rouses else now
        self.until = until = until + seconds * self.pace
        return until

    def roused(self, idle: float) -> float:
        """Return how long it takes to begin, for who has had nothing to do for so long."""
        costs = self.world.costs
        return costs.turn + waking(costs, self.machine.random) if idle > costs.spin else costs.turn

    def disturbed(self, seconds: float, random: Random) -> float:
        """Return for how long something else takes the processor from who is busy for some time."""
        costs, lost = self.world.costs, 0.0
        self.calm -= seconds
        while self.calm < 0 < costs.interruption:
            lost += costs.interruption * random.expovariate(1.0)
            self.calm += costs.calm * random.expovariate(1.0)
        return lost

    def called(self, event: Event) -> None:
        """Be busy for as long as it takes a user to make a call, of which this is told."""
        costs = self.world.costs
        self.spend(costs.call + costs.submit if type(event) is TaskSubmitted else costs.call)

    def metered(self, event: Event, now: float, cause: int) -> list[tuple[int, Effect]]:
        """Tell the party, and be busy for as long as its steps take."""
        meter, before, costs = self.meter, self.meter.steps, self.world.costs
        asked = self.told(event, now, cause)
        if meter.steps != before:
            self.spend(costs.event + (meter.steps - before) * costs.step)
        return asked

    def send(self, step: int, effect: Send) -> None:
        """As everybody, but quicker to parties that are known to live: most are."""
        target, message, world, me = effect.target, effect.message, self.world, self.party.me
        if target not in self.peers:
            super().send(step, effect)
            return
        nbytes = nbytes_of(message)
        at = self.spend(world.costs.send + nbytes * world.costs.pickle)
        world.bring(me, target, at, nbytes, message, step)

    def hold_back(self, step: int, effect: Send) -> None:
        """Send a message, or let it wait for company."""
        assert self.outbox is not None
        self.send_held(self.outbox.put(step, effect))
        if self.outbox.held and not self.queued:  # a program that has just begun
            self.take(lambda: None)  # and rest

    def send_held(self, held: Held) -> None:
        """Send what has waited."""
        for step, effect in held:
            self.send(step, effect)

    def answered(self, peer: int) -> None:
        """Something has come from a peer, and was read: what has waited for that goes on its way."""
        assert self.outbox is not None
        self.outbox.answered(peer)
        self.send_held(self.outbox.taken(peer))

    def rest(self) -> bool:
        """Send all that has waited for company, before there is nothing to do; tell whether there was anything."""
        outbox = self.outbox
        if outbox is None or not outbox.held or self.party.me not in self.world.drivers:
            return False
        for peer in [*outbox.held]:
            self.send_held(outbox.taken(peer))
        return True

    def packed(self, message: Any) -> int:
        nbytes = nbytes_of(message)
        self.spend(nbytes * self.world.costs.pickle)
        return nbytes

    # Copies of one value, which is never changed, share its bytes: what a simulated store holds takes no more memory.

    def room(self, nbytes: int) -> bytes:
        """Nothing is filled; but where a store has never been as full, it takes time to find the memory."""
        touch = self.world.costs.touch
        if touch and self.used > self.touched:
            self.spend((self.used - self.touched) * touch)
            self.touched = self.used
        return b""

    def move(self, step: int, effect: Move) -> None:
        if self.outbox is not None:
            self.send_held(self.outbox.taken(effect.target))  # bytes overtake nothing, and wait for nothing
        super().move(step, effect)

    def chunk(self, place: int, offset: int, nbytes: int) -> bytes:
        return bytes(self.places[place])

    def land(self, reply: ChunkReply, chunk: bytes) -> None:
        node = self.party
        assert isinstance(node, Node)
        if landing(node, reply) is not None:
            self.places[node.copies[reply.object].place] = chunk

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
                    self.called(events[0])
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
        wall = world.strands.aside(time.perf_counter) - world.began  # for the program that clock is simulated, too
        rate = world.clock.pushed / wall
        left = unfinished(world.drivers)
        said = f"simulated {shown(world.clock.now, 's')} in {shown(wall, 's')}: {rate:,.0f} events a second"
        return f"{said}; {left}" if left else said

    def close(self) -> None:
        """End the simulation; a task that leaves the cluster ends its worker."""
        program = self.world.strands.program
        if program is None or program.session is self.session:
            self.world.close()
            return
        self.world.remove(self.party.me)
        raise GreenletExit
