"""Is the simulator right about this machine?  What measures, fits and compares, on figures that are known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

import freehold
from freehold.simulator.validation import calibration, measuring, validate
from freehold.simulator.validation.calibration import CONSTANTS, fit, written
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
    true = {"call": 7e-6, "copy": 3e-10, "local": 2e-6, "step": 3e-6}

    def seconds(name: str, costs: Mapping[str, float]) -> float:
        own = next(constant.names[0] for constant in CONSTANTS if constant.workload == name)
        return costs[own] + 0.1 * sum(costs[other] for other in true if costs[other] < 1e-9)

    def known(name: str, cluster: dict[str, Any], seed: int, repetitions: int) -> list[float]:
        return [seconds(name, cluster["costs"])]

    monkeypatch.setattr(calibration, "simulated", known)
    found = fit({name: seconds(name, true) for name in FITTED}, lambda what: None)
    for name, value in true.items():
        assert found["costs"][name] == pytest.approx(value, rel=0.01), name


def test_what_is_written_is_a_description(tmp_path: Any) -> None:
    costs = {"call": 3.5e-6, "copy": 5e-11, "pickle": 1e-10, "wake": 1.26e-5}
    (tmp_path / "machine.toml").write_text("\n".join(written({"machine": {"nodes": 2, "cores": 2.0}, "costs": costs})))
    description = read(tmp_path / "machine.toml")
    assert description.machine.cores == 2 and description.costs.wake == pytest.approx(1.26e-5)
    assert description.costs.copy == pytest.approx(5e-11)


FOUND = [
    Compared("round_trip", [[1.0, 1.0, 4.0], [2.0, 2.0, 4.0], [3.0, 3.0, 4.0]], [[2.0, 2.0, 2.0]] * 3),
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
    assert [line[0] for line in lines] == ["round_trip", "zigzag", "tree"] and {len(line) for line in lines} == {
        len(head)
    }
    said = conclude(FOUND)
    assert (
        "Over 2 workloads that were not fitted the median is off by 30%" in said and "50% at the most, in tree" in said
    )
    (axes,) = draw(FOUND).axes
    assert axes.get_xlabel() == "measured (ms)"


def test_they_are_run_by_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def really(name: str) -> list[float]:
        order.append(f"really {name}")
        return [1.0]

    def simulated(name: str, cluster: dict[str, Any], seed: int) -> list[float]:
        order.append(f"simulated {name}")
        return [2.0]

    monkeypatch.setattr(validate, "really", really)
    monkeypatch.setattr(validate, "simulated", simulated)
    found = validate.validate({}, 2, lambda what: None)
    assert order[:3] == ["really put_large", "simulated put_large", "really round_trip"] and len(order) == 4 * len(ALL)
    assert all(one.error(0.5) == 1.0 for one in found)


def test_the_middle_of_few() -> None:
    assert [quantile([3.0, 1.0, 2.0], part) for part in (0.0, 0.5, 0.99, 1.0)] == [1.0, 2.0, 3.0, 3.0]
