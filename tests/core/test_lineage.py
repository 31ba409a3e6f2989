"""Lineage's rows of the execution table: what is lost is computed again, arguments first, as often as retries allow."""

from __future__ import annotations

from typing import Any

import pytest
from immutables import Map

from freehold.core.effects import Send
from freehold.core.events import (
    ArgumentAdded,
    ArgumentDone,
    ArgumentKept,
    DependencyReady,
    LineageDone,
    LineageLost,
    ReturnArrived,
    ReturnAwaited,
    ValueWanted,
)
from freehold.core.execution import KEPT, QUEUED, RESOLVING, RUNNING, Execution
from freehold.core.ids import HEAD, node_id, object_id, worker_id
from freehold.core.inquest_events import BorrowerLost
from freehold.core.machine import replace
from freehold.core.messages import TaskQuery, TaskReply, TaskReturnNotice
from freehold.core.task_events import (
    CancelWanted,
    ExecutorDied,
    LineageEvicted,
    LineageForgotten,
    LineageKept,
    ReturnGone,
    ReturnLost,
    TaskAssigned,
    TaskOver,
    TaskReady,
)
from freehold.core.values import Description, Failure, Payload, Placed, Slot, Want

ME, EXECUTOR, FAR, FARTHER = worker_id(HEAD, 1), worker_id(node_id(1), 1), node_id(1), node_id(2)
FUNCTION, X, Y = (object_id(ME, number) for number in range(1, 4))
TASK = object_id(ME, 10)
SECOND, THIRD = TASK + 1, TASK + 2  # its further returns
SHAPE = (("CPU", 1.0),)
POOL = (SHAPE, 0)
NEW = 101  # what the party mints
INLINED = Slot(Y, Payload(3, (), b"y"))
CARRIES = Description(TASK, FUNCTION, "f", Payload(10), (Slot(X, None, (FARTHER,), 500), INLINED), 3)
LENT = (FUNCTION, X)
FORGOTTEN = (*[LineageDone(ref) for ref in LENT], LineageForgotten(TASK))
DONE = tuple([ArgumentDone(ref) for ref in LENT])
LOST = tuple([BorrowerLost(ref, EXECUTOR) for ref in LENT])
NOTED = LineageKept(TASK, 525)
AWAY = Placed(500, (FAR,))

Case = tuple[str, Execution, Any, Execution | None, Any]


def task(state: Any, **fields: Any) -> Execution:
    """A task that has run, and may be run again for its first and second return."""
    return Execution(TASK, state, 0, CARRIES, 2, lent=LENT, pool=POOL, **{"kept": (TASK, SECOND), **fields})


OVER = task(KEPT)
AGAIN = replace(task(RESOLVING, due=(TASK,)), retries=1, missing=1)
QUEUE = replace(AGAIN, state=QUEUED, missing=0)
RUNS = replace(QUEUE, state=RUNNING, attempt=5, worker=EXECUTOR)
GONE = Execution(TASK)
UNCARRIED = replace(CARRIES, slots=())


def reply(*outcomes: Any) -> TaskReply:
    return TaskReply(TASK, 5, EXECUTOR, outcomes, (), 0.5)


def lost(object: int, refusal: str) -> ReturnArrived:
    return ReturnArrived(object, Failure("not_rebuilt", object, ME, refusal))


UNWANTED = Failure("unwanted", TASK)
FINISHED, UNSENT = TaskOver(POOL, EXECUTOR, 0.5), TaskOver(POOL, EXECUTOR)
LACKS, WANTED = TaskReturnNotice(TASK, 5, EXECUTOR, True), ValueWanted(X, TASK, Want.SEND)
LACKING: dict[str, Any] = {"state": RESOLVING, "worker": 0, "missing": 1}
INDEPENDENT = replace(RUNS, description=UNCARRIED)
WAITED = replace(RUNS, stacked=True, waiters=Map({EXECUTOR: (THIRD, 3)}))
HELP = ReturnAwaited(X, EXECUTOR, THIRD, 3)
AGAIN_AND_AGAIN: list[Case] = [
    (
        "what was inlined is there; what was not comes first",
        OVER,
        ReturnLost(TASK, TASK),
        AGAIN,
        (ArgumentAdded(FUNCTION), ArgumentAdded(X), ValueWanted(X, TASK, Want.SEND)),
    ),
    (
        "without arguments it waits for a worker",
        replace(OVER, description=UNCARRIED),
        ReturnLost(TASK, TASK),
        replace(QUEUE, description=UNCARRIED),
        (ArgumentAdded(FUNCTION), ArgumentAdded(X), TaskReady(POOL, TASK)),
    ),
    ("for ever", replace(OVER, retries=-1), ReturnLost(TASK, TASK), replace(AGAIN, retries=-2), ...),
    ("another is lost: one run brings both", AGAIN, ReturnLost(TASK, SECOND), replace(AGAIN, due=(TASK, SECOND)), ()),
    ("while it waits for a worker", QUEUE, ReturnLost(TASK, SECOND), replace(QUEUE, due=(TASK, SECOND)), ()),
    ("while it runs: later", RUNS, ReturnLost(TASK, SECOND), replace(RUNS, late=(SECOND,)), ()),
    ("it was forgotten in the same moment", GONE, ReturnLost(TASK, TASK), GONE, (lost(TASK, "evicted"),)),
    (
        "a value that is small by now stays a reference",
        AGAIN,
        DependencyReady(TASK, X, Payload(3)),
        replace(QUEUE, description=replace(CARRIES, slots=(Slot(X, None, (), 3), INLINED))),
        (TaskReady(POOL, TASK),),
    ),
    ("an argument of it was lost", RUNS, LACKS, replace(AGAIN, attempt=5), (UNSENT, WANTED)),
    ("nothing that it carries can be lost", INDEPENDENT, LACKS, replace(INDEPENDENT, state=QUEUED, worker=0), ...),
    ("its executor's thread waits for it", WAITED, LACKS, replace(WAITED, **LACKING), (UNSENT, WANTED, HELP)),
    (
        "its worker is told what is wanted",
        QUEUE,
        TaskAssigned(TASK, EXECUTOR, POOL),
        replace(RUNS, attempt=NEW),
        (Send(EXECUTOR, TaskQuery(TASK, NEW, ME, CARRIES, LENT, 0, (TASK,))),),
    ),
]

BROUGHT: list[Case] = [
    (
        "what was lost is there again, the others are left alone",
        RUNS,
        reply(AWAY, UNWANTED, UNWANTED),
        replace(OVER, retries=1, kept=(SECOND, TASK)),
        (ReturnArrived(TASK, AWAY, TASK), *DONE, NOTED, FINISHED),
    ),
    (
        "it is small this time: it cannot be lost any more",
        RUNS,
        reply(Payload(3), UNWANTED, UNWANTED),
        replace(OVER, retries=1, kept=(SECOND,)),
        (ReturnArrived(TASK, Payload(3)), *DONE, NOTED, FINISHED),
    ),
    (
        "nobody needs it any more, nor the others",
        replace(RUNS, kept=()),
        reply(AWAY, UNWANTED, UNWANTED),
        None,
        (ReturnArrived(TASK, AWAY, 0, ""), *DONE, *FORGOTTEN, FINISHED),
    ),
    (
        "that was the last time",
        replace(RUNS, retries=0),
        reply(AWAY, UNWANTED, UNWANTED),
        None,
        (ReturnArrived(TASK, AWAY, 0, "no_retries"), LineageLost(SECOND, "no_retries"), *DONE, *FORGOTTEN, FINISHED),
    ),
    (
        "another was lost meanwhile",
        replace(RUNS, late=(SECOND,)),
        reply(AWAY, UNWANTED, UNWANTED),
        replace(OVER, retries=1, kept=(SECOND, TASK)),
        (ReturnArrived(TASK, AWAY, TASK), *DONE, NOTED, ReturnLost(TASK, SECOND), FINISHED),
    ),
    (
        "another was lost meanwhile, and that was the last time",
        replace(RUNS, retries=0, late=(SECOND,)),
        reply(AWAY, UNWANTED, UNWANTED),
        None,
        (
            *(
                ReturnArrived(TASK, AWAY, 0, "no_retries"),
                LineageLost(SECOND, "no_retries"),
                lost(SECOND, "no_retries"),
            ),
            *(*DONE, *FORGOTTEN, FINISHED),
        ),
    ),
    (
        "its worker dies: the next run brings what was lost meanwhile, too",
        replace(RUNS, late=(SECOND,)),
        ExecutorDied(TASK, EXECUTOR),
        replace(QUEUE, retries=0, attempt=5, due=(TASK, SECOND)),
        (*LOST, TaskReady(POOL, TASK, True)),
    ),
    (
        "its worker dies the last time",
        replace(RUNS, retries=0),
        ExecutorDied(TASK, EXECUTOR),
        None,
        (
            *(*LOST, ReturnArrived(TASK, Failure("crashed", TASK, EXECUTOR)), LineageLost(SECOND, "no_retries")),
            *(*DONE, *FORGOTTEN),
        ),
    ),
    (
        "it is cancelled",
        QUEUE,
        CancelWanted(TASK, False),
        None,
        (
            *(ReturnArrived(TASK, Failure("cancelled", TASK, ME)), LineageLost(SECOND, "cancelled")),
            *(*DONE, *FORGOTTEN),
        ),
    ),
]

FIRST = replace(RUNS, kept=(), due=())
NOTHING = (ReturnArrived(SECOND, Payload(3)), ReturnArrived(THIRD, Payload(3)))
KEPT_AGAIN = (*[ArgumentKept(ref) for ref in LENT], NOTED)
REFUSED: dict[str, dict[str, Any]] = {"no_retries": {"retries": 0}, "cancelled": {"cancelled": True}}
KEEPING: list[Case] = [
    (
        "a large return can be lost",
        FIRST,
        reply(AWAY, Payload(3), Payload(3)),
        replace(OVER, retries=1, kept=(TASK,)),
        (ReturnArrived(TASK, AWAY, TASK), *NOTHING, *KEPT_AGAIN, FINISHED),
    ),
    (
        "also one that this very process has computed",
        FIRST,
        reply(Payload(200_000), Payload(3), Payload(3)),
        replace(OVER, retries=1, kept=(TASK,)),
        (ReturnArrived(TASK, Payload(200_000), TASK), *NOTHING, *KEPT_AGAIN, FINISHED),
    ),
    *[
        (
            f"for ever, if the task may not run again: {refusal}",
            replace(FIRST, **fields),
            reply(AWAY, Payload(3), Payload(3)),
            None,
            (ReturnArrived(TASK, AWAY, 0, refusal), *NOTHING, *DONE, FINISHED),
        )
        for refusal, fields in REFUSED.items()
    ],
]

FORGETTING: list[Case] = [
    ("one of two", OVER, ReturnGone(TASK, TASK), replace(OVER, kept=(SECOND,)), ()),
    ("the last", replace(OVER, kept=(SECOND,)), ReturnGone(TASK, SECOND), None, FORGOTTEN),
    *[
        (f"{r.state.name}: it goes on", r, ReturnGone(TASK, TASK), replace(r, kept=(SECOND,)), ())
        for r in (AGAIN, QUEUE, RUNS)
    ],
    (
        "it is not run once more for what nobody needs",
        replace(RUNS, late=(SECOND,)),
        ReturnGone(TASK, SECOND),
        replace(RUNS, kept=(TASK,)),
        (),
    ),
    ("too late", GONE, ReturnGone(TASK, TASK), GONE, ()),
    (
        "too many are kept",
        OVER,
        LineageEvicted(TASK),
        None,
        (LineageLost(TASK, "evicted"), LineageLost(SECOND, "evicted"), *FORGOTTEN),
    ),
    *[(f"{r.state.name}: too many are kept", r, LineageEvicted(TASK), r, ()) for r in (GONE, AGAIN, QUEUE, RUNS)],
]

ROWS = {"kept": KEEPING, "again": AGAIN_AND_AGAIN, "brought": BROUGHT, "forgotten": FORGETTING}


@pytest.mark.parametrize(
    ("before", "event", "after", "out"),
    [pytest.param(*case, id=f"{section}: {name}") for section, cases in ROWS.items() for name, *case in cases],
)
def test_a_row(step: Any, before: Execution, event: Any, after: Execution | None, out: Any) -> None:
    found, asked = step(before, event)
    assert found == after
    assert out is ... or asked == out
