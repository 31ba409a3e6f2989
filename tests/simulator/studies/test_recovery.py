"""The study of what follows the death of a node: what must be so whatever the constants are."""

from __future__ import annotations

import pytest

from freehold.simulator.studies.recovery import STUDY, TASK, run
from freehold.simulator.studies.study import Rows


@pytest.fixture(scope="module")
def rows() -> Rows:
    axes = [(depth, detection, backoff) for depth in (1, 4) for detection in (0.0, 2.0) for backoff in (0.05, 1.0)]
    points = [{"depth": depth, "detection": detection, "backoff": backoff} for depth, detection, backoff in axes]
    return Rows([{**point, "seed": 0, **row} for point in points for row in run(point, 0)])


@pytest.mark.parametrize("depth", [1, 4])
def test_a_stall_is_the_time_until_the_node_is_missed_and_that_of_what_is_done_again(rows: Rows, depth: int) -> None:
    soon, late = (rows.where(depth=depth, detection=seconds, backoff=0.05).rows[0] for seconds in (0.0, 2.0))
    assert depth * TASK <= soon["stall"] < depth * TASK + 0.1
    assert late["stall"] == pytest.approx(soon["stall"] + 2.0, abs=0.02)
    assert 0 < late["lost"] < 16


def test_who_waits_is_told_and_needs_no_timer(rows: Rows) -> None:
    for row in rows.where(backoff=0.05):
        (other,) = rows.where(depth=row["depth"], detection=row["detection"], backoff=1.0)
        assert other["stall"] == pytest.approx(row["stall"], rel=0.01)


def test_the_sentence_and_the_figure_say_what_the_rows_say(rows: Rows) -> None:
    assert "each the end of 4 tasks of 50 ms, and is missed after 2 s" in STUDY.conclude(rows)
    (axes,) = STUDY.figures["recovery-stall"](rows).axes
    assert len(axes.get_lines()) == 2


def test_without_the_default_back_off_the_next_one_is_drawn(rows: Rows) -> None:
    (axes,) = STUDY.figures["recovery-stall"](rows.where(backoff=1.0)).axes
    assert [len(line.get_path()) for line in axes.get_lines()] == [2, 2]
