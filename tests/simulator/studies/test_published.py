"""What others have measured, simulated: points that take no time, and what the sentence and the table say of them."""

from __future__ import annotations

import pytest

from freehold.simulator.published import locality, throughput
from freehold.simulator.published.points import fitted, points
from freehold.simulator.published.worlds import Way
from freehold.simulator.studies.published import STUDY, error, order, run, simulated, table
from freehold.simulator.studies.study import Rows

QUICK = [name for name, point in points().items() if point.row in ("F1", "F12") or point.at == 1000]
QUICK += [name for name, point in points().items() if point.at == 10 and "large" not in point.series]


@pytest.fixture(scope="module")
def rows() -> Rows:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(locality, "TASKS", 40)
        patch.setattr(throughput, "CALLS", 200)
        some = [{"point": name, "contention": contention} for name in QUICK for contention in ("on", "off")]
        return Rows([{**point, "seed": 0, **row} for point in some for row in run(point, 0)])


def test_predicted_points_are_near_what_was_published(rows: Rows) -> None:
    values = simulated(rows)
    typical, most, _ = error(values, [name for name in values if name not in fitted()])
    assert typical < 1.1 and most < 1.5


def test_the_published_order_is_kept(rows: Rows) -> None:
    same, pairs = order(simulated(rows), "F1")
    assert same == pairs > 5


def test_all_is_told(rows: Rows) -> None:
    lines = [*table(rows)]
    assert {line[0] for line in lines[1:] if any(line[1:])} == set(QUICK)
    assert sum(line[-1] == "fitted" for line in lines) == len(fitted() & set(QUICK))
    assert f"Of {len(QUICK)} published points" in STUDY.conclude(rows)


@pytest.mark.parametrize("scheme", ["ownership", "leases"])
def test_throughput_grows_with_nodes_but_not_on_one(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throughput, "TASKS", 10)
    few, many = (throughput.spread(Way(scheme), nodes) for nodes in (5, 60))
    assert many == pytest.approx(12 * few, rel=0.15)
    crowded = throughput.colocated(Way(scheme), 60)  # twelve drivers on eight cores
    assert crowded < 0.9 * many
