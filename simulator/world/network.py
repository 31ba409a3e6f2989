"""How long messages take: small ones queue at each link of their way, large ones share links with each other.

Between two parties nothing overtakes: what comes behind a large message waits until that is through.

Refuses to know what is in a message, and what its sender and receiver do with it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf
from typing import NamedTuple

from freehold.core.ids import INCARNATION_BITS
from freehold.simulator.clock import Clock, Happening
from freehold.simulator.world.flows import Flow, Flows, Link
from freehold.simulator.world.hosts import Host
from freehold.simulator.world.topology import Topology

SMALL = 16_384  # bytes: what is larger takes so long that others get their part of the link meanwhile
TOLERANCE = 0.001  # of a link's bandwidth; what concurrent messages get may be off by about as much
Pair = tuple[int, int]


class Parcel(NamedTuple):
    """A message that waits behind a large one, or is one."""

    at: float  # when it left its sender
    nbytes: int
    message: Happening


class Departure(Happening):
    """A large message leaves later than now."""

    __slots__ = ("pair",)

    def __init__(self, callbacks: tuple[Callable[[Departure], None], ...], pair: Pair) -> None:
        super().__init__(callbacks)
        self.pair = pair


class Network:
    """All cables, and what is on them.

    Args:
        clock: simulated time.
        topology: the cables between nodes.
        hosts: the machine of each party; None: each node has one of its own.
        seed: orders what arrives at one instant.
        contention: whether large messages share links; else each has all of its way.
    """

    def __init__(
        self,
        clock: Clock,
        topology: Topology,
        hosts: Callable[[int], Host] | None,
        seed: int,
        *,
        contention: bool = True,
    ) -> None:
        self.clock = clock
        self.topology = topology
        self.hosts = hosts
        self.seed = seed
        self.contention = contention
        self.flows = Flows(clock, TOLERANCE)
        self.nbytes = 0  # of all that was sent from one node to another
        self.streams: dict[Pair, deque[Parcel]] = {}  # a large message is on its way; it is the first
        self.open: dict[Pair, Flow] = {}
        self.last: dict[Pair, float] = {}  # without contention: when what one has sent another comes, so far
        self.leaving = (self.leave,)

    def way(self, source: int, target: int) -> tuple[Link, ...]:
        """Return the links between two parties on different nodes; a machine has one for all that it is host of."""
        if self.hosts is not None:
            here, there = self.hosts(source), self.hosts(target)
            if here is there:
                return (here.loopback,)
        return self.topology.way((source >> INCARNATION_BITS) - 1, (target >> INCARNATION_BITS) - 1)

    def narrow(self, source: int, target: int) -> tuple[Link, ...]:
        """Return the links on the way that large messages have to share."""
        return tuple([link for link in self.way(source, target) if link.bandwidth < inf])

    def carry(self, source: int, target: int, at: float, nbytes: int, message: Happening) -> None:
        """Bring a message from one party to another on another node.

        Args:
            source: the sender.
            target: the receiver.
            at: when it leaves its sender: now, or later.
            nbytes: its size.
            message: what happens at its arrival.
        """
        self.nbytes += nbytes
        if not self.contention:
            self.pass_by(source, target, at, nbytes, message)
        elif self.streams and (source, target) in self.streams:
            self.streams[source, target].append(Parcel(at, nbytes, message))
        elif nbytes > SMALL and self.narrow(source, target):
            self.streams[source, target] = deque([Parcel(at, nbytes, message)])
            self.depart((source, target))
        else:
            self.queue(source, target, at, nbytes, message)

    def queue(self, source: int, target: int, at: float, nbytes: int, message: Happening) -> None:
        """Let a small message wait at each link until those before it are through."""
        last = at  # when its last bit leaves a link, and its first
        for link in self.way(source, target):
            if at < link.until:
                at = link.until
            until = at + nbytes / link.bandwidth
            link.until = until = until if until > last else last
            at, last = at + link.latency, until + link.latency
        self.clock.push(last, hash((self.seed, source, target, last)), message)

    def pass_by(self, source: int, target: int, at: float, nbytes: int, message: Happening) -> None:
        """Let a message have all links for itself; it comes after those that have left before it to the same party."""
        way = self.way(source, target)
        alone = at + sum([link.latency for link in way]) + max([nbytes / link.bandwidth for link in way], default=0.0)
        last = self.last[source, target] = max(alone, self.last.get((source, target), 0.0))
        self.clock.push(last, hash((self.seed, source, target, last)), message)

    def arrive(self, source: int, target: int, at: float, message: Happening) -> None:
        """Let a message arrive at a time, which is not before those that came earlier from the same sender."""
        self.clock.push(at, hash((self.seed, source, target, at)), message)

    # ------------------------------------------------------------------ large messages, and what is behind them

    def depart(self, pair: Pair) -> None:
        """Begin with the first message of a stream, when it leaves and the small ones before it are through."""
        at = max(self.streams[pair][0].at, *[link.until for link in self.way(*pair)])
        if at > self.clock.now:
            self.clock.push(at, 0, Departure(self.leaving, pair))
        else:
            self.begin(pair)

    def leave(self, departure: Departure) -> None:
        """Begin with a message that leaves now, unless its sender or receiver has died."""
        if departure.pair in self.streams:
            self.begin(departure.pair)

    def begin(self, pair: Pair) -> None:
        """Let a large message share its way with others."""
        self.open[pair] = self.flows.start(self.narrow(*pair), self.streams[pair][0].nbytes, self.through, pair)

    def through(self, flow: Flow) -> None:
        """The last byte of a large message is on its way; go on with what is behind it."""
        pair, now = flow.what, self.clock.now
        source, target = pair
        del self.open[pair]
        stream = self.streams[pair]
        at = now
        for link in self.way(source, target):  # as small ones add it up, so that none behind it arrives before it
            at += link.latency
        self.arrive(source, target, at, stream.popleft().message)
        while stream and stream[0].nbytes <= SMALL:
            at, nbytes, message = stream.popleft()
            self.queue(source, target, max(at, now), nbytes, message)
        if stream:
            self.depart(pair)
        else:
            del self.streams[pair]

    def forget(self, party: int) -> None:
        """A party has died: what is on its way to it, and large messages from it, are lost."""
        for pair in [pair for pair in self.streams if party in pair]:
            del self.streams[pair]
            flow = self.open.pop(pair, None)
            if flow is not None:
                self.flows.stop(flow)
