"""What a node's death takes with it is computed again, in every order in which that can happen."""

from __future__ import annotations

from typing import Any

import pytest

from freehold.core.execution import KEPT, RUNNING
from freehold.core.machine import unchanged
from freehold.core.task_events import ReturnGone, ReturnLost
from freehold.specs.explorer.automata import System
from freehold.specs.explorer.bounds import Bounds
from freehold.specs.explorer.independence import Independence
from freehold.specs.explorer.models import QUICK
from freehold.specs.explorer.search import Found
from freehold.specs.explorer.sharing import Sharing
from freehold.specs.mutants.faults import observed

(REBUILD,) = [bounds for bounds in QUICK if bounds.name == "rebuild"]


def explored(bounds: Bounds) -> Found:
    """Search a model by the tables alone."""
    return Independence(System(Sharing(bounds, strides=False))).explore()


@pytest.mark.slow
def test_what_was_lost_is_computed_again() -> None:
    with observed() as seen:
        found = explored(REBUILD)
    assert found.exhausted and found.violations == []
    assert {(KEPT, ReturnLost), (KEPT, ReturnGone), (RUNNING, ReturnGone)} <= seen.used


def test_a_loss_of_which_nothing_follows_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: dict[Any, Any] = KEPT.rows
    monkeypatch.setitem(rows, ReturnLost, unchanged)
    found = explored(REBUILD)
    assert "waits for ever" in found.violations[0][0]


def test_what_may_not_run_again_is_lost_for_good() -> None:
    with observed() as seen:
        found = explored(REBUILD._replace(processes=2, retries=0))
    assert found.exhausted and found.violations == []
    assert (KEPT, ReturnLost) not in seen.used
