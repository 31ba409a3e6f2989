"""What breaks in a simulated cluster: programs find the same values, later; in bad weather all scenarios do."""

from __future__ import annotations

import time
from typing import Any

import pytest
from msgspec.structs import replace

import freehold
from freehold.core.errors import FreeholdError
from freehold.simulator.world.description import described
from freehold.simulator.world.faults import calls, needs_wires
from freehold.specs.conformance import run
from freehold.specs.scenario import Scenario, hosts, scenarios

BAD_WEATHER = {"faults": [{"kind": "lossy", "at": 0.0, "loss": 0.1, "duplication": 0.1, "delay": "1 ms"}]}
MIB = 2**20


class Noted:
    """A cluster that takes down how it breaks."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: self.told.append((name, *args, *kwargs.values()))


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"kind": "crash", "node": 1, "at": 2.0}, [(2.0, "crash", 1)]),
        ({"kind": "crash", "node": 1, "at": 2.0, "restart": 3.0}, [(2.0, "crash", 1), (5.0, "replace", 1)]),
        (
            {"kind": "partition", "between": [0, 1], "at": 1.0, "until": 4.0},
            [(1.0, "divide", 0, 1), (1.0, "divide", 1, 0), (4.0, "divide", 0, 1, True), (4.0, "divide", 1, 0, True)],
        ),
        (
            {"kind": "partition", "between": [0, 1], "at": 1.0, "one_way": True},
            [(1.0, "divide", 0, 1), (float("inf"), "divide", 0, 1, True)],
        ),
        (
            {"kind": "slow", "node": 1, "factor": 4.0, "at": 1.0, "until": 2.0},
            [(1.0, "slow_down", 1, 4.0), (2.0, "slow_down", 1, 0.25)],
        ),
        (
            {"kind": "slow", "cable": ["n1", "switch"], "factor": 4.0, "at": 1.0, "until": 2.0},
            [(1.0, "narrow", ("n1", "switch"), 4.0), (2.0, "narrow", ("n1", "switch"), 0.25)],
        ),
        (
            {"kind": "lossy", "loss": 0.5, "at": 1.0, "until": 2.0},
            [(1.0, "worsen", (0.5, 0.0, 0.0)), (2.0, "worsen", (0.5, 0.0, 0.0), True)],
        ),
    ],
)
def test_what_a_fault_does(fault: dict[str, Any], told: list[Any]) -> None:
    (one,), cluster, found = described({"nodes": 2, "faults": [fault]}).faults, Noted(), []
    for at, call in calls(one, cluster):
        call()
        found.append((at, *cluster.told.pop()))
    assert found == told
    assert needs_wires([one]) is (fault["kind"] in ("partition", "lossy"))


def seconds_with(sim: Any, *faults: dict[str, Any], **more: Any) -> tuple[float, int]:
    """Run 40 tasks of half a second on 8 CPUs that break; return how long that took, and how many nodes are left."""
    sim(num_nodes=4, cluster={"cpus": 2, "faults": faults, **more})

    @freehold.remote
    def same(i: int) -> int:
        time.sleep(0.5)
        return i

    began = time.monotonic()
    assert freehold.get([same.remote(i) for i in range(40)]) == [*range(40)]
    took, nodes = time.monotonic() - began, len(freehold.nodes())
    freehold.shutdown()
    return took, nodes


def test_tasks_on_a_cluster_that_breaks(sim: Any) -> None:
    """A node that dies costs its tasks' time; one that is replaced, slow, or apart for a while, something as well."""
    calm, _ = seconds_with(sim)
    assert 2.5 < calm < 2.51
    died, nodes = seconds_with(sim, {"kind": "crash", "node": 2, "at": 1.1})
    assert (round(died - calm, 1), nodes) == (0.5, 3)
    again, nodes = seconds_with(sim, {"kind": "crash", "node": 2, "at": 1.1, "restart": 0.2}, detection=0.1)
    assert calm < again and nodes == 4
    apart, _ = seconds_with(sim, {"kind": "partition", "between": [0, 2], "at": 1.1, "until": 1.8})
    assert calm < apart
    slow, _ = seconds_with(sim, {"kind": "slow", "node": 2, "factor": 1000.0, "at": 0.0})
    assert calm < slow


def test_a_slow_cable(sim: Any) -> None:
    """Two MiB at 100 Mbit/s instead of 10 Gbit/s; when the cable is as before, so is the time."""

    def seconds(*faults: dict[str, Any]) -> float:
        sim(num_nodes=3, cluster={"faults": faults})

        @freehold.remote(node=2)
        def make() -> bytes:
            return bytes(2 * MIB)

        ref = make.remote()
        freehold.wait([ref], fetch_local=False)
        time.sleep(1.0)
        began = time.monotonic()
        assert len(freehold.get(ref)) == 2 * MIB
        took = time.monotonic() - began
        freehold.shutdown()
        return took

    narrow = {"kind": "slow", "cable": ["n2", "switch"], "factor": 100.0, "at": 0.0}
    calm = seconds()
    assert seconds(narrow) - calm == pytest.approx(2 * MIB * 8 * (1e-8 - 1e-10), rel=0.02)
    assert seconds(narrow | {"until": 0.5}) == pytest.approx(calm, rel=1e-6)


def test_who_cannot_be_reached_for_long_is_dead(sim: Any) -> None:
    """What n0 sends to n2 is lost: when the tries are used up its tasks run again elsewhere."""
    took, _ = seconds_with(sim, {"kind": "partition", "between": [0, 2], "one_way": True, "at": 1.1})
    assert 12.75 < took < 20


def test_the_same_seed_breaks_the_same(sim: Any) -> None:
    lossy = {"kind": "lossy", "at": 0.0, "loss": 0.3, "duplication": 0.3, "delay": "10 ms"}
    first, again = seconds_with(sim, lossy), seconds_with(sim, lossy)
    assert first == again and first[0] > 2.6


@pytest.mark.parametrize(
    "program", [one for one in scenarios() if not one.obstacle(hosts("sim"), 3)], ids=lambda one: one.name
)
def test_a_scenario_in_bad_weather(program: Scenario) -> None:
    """A lossy world keeps the same contract: values and errors are the same, and nothing is left."""
    run("sim", replace(program, init={**program.init, "cluster": BAD_WEATHER}), 3)


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        ("kind = 'crash'\nnode = 3\nat = 1", "cluster.toml:4: there are 3 nodes, from 0 on, and no 3"),
        ("kind = 'partition'\nbetween = [0, 7]\nat = 1", "cluster.toml:4: there are 3 nodes, from 0 on, and no 7"),
        ("kind = 'slow'\nfactor = 2.0\nat = 1", "cluster.toml:3: say which node or cable is slow"),
        ("kind = 'slow'\ncable = ['n0', 'n1']\nfactor = 2.0\nat = 1", "cluster.toml:4: no cable is between"),
        ("kind = 'lossy'\nat = 2\nuntil = '1 s'", "cluster.toml:5: it is over before it begins: 1 s"),
        ("kind = 'crash'\nnode = 0\nat = 1", "cluster.toml:4: Expected `int` >= 1: 0"),
    ],
)
def test_what_cannot_break_is_refused(fault: str, what: str, tmp_path: Any) -> None:
    path = tmp_path / "cluster.toml"
    path.write_text(f"nodes = 3\n[[faults]]\n{fault}\n")
    with pytest.raises(ValueError, match=what.replace("[", r"\[")):
        freehold.init(backend="sim", cluster=path)


def test_who_speaks_to_a_node_that_crashed_hears_nothing_until_it_is_missed() -> None:
    """The first words to it told that it was dead, before anybody had missed it."""

    @freehold.remote(resources={"node:1": 0.001})
    def there(value: int) -> int:
        time.sleep(1)
        return value

    cluster = {"nodes": 2, "detection": "10 s", "faults": [{"kind": "crash", "node": 1, "at": "0.5 s"}]}
    with freehold.init(backend="sim", cluster=cluster):
        first = there.remote(1)
        time.sleep(1)  # the node is dead, and nobody knows
        second = there.options(max_retries=0).remote(2)
        ready, _ = freehold.wait([first, second], timeout=5)
        assert not ready
        with pytest.raises(FreeholdError):
            freehold.get([first, second])
        assert 10.5 <= time.monotonic() < 12
