"""The study of the inline threshold: what must be so whatever the constants are."""

from __future__ import annotations

from math import inf

import pytest

from freehold.simulator.studies.study import Rows, crossing
from freehold.simulator.studies.threshold import HOW, STUDY, run

SIZES, USES = (1 << 10, 1 << 20), (1, 8)


@pytest.fixture(scope="module")
def rows() -> Rows:
    points = [{"nbytes": nbytes, "uses": uses, "values": how} for nbytes in SIZES for uses in USES for how in HOW]
    return Rows([{**point, "seed": seed, **row} for point in points for seed in range(2) for row in run(point, seed)])


def test_an_inline_value_is_sent_for_each_use_and_a_promoted_one_once(rows: Rows) -> None:
    for uses in USES:
        large = rows.where(nbytes=SIZES[1], uses=uses)
        assert large.where(values="inline").over_seeds("nbytes_sent").middle == pytest.approx(SIZES[1], rel=0.01)
        assert large.where(values="promoted").over_seeds("nbytes_sent").middle == pytest.approx(
            SIZES[1] / uses, rel=0.01
        )


def test_promotion_pays_where_a_large_value_is_used_often(rows: Rows) -> None:
    assert SIZES[0] < crossing(rows.where(uses=8), "seconds", "values", HOW) < SIZES[1]
    assert crossing(rows.where(uses=1), "seconds", "values", HOW) == inf  # the value crosses the cable once, either way
    assert "never for 1 use, above " in STUDY.conclude(rows)


def test_figures_mark_the_limit(rows: Rows) -> None:
    for draw in STUDY.figures.values():
        (axes,) = draw(rows).axes
        assert len(axes.get_lines()) == 1 + len(USES) * len(HOW) and axes.get_legend() is not None
