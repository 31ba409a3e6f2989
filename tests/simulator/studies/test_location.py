"""The study of the choice of a location: what must be so whatever the constants are."""

from __future__ import annotations

import pytest

from freehold.simulator.studies.location import COPIES, NBYTES, PER_RACK, RACKS, STUDY, place, run
from freehold.simulator.studies.study import Rows


@pytest.fixture(scope="module")
def rows() -> Rows:
    points = [{"oversubscription": shares, "copy": copy} for shares in (1.0, 8.0) for copy in STUDY.axes["copy"]]
    return Rows([{**point, "seed": seed, **row} for point in points for seed in range(2) for row in run(point, seed)])


def test_any_copy_is_further_away_than_the_nearest(rows: Rows) -> None:
    near, far = (rows.where(oversubscription=8.0, copy=copy).over_seeds("median") for copy in STUDY.axes["copy"])
    assert far.least > 1.3 * near.most


def test_every_reader_has_all_bytes_once(rows: Rows) -> None:
    """What comes to a node that reads is the object and some messages; no cable carries more than it can."""
    some = rows.where(oversubscription=1.0, copy="any", seed=0)
    readers = {f"n{index}" for index in range(PER_RACK * RACKS) if index % PER_RACK >= COPIES}
    for row in some:
        assert row["load"] <= 1.001
        if row["link"].split("->")[1] in readers:
            assert NBYTES <= row["load"] * 1.25e9 * row["all"] < NBYTES * 1.01


def test_the_sentence_and_the_figures_say_what_the_rows_say(rows: Rows) -> None:
    assert "oversubscribed 8:1" in STUDY.conclude(rows)
    for name in ("location-nearest", "location-any"):
        axes, bar = STUDY.figures[name](rows).axes
        assert bar.get_ylabel() == "load of a cable"
    (axes,) = STUDY.figures["location-waits"](rows).axes
    assert axes.get_xlabel() == "oversubscription of a rack"
    assert place("n9")[1] < place("rack1")[1] < place("spine0")[1]
