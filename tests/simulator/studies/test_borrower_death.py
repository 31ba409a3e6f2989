"""The study of a borrower's death: what must be so whatever the constants are."""

from __future__ import annotations

import pytest

from freehold.simulator.studies.borrower_death import RULES, STUDY, run
from freehold.simulator.studies.study import Rows

NODES = (4, 16)


@pytest.fixture(scope="module")
def rows() -> Rows:
    points = [{"nodes": n, "objects": objects, "rule": rule} for n in NODES for objects in (1, 50) for rule in RULES]
    return Rows([{**point, "seed": 0, **row} for point in points for row in run(point, 0)])


def test_everybody_is_asked_twice_and_answers_twice(rows: Rows) -> None:
    """Two questions and two answers for each node and each worker but those of whom nothing is to be heard."""
    asked, forgotten = (
        [rows.where(nodes=n, rule=rule, objects=50).over_seeds("events").middle for n in NODES] for rule in RULES
    )
    more = [one - other for one, other in zip(asked, forgotten, strict=True)]
    assert (more[1] - more[0]) / (NODES[1] - NODES[0]) == 8


def test_one_question_is_about_all_objects(rows: Rows) -> None:
    """What grows with them is the owner's work: each is let go."""
    for n in NODES:
        one, many = (rows.where(nodes=n, rule="everybody is asked", objects=objects) for objects in (1, 50))
        assert many.over_seeds("events").middle - one.over_seeds("events").middle < 10


def test_the_sentence_and_the_figure_say_what_the_rows_say(rows: Rows) -> None:
    assert STUDY.conclude(rows).startswith("With 16 nodes the death of a borrower of 50 objects costs ")
    (axes,) = STUDY.figures["borrower-death"](rows).axes
    assert axes.get_ylabel() == "messages after a death" and len(axes.get_lines()) == 4
