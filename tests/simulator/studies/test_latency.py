"""The study of latency: what must be so whatever the constants are."""

from __future__ import annotations

import pytest

from freehold.simulator.studies.latency import DISTANCES, STEPS, STUDY, run
from freehold.simulator.studies.study import Rows

SIZES = (100, 1 << 20)


@pytest.fixture(scope="module")
def rows() -> Rows:
    points = [{"nbytes": nbytes, "distance": distance} for nbytes in SIZES for distance in DISTANCES]
    return Rows([{**point, "seed": seed, **row} for point in points for seed in range(2) for row in run(point, seed)])


def test_what_is_farther_or_larger_takes_longer(rows: Rows) -> None:
    for nbytes in SIZES:
        near, rack, far = (rows.where(nbytes=nbytes, distance=one).over_seeds("median").middle for one in DISTANCES)
        assert near < rack < far
    for distance in DISTANCES[1:]:
        small, large = (rows.where(nbytes=nbytes, distance=distance).over_seeds("median").middle for nbytes in SIZES)
        assert small < (1 << 20) / 1.25e9 < large


def test_the_steps_are_the_whole(rows: Rows) -> None:
    for row in rows:
        assert sum(row[step] for step in STEPS) == pytest.approx(row["median"], rel=0.1)


def test_the_sentence_and_the_figures_say_what_the_rows_say(rows: Rows) -> None:
    said = STUDY.conclude(rows)
    assert said.startswith("The first read of 100 B takes ") and "of 1 MiB" in said and "over 2 seeds" in said
    for draw in STUDY.figures.values():
        (axes,) = draw(rows).axes
        assert axes.get_xlabel() == "object size" and axes.get_ylabel().endswith((")", "%)"))
        assert axes.get_legend() is not None
