"""The simulated network and clock: what a message costs, what is in order, and that a seed says everything."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from freehold.core.events import RefDropped
from freehold.core.ids import node_id, worker_id
from freehold.core.policies import Policy
from freehold.simulator.costs import DEFAULT, NOTHING, Costs
from freehold.simulator.driver import Simulated

A, B = node_id(0), node_id(1)
A1, A2, B1 = worker_id(A, 1), worker_id(A, 2), worker_id(B, 1)


class Recorder(Simulated):
    """A world that takes note of what arrives."""

    def __init__(self, costs: Costs = NOTHING, seed: int = 0) -> None:
        super().__init__(Policy(seed=seed), 1 << 20, costs)
        self.costs = costs
        self.arrived: list[tuple[float, int, int]] = []

    def deliver(self, target: int, event: Any, cause: int = 0) -> None:
        self.arrived.append((self.now(), target, event.object))

    def all(self) -> list[tuple[float, int, int]]:
        while self.clock.peek() < float("inf"):
            self.clock.step()
        return self.arrived


def test_what_a_message_costs() -> None:
    costs = Costs(latency=1.0, bandwidth=10.0, message=0.25, local=3.0, copy=0.5)
    for source, target, nbytes, seconds in (
        (A1, B1, 0, 0.25 + 2 * 1.0 + 0.25),
        (A1, B1, 20, 0.25 + 2.0 + 2 * 1.0 + 0.25),
        (A1, A2, 4, 0.25 + 2.0 + 3.0 + 0.25),
        (A1, A1, 4, 2.0),
        (A1, A1, 0, 0.0),
    ):
        world = Recorder(costs)
        world.post(source, target, 0, RefDropped(1), nbytes)
        assert world.all() == [(seconds, target, 1)]


def test_a_network_card_does_one_thing_at_a_time_each_way() -> None:
    costs = Costs(latency=1.0, bandwidth=10.0, message=0.0, local=0.0, copy=0.0)
    world = Recorder(costs)
    c1 = worker_id(node_id(2), 1)
    world.post(A1, B1, 0, RefDropped(1), 50)  # leaves until 5, arrives until 7
    world.post(A2, c1, 0, RefDropped(2), 50)  # waits for the card of its node
    world.post(c1, B1, 0, RefDropped(3), 50)  # waits for the card of the receiver
    world.post(B1, A1, 0, RefDropped(4), 50)  # the other way there is nobody
    assert sorted(world.all()) == [(7, A1, 4), (7, B1, 1), (12, B1, 3), (12, c1, 2)]


@pytest.mark.parametrize("costs", [DEFAULT, NOTHING], ids=["default", "nothing"])
def test_between_two_parties_messages_never_overtake(costs: Costs) -> None:
    world = Recorder(costs)
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

freehold.init(backend="sim", num_nodes=3, seed=int(sys.argv[1]), trace=sys.argv[2])

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
