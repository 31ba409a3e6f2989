"""The study of a busy owner: what must be so whatever the constants are."""

from __future__ import annotations

import pytest

from freehold.simulator.studies import load
from freehold.simulator.studies.load import QUANTILES, STUDY, run, slowest
from freehold.simulator.studies.study import Rows

RATES, SIZES = (2e3, 36e3, 42e3), (100, 10_240)


@pytest.fixture(scope="module")
def rows() -> Rows:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load, "READS", 400)
        points = [{"rate": rate, "nbytes": nbytes} for rate in RATES for nbytes in SIZES]
        return Rows(
            [{**point, "seed": seed, **row} for point in points for seed in range(2) for row in run(point, seed)]
        )


def test_quantiles_ascend(rows: Rows) -> None:
    for rate in RATES:
        found = [rows.where(rate=rate, nbytes=100, seed=0, quantile=q).rows[0]["seconds"] for q in QUANTILES]
        assert found == sorted(found) and found[0] > 0


@pytest.mark.parametrize("nbytes", SIZES)
def test_who_is_asked_more_often_answers_later(rows: Rows, nbytes: int) -> None:
    idle, busy, flooded = (slowest(rows, rate, nbytes).middle for rate in RATES)
    assert idle < busy < flooded


def test_the_sentence_and_the_figures_say_what_the_rows_say(rows: Rows) -> None:
    assert "One in a hundred resolutions of 100 B takes" in STUDY.conclude(rows)
    (axes,) = STUDY.figures["load-distribution"](rows).axes
    assert axes.get_ylabel() == "part of the resolutions" and len(axes.get_lines()) == len(RATES)
    axes, bar = STUDY.figures["load-heat"](rows).axes
    assert len(axes.texts) == len(RATES) * len(SIZES) and "99th percentile" in bar.get_ylabel()
