"""Is the simulator right about this machine?  What measures, fits and compares, on figures that are known."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

import freehold
from freehold.backends.local import driver, spin
from freehold.simulator.validation import calibration, measuring, validate
from freehold.simulator.validation.calibration import CONSTANTS, SHARE, Constant, Measured, fit, written
from freehold.simulator.validation.machine import between_processes, first_touch
from freehold.simulator.validation.measuring import MeasuringFailed, ask, quantile
from freehold.simulator.validation.validate import Compared, conclude, draw, table
from freehold.simulator.validation.workloads import ALL, CPUS, FITTED, NODES, PREDICTED, measure
from freehold.simulator.world.description import read


@pytest.mark.parametrize("name", ALL)
def test_each_workload_runs_and_takes_time(name: str) -> None:
    with freehold.init(backend="sim", num_nodes=NODES, num_cpus=CPUS):
        found = measure(name, 5, 1)
    assert len(found) == 5 and min(found) > 0


def test_no_more_than_four_are_fitted_and_at_least_twelve_predicted() -> None:
    assert len(FITTED) <= 4 and len(PREDICTED) >= 12
    assert {constant.workload for constant in CONSTANTS} <= FITTED.keys()


def test_a_process_of_its_own_measures_the_same_each_time() -> None:
    once, again = (measuring.simulated("round_trip", {}, 1, 3) for _ in range(2))
    assert once == again


def test_a_workload_that_fails_is_named() -> None:
    with pytest.raises(MeasuringFailed, match="nowhere on sim ended with 1: KeyError: 'nowhere'"):
        ask("sim", "nowhere", "1", "0")


def test_constants_are_found_that_take_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    true = {"put_large": 3e-10, "pipelined": 7e-6, "chain": 2e-5, "many_refs": 3e-6}

    def constant_of(one: Constant, costs: dict[str, float]) -> float:
        (part, times), *_ = one.parts.items()
        return costs[part] / times

    def known(name: str, cluster: dict[str, Any], seed: int, repetitions: int) -> list[float]:
        costs = cluster["costs"]
        own, others = [
            [constant_of(one, costs) for one in CONSTANTS if (one.workload == name) is mine] for mine in (True, False)
        ]
        return [own[0] + 0.01 * sum(others) * own[0]] * 99 + [own[0] + costs.get("interruption", 0.0)]

    monkeypatch.setattr(calibration, "simulated", known)
    runs = {name: [[seconds] * 99 + [seconds + 2e-4]] * 3 for name, seconds in true.items()}
    found = fit(Measured([1e9, 2e9, 3e9], [1e-5, 3e-5, 2e-5], [0.0] * 3, [0.0, 1e-10, 4e-10], runs), lambda what: None)
    for constant in CONSTANTS:
        for name, times in constant.parts.items():
            assert found["costs"][name] == pytest.approx(times * true[constant.workload], rel=0.02), name
    assert found["costs"]["touch"] == 1e-10
    assert found["costs"]["wake"] == 2e-5 and found["network"]["bandwidth"] == 2e9
    assert found["costs"]["interruption"] == pytest.approx(2e-4, rel=0.2)
    assert found["costs"]["calm"] * SHARE == found["costs"]["interruption"]


def test_processes_spin_as_long_as_they_really_do_and_hold_as_much_back() -> None:
    assert calibration.SPIN_SECONDS == spin.SPIN_SECONDS and calibration.HOLD_MAX == driver.HOLD_MAX


def test_two_processes_reach_each_other() -> None:
    before = os.sched_getaffinity(0)
    rate, wake, linger = between_processes()
    assert rate > 0 and wake + linger > 0 <= wake and os.sched_getaffinity(0) == before


def test_memory_takes_longest_the_first_time() -> None:
    assert 0 <= first_touch() < 1e-6  # where memory is there already it takes no longer


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="each node has a processor of its own")
def test_the_processes_of_a_node_run_on_one_processor() -> None:
    code = (
        "import freehold, os; from freehold.simulator.validation import measuring;"
        "c = freehold.init(num_nodes=2, num_cpus=1); measuring.pin();"
        "where = [freehold.remote(os.sched_getaffinity).options(resources={f'node:{n}': 1}) for n in (0, 1)];"
        "print([os.sched_getaffinity(0), *freehold.get([task.remote(0) for task in where])]);"
        "freehold.shutdown()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    first, other = measuring.processors()
    assert done.stdout.strip() == str([{first}, {first}, {other}])


def test_what_is_written_is_a_description(tmp_path: Any) -> None:
    costs = {"call": 3.5e-6, "copy": 5e-11, "pickle": 1e-10, "touch": 2e-10, "wake": 1.26e-5}
    (tmp_path / "machine.toml").write_text("\n".join(written({"machine": {"nodes": 2, "cores": 2.0}, "costs": costs})))
    description = read(tmp_path / "machine.toml")
    assert description.machine.cores == 2 and description.costs.wake == pytest.approx(1.26e-5)
    assert description.costs.copy == pytest.approx(5e-11) and description.costs.touch == pytest.approx(2e-10)


FOUND = [
    Compared("chain", [[1.0, 1.0, 4.0], [2.0, 2.0, 4.0], [3.0, 3.0, 4.0]], [[2.0, 2.0, 2.0]] * 3),
    Compared("zigzag", [[2.0] * 3] * 3, [[2.2] * 3] * 3),
    Compared("tree", [[2.0] * 3] * 3, [[1.0] * 3] * 3),
]


def test_errors_and_spreads() -> None:
    one, zigzag, tree = FOUND
    assert (one.error(0.5), one.spread(0.5), one.beyond(0.5)) == (0.0, 0.5, 0.0)
    assert one.error(0.99) == -0.5
    assert zigzag.error(0.5) == pytest.approx(0.1) and tree.beyond(0.99) == 0.5
    assert (one.fitted, zigzag.fitted) == (True, False)


def test_all_is_told() -> None:
    head, *lines = table(FOUND)
    assert [line[0] for line in lines] == ["chain", "zigzag", "tree"] and {len(line) for line in lines} == {len(head)}
    said = conclude(FOUND)
    assert "Over 2 workloads that were not fitted the median is off by 30% on average, 30% beyond" in said
    assert "at the most by 50% in tree and by 50% beyond that in tree" in said
    (axes,) = draw(FOUND).axes
    assert axes.get_xlabel() == "measured (ms)"


def test_they_are_run_by_turns_and_simulated_as_often(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def really(name: str) -> list[float]:
        order.append(f"really {name}")
        return [1.0]

    def simulated(name: str, cluster: dict[str, Any], seed: int) -> list[float]:
        order.append(f"simulated {name} {seed}")
        return [2.0]

    monkeypatch.setattr(calibration, "really", really)
    monkeypatch.setattr(calibration, "between_processes", lambda: (1e9, 1e-5, 0.0))
    monkeypatch.setattr(validate, "simulated", simulated)
    measured = calibration.measure(lambda what: None, ["tree", "zigzag"], 2)
    found = validate.predict({}, measured, lambda what: None)
    assert order == [
        *("really tree", "really zigzag") * 2,
        *("simulated tree 0", "simulated tree 1", "simulated zigzag 0", "simulated zigzag 1"),
    ]
    assert measured.rates == [1e9] * 2 and all(one.error(0.5) == 1.0 for one in found)


def test_the_middle_of_few() -> None:
    assert [quantile([3.0, 1.0, 2.0], part) for part in (0.0, 0.5, 0.99, 1.0)] == [1.0, 2.0, 3.0, 3.0]
