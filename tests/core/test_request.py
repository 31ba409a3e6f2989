"""Requests, row by row: in this record, this event gives this record and asks for this."""

from __future__ import annotations

from typing import Any

import pytest

from freehold.core.effects import CancelTimer, SetTimer, Settle
from freehold.core.events import (
    CopyAwaited,
    CopyWanted,
    DeadlinePassed,
    GetWanted,
    PutWanted,
    RequestAbandoned,
    RequestReady,
    ReturnAwaited,
    ValueWanted,
    WaitRenewed,
    WantWithdrawn,
)
from freehold.core.ids import HEAD, node_id, object_id, worker_id
from freehold.core.machine import replace
from freehold.core.request import ABSENT, WAITING, Request
from freehold.core.task_events import DeskWaits, ThreadBlocked, ThreadResumed
from freehold.core.values import Failure, Want
from freehold.core.worker import Worker

ME, OTHER = worker_id(HEAD, 1), worker_id(node_id(1), 1)
A, B, C = object_id(ME, 7), object_id(OTHER, 7), object_id(OTHER, 8)  # A is ours
TASK, ID = object_id(OTHER, 9), 1 << 35
NEW = 101  # what the party mints

Case = tuple[str, Request, Any, Request | None, Any]


def waits(*objects: int, left: int, want: Want = Want.GET, **fields: Any) -> Request:
    return Request(ID, WAITING, objects, left, want, **fields)


def wanted(*objects: int, want: Want = Want.GET) -> tuple[Any, ...]:
    """An owner asks its own record, anyone else has the value fetched."""
    return tuple([ValueWanted(A, ID, want) if object == A else CopyWanted(object, ID, want) for object in objects])


def withdrawn(*objects: int) -> tuple[Any, ...]:
    return tuple([WantWithdrawn(object, ID) for object in objects])


def ready(object: int, *, failed: bool = False) -> RequestReady:
    return RequestReady(ID, object, failed)


NONE, WOKEN = Request(ID), Settle(ID)
RESUMED = ThreadResumed(TASK)
AWAITED = ReturnAwaited(A, ME, A, NEW)  # the thread that waits might run the task that produces our own object
TIMER, NO_TIMER = SetTimer(ID, 2.5, DeadlinePassed(ID)), CancelTimer(ID)

BEGUN: list[Case] = [
    ("a get", NONE, GetWanted(ID, (A, B), 2), waits(A, B, left=2), wanted(A, B)),
    ("an object twice", NONE, GetWanted(ID, (B, A, B), 3), waits(B, A, left=2), wanted(B, A)),
    (
        "a wait with a deadline, in a task",
        NONE,
        GetWanted(ID, (A, B), 1, Want.WAIT, 2.5, TASK),
        waits(A, B, left=1, want=Want.WAIT, timed=True, task=TASK),
        (ThreadBlocked(TASK, (A, B)), TIMER, *wanted(A, B, want=Want.WAIT), AWAITED),
    ),
    (
        "a deadline of now",
        NONE,
        GetWanted(ID, (A,), 1, Want.GET, 0.0),
        waits(A, left=1, timed=True),
        (SetTimer(ID, 0.0, DeadlinePassed(ID)), *wanted(A)),
    ),
    ("a put", NONE, PutWanted(ID, A), waits(A, left=1), ()),
    ("a put in a task", NONE, PutWanted(ID, A, TASK), waits(A, left=1, task=TASK), (ThreadBlocked(TASK, ()),)),
]

PAIR = waits(A, B, left=2, timed=True, task=TASK)
LAST = replace(PAIR, left=1)
LOOK = waits(A, B, left=1, want=Want.LOOK)
FOR_ONE = waits(A, B, left=1, want=Want.WAIT, timed=True, task=TASK)
READY: list[Case] = [
    ("one of two", PAIR, ready(A), LAST, ()),
    ("the last", LAST, ready(B), None, (WOKEN, NO_TIMER, RESUMED)),
    ("the first to fail", PAIR, ready(A, failed=True), None, (WOKEN, NO_TIMER, *withdrawn(A, B), RESUMED)),
    ("the last fails", LAST, ready(B, failed=True), None, (WOKEN, NO_TIMER, *withdrawn(A, B), RESUMED)),
    ("enough for a wait", FOR_ONE, ready(B), None, (WOKEN, NO_TIMER, *withdrawn(A, B), RESUMED)),
    ("a failed object is ready", replace(FOR_ONE, left=2), ready(B, failed=True), FOR_ONE, ()),
    ("enough, and failed", FOR_ONE, ready(B, failed=True), None, (WOKEN, NO_TIMER, *withdrawn(A, B), RESUMED)),
    ("a look counts failures too", waits(A, B, left=2, want=Want.LOOK), ready(A, failed=True), LOOK, ()),
    ("enough for a look", LOOK, ready(B), None, (WOKEN, *withdrawn(A, B))),
    ("a put is placed", waits(A, left=1), ready(A), None, (WOKEN,)),
    ("a put found no room", waits(A, left=1), ready(A, failed=True), None, (WOKEN, *withdrawn(A))),
]

RENEWED: list[Case] = [("another task has run", PAIR, WaitRenewed(ID), PAIR, (AWAITED, CopyAwaited(B)))]

LATE = Settle(ID, Failure("timeout", A, ME))
ENDED: list[Case] = [
    ("late", PAIR, DeadlinePassed(ID), None, (LATE, *withdrawn(A, B), RESUMED)),
    ("late for one", waits(A, B, left=1, timed=True), DeadlinePassed(ID), None, (LATE, *withdrawn(A, B))),
    ("abandoned", PAIR, RequestAbandoned(ID), None, (NO_TIMER, *withdrawn(A, B), RESUMED)),
    ("a put is abandoned", waits(A, left=1, task=TASK), RequestAbandoned(ID), None, (*withdrawn(A), RESUMED)),
]

ROWS = {"begun": BEGUN, "ready": READY, "renewed": RENEWED, "ended": ENDED}


@pytest.mark.parametrize(
    ("before", "event", "after", "out"),
    [pytest.param(*case, id=f"{section}: {name}") for section, cases in ROWS.items() for name, *case in cases],
)
def test_a_row(step: Any, before: Request, event: Any, after: Request | None, out: Any) -> None:
    assert step(before, event) == (after, out)


def test_the_waits_of_the_task_on_top_are_renewed() -> None:
    worker = Worker(ME)
    worker.requests.update({ID: PAIR, ID + 1: replace(PAIR, request=ID + 1, task=0)})
    assert list(worker.spread(DeskWaits(TASK))) == [WaitRenewed(ID)]


@pytest.mark.parametrize("event", [ready(A), DeadlinePassed(ID), RequestAbandoned(ID), WaitRenewed(ID)])
def test_a_call_that_has_returned_hears_nothing(step: Any, event: Any) -> None:
    assert NONE.state is ABSENT
    assert step(NONE, event) == (NONE, ())
