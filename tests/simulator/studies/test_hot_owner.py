"""The study of a hot owner: what must be so whatever the constants are."""

from __future__ import annotations

import pytest

from freehold.simulator.studies.hot_owner import STUDY, most, run
from freehold.simulator.studies.study import Rows

READERS = (1, 4, 32)


@pytest.fixture(scope="module")
def rows() -> Rows:
    points = [{"readers": readers, "values": values} for values in STUDY.axes["values"] for readers in READERS]
    return Rows([{**point, "seed": seed, **row} for point in points for seed in range(2) for row in run(point, seed)])


@pytest.mark.parametrize("how", STUDY.axes["values"])
def test_more_readers_are_served_until_the_owner_is_busy(rows: Rows, how: str) -> None:
    """Then they wait: with eight times as many for about eight times as long."""
    one, some, many = (rows.where(readers=readers, values=how) for readers in READERS)
    assert one.over_seeds("served").middle < some.over_seeds("served").middle < many.over_seeds("served").middle * 1.05
    assert many.over_seeds("median").middle > 4 * some.over_seeds("median").middle
    for row in rows:
        assert row["median"] <= row["p99"]


def test_the_sentence_and_the_figures_say_what_the_rows_say(rows: Rows) -> None:
    found = most(rows.where(values="in the reply"))
    assert f"{found.middle:,.0f} a second if small values are in the reply" in STUDY.conclude(rows)
    for draw in STUDY.figures.values():
        (axes,) = draw(rows).axes
        assert axes.get_xlabel() == "readers" and axes.get_legend() is not None
