"""The network against what is known of it: closed forms, published times, and what may not overtake."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, log
from random import Random
from typing import Any

import pytest

from freehold.core.ids import node_id, worker_id
from freehold.simulator.clock import Clock, Happening
from freehold.simulator.world.hosts import Host
from freehold.simulator.world.network import SMALL, Network
from freehold.simulator.world.topology import Topology, racks, star

A, B, C, D = (worker_id(node_id(node), 1) for node in range(4))


class Letter(Happening):
    """A message that knows who it is."""

    __slots__ = ("name",)

    def __init__(self, hear: Callable[[Letter], None], name: object) -> None:
        super().__init__((hear,))
        self.name = name


class Post:
    """A network of four nodes, and when what is sent over it arrives."""

    def __init__(self, bandwidth: float, latency: float, *, contention: bool = True, hosts: bool = False) -> None:
        self.clock = Clock(0.0)
        self.came: list[tuple[Any, float]] = []
        both = [Host("h0", self.clock, local=1.0, memory=100.0), Host("h1", self.clock, local=1.0, memory=100.0)]
        self.network = Network(
            self.clock,
            Topology(star(4, bandwidth, latency)),
            (lambda party: both[party in (C, D)]) if hosts else None,
            0,
            contention=contention,
        )

    def send(self, source: int, target: int, nbytes: int, name: object = None, at: float = 0.0) -> None:
        self.network.carry(source, target, max(at, self.clock.now), nbytes, Letter(self.arrived, name))

    def arrived(self, letter: Letter) -> None:
        self.came.append((letter.name, self.clock.now))

    def all(self) -> list[tuple[Any, float]]:
        self.clock.run()
        return self.came


@pytest.mark.parametrize(("nbytes", "seconds"), [(2**10, 31.69e-6), (2**20, 1.7315e-3), (2**30, 1.7730)])
def test_round_trips_between_two_nodes(nbytes: int, seconds: float) -> None:
    """Hoplite's optimum: 30 us and 9.69 Gbit/s each way (microbenchmarks/plot_rtt.py; SIGCOMM'21, figure 6)."""
    post = Post(9.69e9 / 8, 30e-6 / 4)
    back = Letter(post.arrived, "back")
    there = Letter(lambda _: post.network.carry(B, A, post.clock.now, nbytes, back), "there")
    post.network.carry(A, B, 0.0, nbytes, there)
    ((_, at),) = post.all()
    assert at == pytest.approx(seconds, rel=0.02)


def test_two_transfers_have_half_of_a_link_each() -> None:
    post = Post(1e6, 0.0)
    post.send(A, B, 1_000_000, "long")
    post.send(A, C, 500_000, "short")
    assert post.all() == [("short", 1.0), ("long", 1.5)]


def test_without_contention_each_has_all_of_it() -> None:
    for contention, times in ((True, [2.0, 2.0, 0.5]), (False, [1.0, 1.0, 0.5])):
        post = Post(1e6, 0.0, contention=contention)
        post.send(A, D, 1_000_000, "one")
        post.send(B, D, 1_000_000, "other")
        post.send(C, A, 500_000, "apart")
        came = dict(post.all())
        assert [came[name] for name in ("one", "other", "apart")] == times


def test_without_contention_those_to_one_party_keep_their_order() -> None:
    post = Post(1e6, 0.0, contention=False)
    post.send(A, B, 1_000_000, "large")
    post.send(A, B, 100, "small")
    post.send(A, C, 100, "beside")
    assert post.all() == [("beside", 0.0001), ("large", 1.0), ("small", 1.0)]


def test_what_leaves_later_does_not_share_before() -> None:
    post = Post(1e6, 0.0)
    post.send(A, B, 1_000_000, "now")
    post.send(A, C, 1_000_000, "later", at=0.5)
    assert post.all() == [("now", 1.5), ("later", 2.0)]


def test_a_small_message_waits_for_a_large_one_of_its_pair_only() -> None:
    post = Post(1e6, 0.0)
    post.send(A, B, 1_000_000, "large")
    post.send(A, B, 100, "behind")
    post.send(A, C, 100, "beside")
    assert [name for name, _ in post.all()] == ["beside", "large", "behind"]


def test_nodes_of_one_machine_share_its_memory() -> None:
    post = Post(1e6, 5.0, hosts=True)
    post.send(A, B, SMALL + 1, "memory")
    post.send(A, C, 100, "cable")
    came = dict(post.all())
    assert came["memory"] == pytest.approx((SMALL + 1) / 100.0 + 1.0) and came["cable"] == pytest.approx(10.0001)


def test_a_link_without_a_limit_holds_nobody_up() -> None:
    post = Post(inf, 1.0)
    post.send(A, B, 1_000_000, "large")
    post.send(A, B, 1, "small")
    assert post.all() == [("large", 2.0), ("small", 2.0)]


COUNT = 100_000


def exponential(random: Random) -> list[float]:
    """Return numbers with mean 1 that are spread exactly as they should be, in an order by chance."""
    numbers = [-log(1 - (index + 0.5) / COUNT) for index in range(COUNT)]
    random.shuffle(numbers)
    return numbers


@pytest.mark.parametrize("load", [0.3, 0.5])
@pytest.mark.parametrize(("kind", "share"), [("M/M/1", 1.0), ("M/D/1", 0.5)])
def test_a_link_is_a_queue_with_one_server(kind: str, share: float, load: float) -> None:
    """The mean wait is load/(1-load) service times if these vary as the pauses do, half of that if they are alike.

    Kleinrock, *Queueing Systems* 1, sections 3.2 and 5.6.
    """
    means = []
    for seed in range(2):
        post, random, at = Post(1e6, 0.0), Random(seed), 0.0
        services = exponential(random) if kind == "M/M/1" else [1.0] * COUNT
        for pause, service in zip(exponential(random), services, strict=True):
            at += pause / load
            size = round(service * 1e6)  # a second each, on average
            post.network.queue(A, B, at, size, Letter(post.arrived, (at, size)))
        waited = [came - left - nbytes / 1e6 for (left, nbytes), came in post.all()]
        means.append(sum(waited) / COUNT)
    assert sum(means) / len(means) == pytest.approx(share * load / (1 - load), rel=0.01)


def test_messages_of_a_pair_keep_their_order_whatever_their_size() -> None:
    random = Random(3)
    for contention in (True, False):
        post = Post(1e6, 1e-4, contention=contention)
        for number in range(3000):
            source, target = random.sample((A, B, C, D), 2)
            post.send(source, target, random.choice((0, 10, 5000, SMALL + 1, 10**6)), (source, target, number))
            if random.random() < 0.3:
                post.clock.step()
        orders: dict[tuple[int, int], list[int]] = {}
        for (source, target, number), _ in post.all():
            orders.setdefault((source, target), []).append(number)
        assert sum(map(len, orders.values())) == 3000
        assert all(order == sorted(order) for order in orders.values())
        assert not post.network.streams and not post.network.open


def test_what_belongs_to_the_dead_is_forgotten() -> None:
    post = Post(1e6, 0.0)
    post.send(A, B, 10**6, "dies")
    post.send(A, B, 10, "behind it")
    post.send(C, D, 10**6, "later", at=0.5)
    post.network.forget(B)
    post.network.forget(D)
    assert post.all() == [] and not post.network.streams
    assert not any(link.flows for link in post.network.topology.links.values())


def test_what_leaves_a_rack_shares_its_uplink() -> None:
    clock = Clock(0.0)
    network = Network(clock, Topology(racks(4, 1e6, 0.0, per_rack=2, oversubscription=4)), None, 0)
    came: list[tuple[Any, float]] = []
    for name, source, target in (("out", A, C), ("out too", B, D), ("inside", B, A)):
        letter = Letter(lambda letter: came.append((letter.name, clock.now)), name)
        network.carry(source, target, 0.0, 500_000, letter)
    clock.run()
    times = dict(came)  # half of a cable's bandwidth leaves the rack, a quarter for each
    assert times["out"] == times["out too"] == pytest.approx(2.0) and times["inside"] == pytest.approx(0.5 / 0.75)
