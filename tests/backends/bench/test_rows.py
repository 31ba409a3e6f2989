"""The rows as data: names, units, what a figure is and which of two is better."""

import pytest

from freehold.backends.bench.contenders import OURS
from freehold.backends.bench.contenders.limits import LIMITS
from freehold.backends.bench.contenders.ours import OURS as OURSELVES
from freehold.backends.bench.rows import LARGE, ROWS, Row

RATE = Row(name="tasks", title="tasks", unit="/s", amount=1000)
FLOW = Row(name="put", title="put", unit="GiB/s", amount=2**30)
TIME = Row(name="get", title="get", unit="us")


def test_every_row_has_a_name_of_its_own() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_freehold_does_every_row() -> None:
    done = {probe for probe, _ in [*OURSELVES.rates, *OURSELVES.wholes]}
    assert {row.function for row in ROWS} == done
    assert OURS.title == OURSELVES.name


def test_every_limit_belongs_to_a_row() -> None:
    assert {probe for probe, _ in [*LIMITS.rates, *LIMITS.wholes]} <= {row.function for row in ROWS}


@pytest.mark.parametrize("row", [row for row in ROWS if row.target_part is not None], ids=lambda row: row.name)
def test_a_limit_that_a_target_is_a_part_of_is_measured(row: Row) -> None:
    assert row.target_part is not None
    assert (row.function, row.target_part[0]) in LIMITS.rates


def test_rows_of_one_kind_share_a_probe() -> None:
    kinds = {(row.function, row.kind, row.nodes) for row in ROWS}
    assert len({function for function, _, _ in kinds}) == len(kinds)


def test_a_call_becomes_a_figure() -> None:
    assert RATE.figure(0.5) == 2000
    assert FLOW.figure(0.25) == 4
    assert TIME.figure(0.000_02) == pytest.approx(20)
    by_name = {row.name: row for row in ROWS}
    assert by_name["put-warm"].figure(1.0) == pytest.approx(LARGE / 2**30)
    assert by_name["nodes-small"].figure(0.001) == pytest.approx(1.0)


def test_better_is_more_of_a_rate_and_less_of_a_time() -> None:
    assert RATE.times_better(200, 100) == 2
    assert TIME.times_better(200, 100) == 0.5
