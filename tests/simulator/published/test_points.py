"""What is published, and where the constants come from."""

from __future__ import annotations

import pytest

from freehold.simulator.published.points import Point, clusters, fitted, points, rows
from freehold.simulator.published.worlds import Way, world

MAY_BE_FITTED = {name for name, point in points().items() if point.row in ("F1", "F12")}
MAY_BE_FITTED |= {name for name, point in points().items() if point.row in ("F3", "F4") and point.at == 20}
MAY_BE_FITTED |= {f"{row} centralized 100" for row in ("F3", "F4")}  # it is not seen to be full before
MAY_BE_FITTED |= {name for name, point in points().items() if "small" in point.series and point.at == 1000}


def test_no_constant_comes_from_a_point_that_is_predicted() -> None:
    assert fitted() <= MAY_BE_FITTED
    assert len(points()) - len(fitted()) >= 0.6 * len(points())


@pytest.mark.parametrize("name", clusters())
def test_each_constant_names_its_source(name: str) -> None:
    for key, constant in clusters()[name].constants.items():
        assert set(constant.points) <= points().keys(), key
        assert bool(constant.points) is not bool(constant.source), key
        assert constant.how or constant.source, key


@pytest.mark.parametrize("name", clusters())
def test_each_cluster_can_be_simulated(name: str) -> None:
    description = clusters()[name].description(3, 2)
    assert (description.nodes, description.cpus) == (3, 2)
    assert description.network.bandwidth in (9.69e9 / 8, 25e9 / 8)


def test_a_range_is_met_by_all_that_lies_in_it() -> None:
    point = Point("F8", "series", 10, 10.0, 40.0)
    assert [point.ratio(value) for value in (5.0, 10.0, 20.0, 40.0, 80.0)] == [0.5, 1.0, 1.0, 1.0, 2.0]
    assert point.value == 20.0


def test_each_row_has_a_value_for_each_place_of_its_axis() -> None:
    for name, row in rows().items():
        assert row.source and row.within >= 1.0, name
        assert {len(values) for values in row.series.values()} == {len(row.at)}, name


@pytest.mark.parametrize("scheme", ["ownership", "by value", "leases", "centralized"])
def test_all_schemes_run_the_same_script(scheme: str) -> None:
    cluster = world("m5.8xlarge", Way(scheme), 2, 1, {})
    one, *_ = cluster.populate()
    found = []

    def program():
        found.append((yield from one.get((yield from one.put(100)))))

    cluster.start(one, program())
    cluster.run_all()
    assert found == [None]
