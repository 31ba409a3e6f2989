"""The study of promotion on borrow: what must be so whatever the constants are."""

from __future__ import annotations

from math import inf

import pytest

from freehold.simulator.studies.borrow import HOW, STUDY, run
from freehold.simulator.studies.study import Rows, crossing

SIZES, BORROWERS = (1 << 10, 1 << 20), (1, 8)


@pytest.fixture(scope="module")
def rows() -> Rows:
    points = [{"nbytes": n, "borrowers": count, "values": how} for n in SIZES for count in BORROWERS for how in HOW]
    return Rows([{**point, "seed": seed, **row} for point in points for seed in range(2) for row in run(point, seed)])


def test_a_reply_goes_to_each_borrower_and_a_copy_to_each_node(rows: Rows) -> None:
    for count in BORROWERS:
        large = rows.where(nbytes=SIZES[1], borrowers=count)
        assert large.where(values="in the reply").over_seeds("nbytes_sent").middle == pytest.approx(SIZES[1], rel=0.01)
        assert large.where(values="promoted").over_seeds("nbytes_sent").middle == pytest.approx(
            SIZES[1] / count, rel=0.01
        )


def test_promotion_pays_where_many_of_a_node_borrow(rows: Rows) -> None:
    assert crossing(rows.where(borrowers=1), "seconds", "values", HOW) == inf
    assert SIZES[0] < crossing(rows.where(borrowers=8), "seconds", "values", HOW) < SIZES[1]
    assert "never with 1 borrower on a node, above " in STUDY.conclude(rows)


def test_figures_mark_the_limit(rows: Rows) -> None:
    for draw in STUDY.figures.values():
        (axes,) = draw(rows).axes
        assert len(axes.get_lines()) == 1 + len(BORROWERS) * len(HOW) and axes.get_legend() is not None
