"""The ledger: descriptions are kept up to a bound; beyond it the oldest go until half of that is left."""

from __future__ import annotations

from typing import Any

import pytest
from immutables import Map

from freehold.core.ids import HEAD, worker_id
from freehold.core.ledger import Ledger
from freehold.core.policies import Policy
from freehold.core.task_events import LineageEvicted, LineageForgotten, LineageKept
from freehold.core.worker import Worker

BOUNDED = Worker(worker_id(HEAD, 1), Policy(lineage_bytes_max=100))


def ledger(**tasks: int) -> Ledger:
    sizes = {int(name[1:]): nbytes for name, nbytes in tasks.items()}
    return Ledger(nbytes=sum(sizes.values()), tasks=Map(sizes))


def test_what_is_kept_is_counted(step: Any) -> None:
    assert step(Ledger(), LineageKept(7, 60), BOUNDED) == (ledger(t7=60), ())
    assert step(ledger(t7=60), LineageKept(8, 40), BOUNDED) == (ledger(t7=60, t8=40), ())


def test_what_has_run_again_is_counted_once(step: Any) -> None:
    assert step(ledger(t7=60, t8=30), LineageKept(7, 70), BOUNDED) == (ledger(t7=70, t8=30), ())


@pytest.mark.rule(id="lineage-kept")
def test_beyond_the_bound_the_oldest_are_forgotten_until_half_is_left(step: Any) -> None:
    after, out = step(ledger(t9=20, t7=40, t8=30), LineageKept(10, 30), BOUNDED)
    assert after == ledger(t9=20, t7=40, t8=30, t10=30)
    assert out == (LineageEvicted(7), LineageEvicted(8))


def test_what_is_forgotten_frees_its_bytes(step: Any) -> None:
    assert step(ledger(t7=60, t8=30), LineageForgotten(7)) == (ledger(t8=30), ())
    assert step(ledger(t8=30), LineageForgotten(8)) == (None, ())
    assert step(ledger(t8=30), LineageForgotten(9)) == (ledger(t8=30), ())
