"""Wires that lose, double and delay what is on them, and the link table that keeps the transport contract all the same.

Each ordered pair of parties on different nodes has an end of a link (``core/link.py``) on each side.  A message becomes
a frame, which comes once, twice, late or not at all; what is not acknowledged is sent again, and after many times in
vain the two have lost each other.  A frame's time to be acknowledged begins when its last byte has left.

Refuses to know what is in a message, and what becomes of who has lost whom.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, NamedTuple

from freehold.core.effects import CancelTimer, SetTimer
from freehold.core.events import Event
from freehold.core.ids import INCARNATION_BITS
from freehold.core.link import Broken, Frame, FrameCame, Heard, Link, MessageDue, ResendDue
from freehold.simulator.clock import Clock, Happening
from freehold.simulator.world.network import Network

HEADER = 64  # bytes of a frame beside its message
Pair = tuple[int, int]  # whose end, and towards whom


class Letter(NamedTuple):
    """A message, as it is handed on."""

    event: Event
    cause: int
    nbytes: int


class Weather(NamedTuple):
    """What becomes of frames."""

    loss: float = 0.0  # parts of all
    duplication: float = 0.0
    delay: float = 0.0  # seconds, at most


FAIR = Weather()


class Arrival(Happening):
    """A frame comes, or comes later than the network alone would have it."""

    __slots__ = ("frame", "late", "pair")

    def __init__(
        self, callbacks: tuple[Callable[[Any], None], ...], pair: Pair, frame: Frame, late: float = 0.0
    ) -> None:
        self.callbacks = callbacks
        self.pair = pair
        self.frame = frame
        self.late = late


class Wires:
    """All links that may lose something.

    Args:
        clock: simulated time.
        network: how long what is not lost is on its way.
        hand: called with target, source and letter when a message is handed on.
        lose: called with two parties when the first has lost the second.
        seed: of what is lost, and when.
    """

    def __init__(
        self,
        clock: Clock,
        network: Network,
        hand: Callable[[int, int, Letter], None],
        lose: Callable[[int, int], None],
        seed: int,
    ) -> None:
        self.clock = clock
        self.network = network
        self.hand = hand
        self.lose = lose
        self.random = Random(seed)
        self.weathers: list[Weather] = []  # that there are at a time
        self.weather = FAIR  # what they are together
        self.cut: dict[Pair, int] = {}  # nodes between which nothing passes, this way -> for how many reasons
        self.ends: dict[Pair, Link] = {}
        self.timers: dict[Pair, int] = {}  # what is to be acknowledged in time -> the attempt
        self.dead: set[int] = set()
        self.minted = 0
        self.arriving = (self.arrive,)

    def mint(self) -> int:
        """Return a number for a timer."""
        self.minted += 1
        return self.minted

    def send(self, source: int, target: int, at: float, letter: Letter) -> None:
        """Send a message, which leaves at a time."""
        self.step((source, target), MessageDue(target, letter), at)

    def step(self, pair: Pair, event: Event, at: float) -> None:
        """Let one end of a link take a step, and do what it asks for."""
        end = self.ends.get(pair) or Link(pair[1])
        here: Any = self
        self.ends[pair], out = end.state.rows[type(event)](end, event, here)
        for wish in out:
            match wish:
                case Frame():
                    self.put(pair, wish, at)
                case Heard(_, letter):
                    self.hand(*pair, letter)
                case SetTimer(timer, seconds, due):
                    self.timers[pair] = timer
                    self.clock.call_at(at + seconds, partial(self.fire, pair, due, seconds))
                case CancelTimer(timer) if self.timers.get(pair) == timer:  # what was handed on may have set another
                    del self.timers[pair]
                case Broken():
                    self.lose(*pair)

    def put(self, pair: Pair, frame: Frame, at: float) -> None:
        """Put a frame on the wire: it may be lost there, or doubled, or be late."""
        source, target = pair
        nbytes = HEADER + (frame.message.nbytes if isinstance(frame.message, Letter) else 0)
        for _ in range(1 + (self.random.random() < self.weather.duplication)):
            lost = (source >> INCARNATION_BITS, target >> INCARNATION_BITS) in self.cut
            if not (self.random.random() < self.weather.loss or lost):
                late = self.weather.delay * self.random.random()
                arrival = Arrival(self.arriving, (target, source), frame, late)
                self.network.carry(source, target, at, nbytes, arrival)

    def arrive(self, arrival: Arrival) -> None:
        """Take a frame from the wire, unless it is late, or there is nobody any more."""
        if arrival.pair[0] in self.dead:
            return
        if arrival.late:
            late, arrival.late = arrival.late, 0.0
            self.clock.push(self.clock.now + late, 0, Arrival(self.arriving, arrival.pair, arrival.frame))
            return
        _, source = arrival.pair
        frame = arrival.frame
        self.step(arrival.pair, FrameCame(source, frame.number, frame.message, frame.heard), self.clock.now)

    def fire(self, pair: Pair, due: Event, seconds: float) -> None:
        """Let an end look after what is not acknowledged, unless it has been since, or is still leaving."""
        assert isinstance(due, ResendDue)
        if self.timers.get(pair) != due.attempt:
            return
        if pair in self.network.streams:
            self.clock.call_at(self.clock.now + seconds, partial(self.fire, pair, due, seconds))
            return
        del self.timers[pair]
        self.step(pair, due, self.clock.now)

    # ------------------------------------------------------------------ faults

    def divide(self, source: int, target: int, *, heal: bool = False) -> None:
        """Let nothing pass from one node to another any more, or (``heal``) let it pass again."""
        left = self.cut.pop((source, target), 0) + (-1 if heal else 1)
        if left:
            self.cut[source, target] = left

    def worsen(self, weather: Weather, *, over: bool = False) -> None:
        """Let frames be lost, doubled and delayed, beside what does so already, or (``over``) no more."""
        if over:
            self.weathers.remove(weather)
        else:
            self.weathers.append(weather)
        kept, once, delay = 1.0, 1.0, 0.0
        for one in self.weathers:
            kept, once, delay = kept * (1 - one.loss), once * (1 - one.duplication), delay + one.delay
        self.weather = Weather(1 - kept, 1 - once, delay)

    def forget(self, party: int) -> None:
        """A party has died: its ends of links are no more, and nobody sends it anything again."""
        self.dead.add(party)
        for pair in [pair for pair in self.ends if pair[0] == party]:
            del self.ends[pair]
        for pair in [pair for pair in self.timers if party in pair]:
            del self.timers[pair]
