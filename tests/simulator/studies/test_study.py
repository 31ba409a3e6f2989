"""What is made of rows: the middle, how far seeds differ, and where two lines cross."""

from __future__ import annotations

from math import inf

import pytest

from freehold.simulator.studies.study import Rows, crossing, crossings


@pytest.mark.parametrize(
    ("inline", "found"),
    [((1.0, 2.0, 4.0), 0.0), ((4.0, 4.0, 4.0), 1.0), ((0.5, 1.0, 2.0), 100.0), ((1.0, 1.0, 1.0), inf)],
)
def test_where_two_lines_cross(inline: tuple[float, ...], found: float) -> None:
    """Between two sizes by their logarithms; if promoting pays everywhere it is the smallest."""
    sizes, promoted = (1, 100, 10_000), (1.0, 1.0, 1.0)
    some = [
        {"nbytes": size, "values": how, "seed": 0, "seconds": seconds}
        for how, times in (("inline", inline), ("promoted", promoted))
        for size, seconds in zip(sizes, times, strict=True)
    ]
    assert crossing(Rows(some), "seconds", "values", ("inline", "promoted")) == pytest.approx(found or 1.0)


def test_where_two_lines_cross_over_seeds() -> None:
    some = [
        {"nbytes": size, "way": way, "seed": seed, "cost": cost}
        for seed, crosses in enumerate((10, 100, 1000))
        for size in (1, 10, 100, 1000, 10_000)
        for way, cost in (("one", size / crosses), ("other", 1.0))
    ]
    found = crossings(Rows(some), "cost", "way", ("one", "other"))
    assert found == pytest.approx((100, 10, 1000))
