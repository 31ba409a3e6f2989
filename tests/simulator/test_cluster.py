"""The simulated network and clock: what a message costs, what is in order, and that a seed says everything."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from functools import partial
from math import log
from pathlib import Path
from random import Random
from typing import Any

import pytest

import freehold
from freehold.core.events import RefDropped
from freehold.core.ids import node_id, worker_id
from freehold.core.party import Party, Routes
from freehold.core.policies import Policy
from freehold.simulator.cluster import Simulated
from freehold.simulator.world.costs import DEFAULT, NOTHING, Costs
from freehold.simulator.world.description import Description, Network

A, B = node_id(0), node_id(1)
A1, A2, B1, C1 = worker_id(A, 1), worker_id(A, 2), worker_id(B, 1), worker_id(node_id(2), 1)


SLOW = Network(latency=1.0, bandwidth=10.0)
FREE = Network(latency=0.0, bandwidth=1e300)


class Recorder(Simulated):
    """A world that takes note of what arrives, at parties that do nothing."""

    def __init__(self, costs: Costs = NOTHING, network: Network = FREE, seed: int = 0) -> None:
        super().__init__(Policy(seed=seed), 1 << 20, Description(nodes=3, costs=costs, network=network))
        self.costs, self.begun = costs, True
        self.arrived: list[tuple[float, int, int]] = []
        for party in (A, A1, A2, B, B1, C1):
            self.drivers[party] = self.driver(Party(party, Routes()))
            self.drivers[party].drive = partial(self.took, party)  # type: ignore[method-assign]

    def took(self, party: int, event: Any, cause: int = 0) -> None:
        self.arrived.append((self.drivers[party].now(), party, event.object))

    def all(self) -> list[tuple[float, int, int]]:
        while self.clock.peek() < float("inf"):
            self.clock.step()
        return self.arrived


@pytest.mark.parametrize(
    ("source", "target", "nbytes", "seconds"),
    [
        (A1, B1, 0, 0.25 + 2 * 1.0 + 0.5),
        (A1, B1, 20, 0.25 + 2.0 + 2 * 1.0 + 0.5 + 20 * 0.125),
        (A1, A2, 4, 0.25 + 3.0 + 0.5 + 4 * 0.125),
        (A1, A1, 4, 2.0),
        (A1, A1, 0, 0.0),
    ],
)
def test_what_a_message_costs(source: int, target: int, nbytes: int, seconds: float) -> None:
    world = Recorder(Costs(send=0.25, receive=0.5, local=3.0, copy=0.5, pickle=0.125), SLOW)
    world.post(source, target, 0, RefDropped(1), nbytes)
    assert world.all() == [(seconds, target, 1)]


COUNT, LOAD = 100_000, 0.4


def test_an_owner_is_a_queue_with_one_server() -> None:
    """Where all messages take it the same time the mean wait is load/(1-load)/2 of that: M/D/1.

    Kleinrock, *Queueing Systems* 1, section 5.6.
    """
    pauses = [-log(1 - (index + 0.5) / COUNT) / LOAD for index in range(COUNT)]
    world, at = Recorder(Costs(send=0.0, receive=1.0, local=0.0, pickle=0.0)), 0.0
    Random(1).shuffle(pauses)
    sent: list[float] = []
    for number, pause in enumerate(pauses):
        at += pause
        sent.append(at)
        world.clock.call_at(at, partial(world.bring, A1, A2, at, 0, RefDropped(number), 0))
    waited = sum(took - sent[number] - 1.0 for took, _, number in world.all()) / COUNT
    assert waited == pytest.approx(LOAD / (1 - LOAD) / 2, rel=0.01)


def test_a_network_card_does_one_thing_at_a_time_each_way() -> None:
    world = Recorder(network=SLOW)
    world.post(A1, B1, 0, RefDropped(1), 50)  # leaves until 5, arrives until 7
    world.post(A2, C1, 0, RefDropped(2), 50)  # waits for the card of its node
    world.post(C1, B1, 0, RefDropped(3), 50)  # waits for the card of the receiver
    world.post(B1, A1, 0, RefDropped(4), 50)  # the other way there is nobody
    assert sorted(world.all()) == [(7, A1, 4), (7, B1, 1), (12, B1, 3), (12, C1, 2)]


def test_a_process_does_one_thing_at_a_time() -> None:
    world = Recorder(Costs(send=1.0, receive=10.0, local=3.0), FREE)
    for number in range(3):
        world.post(A1, A2, 0, RefDropped(number), 0)
    assert world.all() == [(14.0, A2, 0), (24.0, A2, 1), (34.0, A2, 2)]


def test_who_has_been_idle_for_long_wakes_up_first() -> None:
    world = Recorder(Costs(send=0.0, receive=1.0, local=0.0, wake=5.0, spin=2.0), FREE)
    for number, seconds in ((0, 1.0), (1, 3.0), (2, 9.0)):
        world.after(seconds, A1, number, RefDropped(number))
        world.timers[A1, number].callbacks = (lambda timer: world.post(A2, B1, 0, timer.event, 0),)
    assert world.all() == [(2.0, B1, 0), (4.0, B1, 1), (20.0, B1, 2)]  # both sleep meanwhile


def test_large_messages_share_a_cable_and_small_ones_go_between() -> None:
    world = Recorder(network=Network(latency=0.0, bandwidth=1e6))
    world.post(A1, B1, 0, RefDropped(1), 1_000_000)
    world.post(A2, C1, 0, RefDropped(2), 500_000)
    world.post(A1, B1, 0, RefDropped(3), 10_000)  # behind the first, of the same pair
    world.post(A2, B1, 0, RefDropped(4), 10_000)  # before it
    assert world.all() == [(0.01, B1, 4), (1.0, C1, 2), (1.5, B1, 1), (1.51, B1, 3)]


def test_what_is_on_its_way_to_the_dead_is_lost() -> None:
    world = Recorder(network=Network(latency=0.0, bandwidth=1e6))
    world.post(A1, B1, 0, RefDropped(1), 1_000_000)
    world.post(A2, C1, 0, RefDropped(2), 1_000_000)
    world.remove(B1)
    assert world.all() == [(1.0, C1, 2)] and not world.network.streams


@pytest.mark.parametrize("network", [Network(), FREE, Network(contention=False)], ids=["usual", "free", "apart"])
@pytest.mark.parametrize("costs", [DEFAULT, NOTHING], ids=["default", "nothing"])
def test_between_two_parties_messages_never_overtake(costs: Costs, network: Network) -> None:
    world = Recorder(costs, network)
    pairs = [(source, target) for source in (A, A1, A2, B, B1) for target in (A, A1, A2, B, B1) if source != target]
    for number in range(2_000):
        source, target = pairs[number * 7 % len(pairs)]
        world.post(source, target, 0, RefDropped(number), (0, 10, 100_000)[number % 3])
        if number % 50 == 0:
            world.clock.step()
    orders: dict[tuple[int, int], list[int]] = {}
    for _, _, number in world.all():
        orders.setdefault(pairs[number * 7 % len(pairs)], []).append(number)
    assert len(world.arrived) == 2_000
    assert all(order == sorted(order) for order in orders.values())


def test_ties_are_shuffled_by_the_seed() -> None:
    def order(seed: int) -> list[int]:
        world = Recorder(seed=seed)
        for source in range(1, 9):
            world.post(worker_id(B, source), A1, 0, RefDropped(source), 0)
        return [number for _, _, number in world.all()]

    orders = [order(seed) for seed in range(20)]
    assert orders == [order(seed) for seed in range(20)]
    assert len({tuple(one) for one in orders}) == 20 and sorted(orders[0]) == list(range(1, 9))


def test_timers() -> None:
    world = Recorder()
    for number, seconds in ((1, 3.0), (2, 1.0), (3, 2.0)):
        world.after(seconds, A1, number, RefDropped(number))
    world.forget(A1, 3)
    world.forget(A1, 99)
    assert world.all() == [(1, A1, 2), (3, A1, 1)] and not world.timers


PROGRAM = """
import hashlib, sys, time
import freehold
from freehold.core import cluster

nothing = dict.fromkeys(("send", "receive", "call", "run"), 0)  # so that much happens at one instant
freehold.init(backend="sim", num_nodes=3, seed=int(sys.argv[1]), trace=sys.argv[2], cluster={"costs": nothing})

@freehold.remote
def part(refs, i):
    time.sleep(0.001 * (i % 3))
    return {str(i): freehold.get(refs[i % len(refs)]), "whose": bytes(200_000 * (i % 2))}

@freehold.remote
def fail(names):
    raise KeyError(sorted(names)[0])

refs = [freehold.put({str(i), "x", "y"}) for i in range(5)]
parts = [part.options(node=i % 3).remote(refs, i) for i in range(12)]
ready, rest = freehold.wait(parts, num_returns=5)
freehold.get(parts)
try:
    freehold.get(fail.remote({"a", "b"}))
except KeyError as error:
    print(hash(str(error)) and "failed")
steps = cluster.active.host.steps()
print(len(steps), time.time(), hashlib.sha256(repr(steps).encode()).hexdigest())
"""


def trace(seed: int, hash_seed: str, folder: str = "") -> str:
    """Return what the program prints in a process of its own: a digest of every step of every party."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    words = [sys.executable, "-c", PROGRAM, str(seed), folder]
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout


def test_a_seed_says_everything(tmp_path: Path) -> None:
    first, again, other = trace(1, "1"), trace(1, "2"), trace(2, "1")
    assert first == again and int(first.split()[1]) > 1_000
    assert first != other
    assert first == trace(1, "3", str(tmp_path))
    assert list(tmp_path.rglob("*.ndjson"))


def test_names_follow_from_the_seed() -> None:
    nonces = [Recorder(seed=seed).nonce for seed in (0, 0, 1)]
    assert nonces[0] == nonces[1] != nonces[2] and len(nonces[0]) == len(hashlib.md5().digest())


def test_the_summary_tells_simulated_from_real_time(sim: Any) -> None:
    """A thousand simulated seconds do not take a thousand real ones."""
    world = sim()
    time.sleep(1000.0)
    simulated, _, real = world.drivers[A1].summary().partition(" in ")
    assert simulated == "simulated 16.67 min" and not real.startswith("16.67 min")


def test_copies_of_a_value_share_its_bytes(sim: Any) -> None:
    """However many simulated nodes have a copy, it takes the memory of one; readers get the same bytes."""
    world = sim(num_nodes=8)

    @freehold.remote
    def last(value: bytes) -> int:
        return value[-1]

    ref = freehold.put(bytes(3 << 20) + b"\7")
    assert freehold.get([last.options(node=node).remote(ref) for node in range(8)]) == [7] * 8
    stored = [bytes_ for driver in world.drivers.values() for bytes_ in driver.places.values() if len(bytes_) > 1 << 20]
    assert len(stored) == 8 and len({id(bytes_) for bytes_ in stored}) == 1
