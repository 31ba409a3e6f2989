"""The study of stores over time: what must be so whatever the constants are."""

from __future__ import annotations

import pytest

from freehold.simulator.studies.store import KINDS, NODES, STORE, STUDY, run
from freehold.simulator.studies.study import Rows


@pytest.fixture(scope="module")
def rows() -> Rows:
    return Rows([{"rounds": 2, "seed": 0, **row} for row in run({"rounds": 2}, 0)])


def test_stores_hold_no_more_than_they_can_and_nothing_longer_than_it_is_needed(rows: Rows) -> None:
    total = [sum(row[kind] for kind in KINDS) for row in rows]
    assert 0 < max(total) <= NODES * STORE
    assert all(any(row[kind] for row in rows) for kind in KINDS)
    assert min(total[total.index(max(total)) :]) < max(total) / 4
    at = [row["seconds"] for row in rows]
    assert at == sorted(at)


def test_the_sentence_and_the_figure_say_what_the_rows_say(rows: Rows) -> None:
    assert "2 GiB are shuffled through 4 stores of 512 MiB" in STUDY.conclude(rows)
    (axes,) = STUDY.figures["store-over-time"](rows).axes
    assert axes.get_ylabel() == "in all stores (MiB)"
