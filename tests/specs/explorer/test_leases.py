"""Leases are searched by themselves: owners that come to have tasks, and nodes that lend them workers."""

from __future__ import annotations

from typing import Any

import pytest

from freehold.core import leasing, office
from freehold.core.node_messages import BlockedNotice, LeaseRecallNotice, LeaseReturnNotice
from freehold.core.task_events import LeaseLost, TaskOver, WorkerGone
from freehold.specs.explorer.leases import Leased, Leases
from freehold.specs.explorer.plain import gone_through


def nothing(r: Any, e: Any, here: Any) -> Any:
    """It is not heeded."""
    return r, ()


def keeps_it(r: Any, e: TaskOver, here: Any) -> Any:
    """A worker that was asked back stays once it has no task."""
    after, out = leasing.task_over(r, e, here)
    return (r, ()) if e.worker not in after.leases else (after, out)


@pytest.mark.parametrize(
    ("state", "event", "run", "said"),
    [
        (leasing.SERVED, LeaseRecallNotice, nothing, "who do nothing, while others wait"),
        (leasing.SERVED, TaskOver, keeps_it, ""),
        (leasing.SERVED, LeaseLost, nothing, "has 0 tasks"),
        (office.OPEN, LeaseReturnNotice, nothing, "are leased, and"),
        (office.OPEN, BlockedNotice, nothing, "does not know who waits"),
        (office.OPEN, WorkerGone, nothing, ""),
    ],
)
def test_a_broken_row_is_found(state: Any, event: Any, run: Any, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(state.rows, event, run)
    outcome = gone_through(Leases(2, (1,), tasks=2, waits=1, deaths=1))
    assert outcome.wrong and said in outcome.wrong and outcome.way


def test_the_interesting_things_happen() -> None:
    seen = set[str]()

    class Watched(Leases):
        def wrong(self, state: Leased) -> str:
            for pool in state.pools:
                seen.update(["two tasks on a worker"] if any(lease.tasks > 1 for lease in pool.leases.values()) else [])
                seen.update(["asked back"] if any(lease.recalled for lease in pool.leases.values()) else [])
                seen.update(["full"] if pool.full else ["busy"] if pool.busy else [])
            seen.update(["more than CPUs"] if any(one.free["CPU"] < 0 for one in state.offices) else [])
            return super().wrong(state)

    assert gone_through(Watched(2, (1,), tasks=3, waits=1)).wrong == ""
    assert gone_through(Watched(2, (2,), tasks=3, workers_max=1)).wrong == ""
    assert seen == {"two tasks on a worker", "asked back", "full", "busy", "more than CPUs"}


def test_one_owner_with_one_task_can_be_counted_by_hand() -> None:
    """It gets the task and asks; the node is asked, is busy, and starts a worker, which is lent; the task ends."""
    outcome = gone_through(Leases(1, (1,), tasks=1))
    assert (outcome.states, outcome.depth, outcome.wrong) == (9, 6, "")
