"""Other protocols, as models: each call takes the messages and the time that its scheme says."""

from __future__ import annotations

from typing import Any

import pytest

from freehold.core.errors import DeadlockError
from freehold.core.values import Description as Task
from freehold.simulator.scripts import Script
from freehold.simulator.variants.schemes import Centralized, Leases, Services
from freehold.simulator.world.costs import NOTHING
from freehold.simulator.world.description import Crash, Description, Lossy, Network

HOP = 2.0  # between two nodes: two cables
NETWORK = Network(latency=HOP / 2, bandwidth=1e12)
SERVICES = Services(scheduler=0.25, master=0.5, expiry=100.0)
AT = [(("CPU", 1.0), (f"node:{node}", 1e-6)) for node in range(3)]


def work(_: Any, task: Task) -> Script:
    yield 10.0
    return 8


def cluster(kind: type[Leases], nodes: int = 3, cpus: float = 2, faults: tuple[Any, ...] = (), **more: Any) -> Leases:
    description = Description(nodes=nodes, cpus=cpus, network=NETWORK, costs=NOTHING, faults=faults, **more)
    return kind(description, {"work": work}, SERVICES)


def seconds(world: Leases, script: Any, node: int = 1) -> float:
    """How long a script takes that runs on a node."""
    callers = world.populate()
    world.start(callers[node], script(callers[node]))
    world.run_all()
    return world.clock.now


@pytest.mark.parametrize(
    ("kind", "node", "expected"),
    [
        (Leases, 1, 0.25 + 10 + 2 * HOP),  # its own node; that it is there the table has to tell
        (Leases, 2, 0.25 + HOP + 0.25 + 10 + HOP + HOP + 4 * HOP / 2 + HOP),  # and asks where it is, and fetches it
        (Centralized, 1, 0.25 + HOP + 0.25 + HOP + 10 + HOP + 0.25 + HOP),
        (Centralized, 2, 0.25 + HOP + 0.25 + HOP + 10 + HOP + 0.25 + HOP + 2 * HOP + HOP),
    ],
)
def test_one_task(kind: type[Leases], node: int, expected: float) -> None:
    def program(caller: Any) -> Script:
        yield from caller.get(caller.submit("work", shape=AT[node]))

    assert seconds(cluster(kind), program) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("kind", [Leases, Centralized])
def test_tasks_share_a_node_and_wait_for_what_they_need(kind: type[Leases]) -> None:
    def program(caller: Any) -> Script:
        first = [caller.submit("work", shape=AT[1]) for _ in range(4)]
        yield from caller.get(caller.submit("work", values=first, shape=AT[1]))

    assert 30 < seconds(cluster(kind), program) < 50  # two at a time, twice, and one more


def test_one_master_serves_all() -> None:
    """So many short tasks take as long as it needs for them, wherever they run."""

    def program(caller: Any) -> Script:
        yield from caller.get(*[caller.submit("work") for _ in range(200)])

    world = cluster(Centralized, nodes=10, cpus=50)
    assert 200 * 0.5 < seconds(world, program) < 200 * 0.5 + 40


def test_what_is_lost_is_computed_again_one_lease_after_the_other() -> None:
    def program(caller: Any) -> Script:
        refs = [caller.submit("work")]
        for _ in range(4):
            refs.append(caller.submit("work", values=[refs[-1]]))
        yield from caller.get(refs[-1])

    def took(*faults: Crash) -> float:
        world = cluster(Leases, nodes=2, faults=faults, detection=1000.0)
        first, _ = world.populate(idle_head=True)
        world.start(first, program(first))
        world.run_all()
        return world.clock.now

    calm, crashed = took(), took(Crash(at=45.0, node=1))
    assert 50 < calm < 100
    assert crashed > calm + 1000 + 3 * SERVICES.expiry + 3 * 10


def test_what_was_put_and_is_lost_is_lost() -> None:
    def program(one: Any, other: Any) -> Script:
        object = yield from one.put(100)
        yield 10.0
        yield from other.get(object)

    world = cluster(Leases, faults=(Crash(at=5.0, node=1),))
    _, one, other = world.populate()
    world.start(other, program(one, other))
    with pytest.raises(DeadlockError, match=r"n1w3\.1 was put, and the last copy of it is lost"):
        world.run_all()


def test_a_model_knows_crashes_and_nothing_else() -> None:
    with pytest.raises(ValueError, match="a model knows only crashes"):
        cluster(Leases, faults=(Lossy(at=0.0, loss=0.5),)).populate()


def test_who_waits_for_ever_is_told() -> None:
    def program(world: Leases) -> Script:
        yield world.clock.event()

    world = cluster(Leases)
    caller, *_ = world.populate()
    world.start(caller, program(world))
    with pytest.raises(DeadlockError, match="1 scripts wait"):
        world.run_all()
