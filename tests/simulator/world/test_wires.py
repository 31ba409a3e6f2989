"""Wires that lose, double and delay frames: what is handed on is what was sent, in order and once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.core.events import Event
from freehold.core.ids import node_id, worker_id
from freehold.core.link import RESEND_SECONDS, TRIES_MAX
from freehold.simulator.clock import Clock
from freehold.simulator.world.network import SMALL, Network
from freehold.simulator.world.topology import Topology, star
from freehold.simulator.world.wires import FAIR, Letter, Weather, Wires

A, B, C = (worker_id(node_id(node), 1) for node in range(3))
PAIRS = [(A, B), (B, A), (A, C), (C, B)]
SENT = st.lists(
    st.tuples(st.floats(0.0, 1.0), st.sampled_from(PAIRS), st.sampled_from((0, 10, SMALL, SMALL + 1, 200_000))),
    min_size=1,
    max_size=20,
)
PARTS = st.sampled_from((0.0, 0.1, 0.5))


class Said(Event, frozen=True, gc=False):
    """What somebody says."""

    number: int


class Post:
    """Three nodes, and what is handed on or lost between them."""

    def __init__(self, weather: Weather = FAIR, seed: int = 0) -> None:
        self.clock = Clock(0.0)
        network = Network(self.clock, Topology(star(3, 1e6, 0.01)), None, seed)
        self.wires = Wires(self.clock, network, self.hand, self.lose, seed)
        self.wires.worsen(weather)
        self.sent: dict[tuple[int, int], list[int]] = {}
        self.came: dict[tuple[int, int], list[int]] = {}
        self.lost: list[tuple[float, int, int]] = []

    def say(self, pair: tuple[int, int], number: int, nbytes: int = 10) -> None:
        self.sent.setdefault(pair, []).append(number)
        self.wires.send(*pair, self.clock.now, Letter(Said(number), 0, nbytes))

    def hand(self, target: int, source: int, letter: Letter) -> None:
        assert isinstance(letter.event, Said)
        self.came.setdefault((source, target), []).append(letter.event.number)

    def lose(self, party: int, peer: int) -> None:
        self.lost.append((self.clock.now, party, peer))


@given(sent=SENT, loss=PARTS, duplication=PARTS, delay=st.sampled_from((0.0, 0.001, 1.0)), seed=st.integers(0, 9))
def test_what_is_handed_on_is_what_was_sent(
    sent: list[Any], loss: float, duplication: float, delay: float, seed: int
) -> None:
    """All of it, unless two have lost each other; then what came first, and both know."""
    post = Post(Weather(loss, duplication, delay), seed)
    for number, (at, pair, nbytes) in enumerate(sorted(sent, key=lambda one: one[0])):
        post.clock.call_at(at, lambda pair=pair, number=number, nbytes=nbytes: post.say(pair, number, nbytes))  # type: ignore[misc]
    post.clock.run()
    broken = {frozenset((party, peer)) for _, party, peer in post.lost}
    for pair, numbers in post.sent.items():
        came = post.came.get(pair, [])
        assert came == (numbers if frozenset(pair) not in broken else numbers[: len(came)])


def test_two_that_overlap_are_worse_than_one() -> None:
    """And the end of one is not that of the other."""
    wires, rain, wind = Post().wires, Weather(0.5, 0.0, 1.0), Weather(0.5, 0.2, 2.0)
    wires.worsen(rain)
    wires.worsen(wind)
    assert wires.weather == pytest.approx((0.75, 0.2, 3.0))
    wires.worsen(rain, over=True)
    assert wires.weather == pytest.approx(wind)
    wires.worsen(wind, over=True)
    assert wires.weather == FAIR


def test_what_is_long_on_its_way_is_not_sent_again() -> None:
    """Its time to be acknowledged begins when its last byte has left: this takes ten seconds."""
    post = Post()
    post.say((A, B), 1, 10_000_000)
    post.clock.run()
    assert post.came == {(A, B): [1]} and post.clock.now < 11


def test_two_that_are_divided_lose_each_other_after_many_tries() -> None:
    post = Post()
    post.wires.divide(*nodes(A, B))
    post.say((A, B), 1)
    post.clock.call_at(1.0, lambda: post.say((B, A), 2))
    post.clock.run()
    tries = sum(RESEND_SECONDS * 2**number for number in range(TRIES_MAX))
    assert [(round(at - tries, 1), party) for at, party, _ in post.lost] == [(0.0, A), (1.0, B)]
    assert post.came == {(B, A): [2]}  # but A's acknowledgements did not come


def test_two_that_find_each_other_again_miss_nothing() -> None:
    post = Post()
    post.wires.divide(*nodes(A, B))
    post.clock.call_at(3.0, lambda: post.wires.divide(*nodes(A, B), heal=True))
    for number in range(5):
        post.clock.call_at(number / 2, lambda number=number: post.say((A, B), number))  # type: ignore[misc]
    post.clock.run()
    assert post.came == {(A, B): [0, 1, 2, 3, 4]} and not post.lost


def test_nobody_sends_anything_to_the_dead_again() -> None:
    post = Post()
    post.say((A, B), 1)
    post.wires.forget(B)
    post.clock.run()
    assert not post.came and not post.lost and post.clock.now < 2 * RESEND_SECONDS


def nodes(*parties: int) -> tuple[int, ...]:
    """Return the numbers of parties' nodes in a network."""
    return tuple([party // node_id(0) for party in parties])
