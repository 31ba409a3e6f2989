"""Execution, row by row: in this record, this event gives this record and asks for this."""

from __future__ import annotations

from typing import Any

import pytest
from immutables import Map

from freehold.core.effects import Send
from freehold.core.events import (
    ArgumentAdded,
    ArgumentDone,
    ArgumentInlined,
    ArgumentKept,
    Contained,
    ContentsKnown,
    CopyWanted,
    DependencyReady,
    Lent,
    RefCreated,
    ReturnArrived,
    ReturnAwaited,
    ValuePending,
    ValueWanted,
    WantWithdrawn,
)
from freehold.core.execution import ABSENT, KEPT, QUEUED, RESOLVING, RUNNING, Execution
from freehold.core.ids import HEAD, node_id, object_id, worker_id
from freehold.core.inquest_events import BorrowerLost
from freehold.core.machine import replace
from freehold.core.messages import Report, StopNotice, TaskQuery, TaskReply, TaskReturnNotice, TaskTakenNotice
from freehold.core.policies import INLINED_BYTES_MAX
from freehold.core.task_events import (
    CancelWanted,
    ExecutorDied,
    HandOffered,
    LineageKept,
    TaskAssigned,
    TaskAwaited,
    TaskOver,
    TaskReady,
    TaskSubmitted,
    Unschedulable,
)
from freehold.core.values import Description, Failure, Payload, Placed, Slot, Want

ME, EXECUTOR, OTHER = worker_id(HEAD, 1), worker_id(node_id(1), 1), worker_id(node_id(2), 1)
FAR, FARTHER = node_id(1), node_id(2)
FUNCTION, X, Y, NESTED, INNER = (object_id(ME, number) for number in range(1, 6))
THEIRS, HIDDEN = object_id(OTHER, 1), object_id(OTHER, 2)  # another's
TASK = object_id(ME, 10)
SECOND = TASK + 1  # its second return
SHAPE = (("CPU", 1.0),)
POOL, NEW = (SHAPE, 0), 101  # NEW: what the party mints
SMALL, REFERRING = Payload(8, (), b"small"), Payload(8, (INNER,), b"refers")
CRASHED, CANCELLED = Failure("crashed", TASK, EXECUTOR), Failure("cancelled", TASK, ME)
BROKEN = Failure("lost", X, FAR)

Case = tuple[str, Execution, Any, Execution | None, Any]


def description(*slots: Slot, refs: tuple[int, ...] = (), nbytes: int = 10) -> Description:
    return Description(TASK, FUNCTION, "f", Payload(nbytes, refs, b"arguments"), slots, 2)


CARRIED = description(Slot(X))


def resolving(missing: int, *slots: Slot, lent: tuple[int, ...], **fields: Any) -> Execution:
    return Execution(TASK, RESOLVING, 0, description(*slots, **fields), 3, missing, (FUNCTION, *lent), (SHAPE, 0))


def queued(*slots: Slot, lent: tuple[int, ...] = (), home: int = 0, **fields: Any) -> Execution:
    return Execution(TASK, QUEUED, 0, description(*slots, **fields), 3, 0, (FUNCTION, *lent), (SHAPE, home))


def running(retries: int = 3, **fields: Any) -> Execution:
    """The executor has it; X is among what it was lent."""
    fields = {"attempt": 5, "worker": EXECUTOR, **fields}
    return Execution(TASK, RUNNING, fields.pop("attempt"), CARRIED, retries, 0, (FUNCTION, X), POOL, **fields)


def returned(retries: int = 3, **fields: Any) -> Execution:
    """It was sent once, and waits again."""
    return Execution(TASK, QUEUED, 5, CARRIED, retries, 0, (FUNCTION, X), POOL, **fields)


def both(failure: Failure, *lent: int) -> tuple[Any, ...]:
    """Both returns are the failure, and then the arguments are put down."""
    done = [ArgumentDone(ref) for ref in (FUNCTION, *lent)]
    return (ReturnArrived(TASK, failure), ReturnArrived(SECOND, failure), *done)


def fill(object: int, outcome: Any) -> DependencyReady:
    return DependencyReady(TASK, object, outcome)


READY = TaskReady(POOL, TASK)
FIRST = TaskReady(POOL, TASK, True)
RETURNS = (RefCreated(TASK), ValuePending(TASK, TASK), RefCreated(SECOND), ValuePending(SECOND, TASK))
GONE = Execution(TASK)

SUBMITTED: list[Case] = [
    (
        "no argument is a reference, one is inside",
        GONE,
        TaskSubmitted(TASK, description(refs=(NESTED,)), SHAPE, 3),
        queued(lent=(NESTED,), refs=(NESTED,)),
        (*RETURNS, ArgumentAdded(FUNCTION), ArgumentAdded(NESTED), READY),
    ),
    (
        "ours twice, and another's: each is wanted once",
        GONE,
        TaskSubmitted(TASK, description(Slot(X), Slot(THEIRS), Slot(X)), SHAPE, 3),
        resolving(2, Slot(X), Slot(THEIRS), Slot(X), lent=(X, THEIRS)),
        (
            *RETURNS,
            *(ArgumentAdded(FUNCTION), ArgumentAdded(X), ArgumentAdded(THEIRS)),
            *(ValueWanted(X, TASK, Want.SEND), CopyWanted(THEIRS, TASK, Want.SEND)),
        ),
    ),
]

FAR_AWAY, MUCH = Placed(100, (FAR,)), Placed(500, (FARTHER, FAR))
AT_FAR, AT_BOTH = Slot(X, None, (FAR,), 100), Slot(Y, None, (FARTHER, FAR), 500)
TWO = resolving(2, Slot(X), Slot(Y), lent=(X, Y))
ONE = resolving(1, Slot(X), lent=(X,))
HALF = INLINED_BYTES_MAX // 2
LAST = Payload(HALF - 9, (), b"large")  # with ten bytes of arguments it is one too many
FILLED: list[Case] = [
    (
        "small, one more to come",
        TWO,
        fill(X, SMALL),
        resolving(1, Slot(X, SMALL), Slot(Y), lent=(Y,)),
        (ArgumentInlined(X, TASK),),
    ),
    ("small, the last", ONE, fill(X, SMALL), queued(Slot(X, SMALL)), (ArgumentInlined(X, TASK), READY)),
    (
        "a reference inside is counted before the argument is put down",
        ONE,
        fill(X, REFERRING),
        queued(Slot(X, REFERRING), lent=(INNER,)),
        (ArgumentAdded(INNER), ArgumentInlined(X, TASK), READY),
    ),
    (
        "a reference inside is carried already",
        resolving(1, Slot(X), lent=(X, INNER), refs=(INNER,)),
        fill(X, REFERRING),
        queued(Slot(X, REFERRING), lent=(INNER,), refs=(INNER,)),
        (ArgumentInlined(X, TASK), READY),
    ),
    (
        "the reference itself is carried inside another argument",
        resolving(1, Slot(X), lent=(X,), refs=(X,)),
        fill(X, SMALL),
        queued(Slot(X, SMALL), lent=(X,), refs=(X,)),
        (READY,),
    ),
    (
        "the reference itself is inside an inlined value",
        resolving(1, Slot(INNER), Slot(X, REFERRING), lent=(INNER,)),
        fill(INNER, SMALL),
        queued(Slot(INNER, SMALL), Slot(X, REFERRING), lent=(INNER,)),
        (READY,),
    ),
    (
        "the function is its own argument",
        resolving(1, Slot(FUNCTION), lent=()),
        fill(FUNCTION, SMALL),
        queued(Slot(FUNCTION, SMALL)),
        (READY,),
    ),
    (
        "given twice: it has room twice",
        resolving(1, Slot(X), Slot(X), lent=(X,), nbytes=0),
        fill(X, Payload(HALF)),
        queued(Slot(X, Payload(HALF)), Slot(X, Payload(HALF)), nbytes=0),
        (ArgumentInlined(X, TASK), READY),
    ),
    (
        "one byte more than all inlined values may have",
        resolving(1, Slot(X, Payload(HALF)), Slot(Y), lent=(Y,)),
        fill(Y, LAST),
        queued(Slot(X, Payload(HALF)), Slot(Y, None, (), HALF - 9), lent=(Y,)),
        (READY,),
    ),
    (
        "another's value with references that we did not introduce",
        resolving(1, Slot(THEIRS), lent=(THEIRS,)),
        fill(THEIRS, Payload(8, (HIDDEN,))),
        queued(Slot(THEIRS, None, (), 8, (HIDDEN,)), lent=(THEIRS,)),
        (READY,),
    ),
    ("large, one more to come", TWO, fill(X, FAR_AWAY), resolving(1, AT_FAR, Slot(Y), lent=(X, Y)), ()),
    (
        "large, the last: the node with most bytes is preferred",
        resolving(1, AT_FAR, Slot(Y), lent=(X, Y)),
        fill(Y, MUCH),
        queued(AT_FAR, AT_BOTH, lent=(X, Y), home=FAR),
        (TaskReady((SHAPE, FAR), TASK),),
    ),
    (
        "failed: the others are wanted no more",
        TWO,
        fill(X, BROKEN),
        None,
        (WantWithdrawn(X, TASK), WantWithdrawn(Y, TASK), *both(BROKEN, X, Y)),
    ),
    ("after another has failed", GONE, fill(Y, SMALL), GONE, ()),
]

ASSIGNED: list[Case] = [
    (
        "it goes out under a new attempt",
        returned(),
        TaskAssigned(TASK, EXECUTOR, POOL),
        running(attempt=NEW),
        (Send(EXECUTOR, TaskQuery(TASK, NEW, ME, CARRIED, (FUNCTION, X))),),
    ),
    (
        "to a worker whose thread waits for X",
        returned(),
        TaskAssigned(TASK, EXECUTOR, POOL, X),
        running(attempt=NEW, stacked=True),
        (Send(EXECUTOR, TaskQuery(TASK, NEW, ME, CARRIED, (FUNCTION, X), X)),),
    ),
    ("it was cancelled meanwhile", GONE, TaskAssigned(TASK, OTHER, POOL), GONE, (TaskOver(POOL, OTHER),)),
    ("who waits for it runs it", running(), TaskAssigned(TASK, OTHER, POOL), running(), (TaskOver(POOL, OTHER),)),
]

AWAITED = TaskAwaited(TASK, OTHER, X, 1)
HANDS: dict[str, Any] = {"waiters": Map({OTHER: (X, 1)})}
HAND = HandOffered(POOL, TASK, OTHER, X)
FOR_BOTH = resolving(2, Slot(X), Slot(THEIRS), lent=(X, THEIRS))
AWAITS: list[Case] = [
    (
        "its arguments are missing: their tasks are awaited on the same account",
        FOR_BOTH,
        AWAITED,
        replace(FOR_BOTH, **HANDS),
        (ReturnAwaited(X, OTHER, X, 1),),
    ),
    ("it waits for a worker", returned(), AWAITED, returned(**HANDS), (HAND,)),
    ("it runs", running(), AWAITED, running(**HANDS), ()),
    ("the same wait, in another way", returned(**HANDS), AWAITED, returned(**HANDS), ()),
    (
        "another wait",
        returned(**HANDS),
        TaskAwaited(TASK, OTHER, Y, 2),
        returned(waiters=Map({OTHER: (Y, 2)})),
        (HandOffered(POOL, TASK, OTHER, Y),),
    ),
    ("it is over", GONE, AWAITED, GONE, ()),
]

DONE = (ArgumentDone(FUNCTION), ArgumentDone(X))
FOR_AGAIN = (ArgumentKept(FUNCTION), ArgumentKept(X), LineageKept(TASK, 522))
KEPT_SECOND = Execution(TASK, KEPT, 0, CARRIED, 3, 0, (FUNCTION, X), POOL, kept=(SECOND,))


def reply(*outcomes: Any, reports: tuple[Report, ...] = (), attempt: int = 5) -> TaskReply:
    return TaskReply(TASK, attempt, EXECUTOR, outcomes, reports, 0.5)


OVER = TaskOver(POOL, EXECUTOR, 0.5)
REPLIES: list[Case] = [
    (
        "values, a small and a large one",
        running(),
        reply(SMALL, FAR_AWAY),
        KEPT_SECOND,
        (ReturnArrived(TASK, SMALL), ReturnArrived(SECOND, FAR_AWAY, TASK), *FOR_AGAIN, OVER),
    ),
    ("failures, whatever the task was lent", running(), reply(BROKEN, BROKEN), None, (*both(BROKEN, X), OVER)),
    (
        "reports are merged first: a keeper is a borrower, and so is whom it lent to",
        running(),
        reply(
            SMALL, SMALL, reports=(Report(FUNCTION, True), Report(X, True, (OTHER,)), Report(INNER, False, (OTHER,)))
        ),
        None,
        (
            *(Lent(FUNCTION, (EXECUTOR,)), Lent(X, (OTHER, EXECUTOR)), Lent(INNER, (OTHER,))),
            *(ReturnArrived(TASK, SMALL), ReturnArrived(SECOND, SMALL), *DONE, OVER),
        ),
    ),
    (
        "a report of nothing",
        running(),
        reply(SMALL, SMALL, reports=(Report(X, False),)),
        None,
        (ReturnArrived(TASK, SMALL), ReturnArrived(SECOND, SMALL), *DONE, OVER),
    ),
    (
        "contents are counted before the return is there; what is ours, lent or the executor's is not held for us",
        running(),
        reply(Payload(8, (INNER, X)), Placed(100, (FAR,), (object_id(EXECUTOR, 1),))),
        KEPT_SECOND,
        (
            *(Contained(INNER), Contained(X), ContentsKnown(TASK, (INNER, X))),
            ReturnArrived(TASK, Payload(8, (INNER, X))),
            *(Contained(object_id(EXECUTOR, 1)), ContentsKnown(SECOND, (object_id(EXECUTOR, 1),))),
            ReturnArrived(SECOND, Placed(100, (FAR,), (object_id(EXECUTOR, 1),)), TASK),
            *(*FOR_AGAIN, OVER),
        ),
    ),
    (
        "a third party's reference: its executor need hold it no more, now that it is counted",
        running(),
        reply(Payload(8, (THEIRS,)), SMALL),
        None,
        (
            *(Contained(THEIRS), ContentsKnown(TASK, (THEIRS,)), ReturnArrived(TASK, Payload(8, (THEIRS,)))),
            *(ReturnArrived(SECOND, SMALL), *DONE, OVER, Send(EXECUTOR, TaskTakenNotice(TASK))),
        ),
    ),
    ("of an earlier attempt", running(), reply(SMALL, SMALL, attempt=4), running(), ()),
]

BACK = TaskReturnNotice(TASK, 5, EXECUTOR)
UNSENT = TaskOver(POOL, EXECUTOR)
RETURNED: list[Case] = [
    ("it goes first the next time", running(), BACK, returned(), (UNSENT, FIRST)),
    (
        "others wait for it, its executor does no more",
        running(stacked=True, waiters=Map({EXECUTOR: (X, 3), OTHER: (X, 1)})),
        BACK,
        returned(stacked=True, **HANDS),
        (UNSENT, FIRST, HAND),
    ),
    (
        "its executor waits for it, but was to run it as a leased worker",
        running(waiters=Map({EXECUTOR: (X, 3)})),
        BACK,
        returned(waiters=Map({EXECUTOR: (X, 3)})),
        (UNSENT, FIRST, HandOffered(POOL, TASK, EXECUTOR, X)),
    ),
    ("cancelled meanwhile", running(cancelled=True), BACK, None, (*both(CANCELLED, X), UNSENT)),
    ("of an earlier attempt", running(), TaskReturnNotice(TASK, 4, EXECUTOR), running(), ()),
]

DEAD, NO_WAITER = ExecutorDied(TASK, EXECUTOR), ExecutorDied(TASK, OTHER)
LOST = BorrowerLost(FUNCTION, EXECUTOR), BorrowerLost(X, EXECUTOR)
DEATHS: list[Case] = [
    ("a retry is spent", running(retries=1), DEAD, returned(retries=0), (*LOST, FIRST)),
    ("endless retries", running(retries=-1), DEAD, returned(retries=-2), (*LOST, FIRST)),
    ("the last run", running(retries=0), DEAD, None, (*LOST, *both(CRASHED, X))),
    ("cancelled: it is not run again", running(cancelled=True), DEAD, None, (*LOST, *both(CRASHED, X))),
    ("not the one that has it", running(), NO_WAITER, running(), ()),
    ("one that waits for it", running(**HANDS), NO_WAITER, running(), ()),
    ("one that waits for it, and for its arguments", replace(TWO, **HANDS), NO_WAITER, TWO, ()),
    ("one that waits for it, as it does for a worker", returned(**HANDS), NO_WAITER, returned(), ()),
]

STOP, KILL = CancelWanted(TASK, False), CancelWanted(TASK, True)
CANCELS: list[Case] = [
    (
        "arguments are awaited",
        TWO,
        STOP,
        None,
        (WantWithdrawn(X, TASK), WantWithdrawn(Y, TASK), *both(CANCELLED, X, Y)),
    ),
    ("it waits for a worker", returned(), STOP, None, both(CANCELLED, X)),
    ("it runs", running(), STOP, running(cancelled=True), (Send(EXECUTOR, StopNotice(TASK, False)),)),
    ("by force", running(), KILL, running(cancelled=True), (Send(EXECUTOR, StopNotice(TASK, True)),)),
    (
        "no node can run it",
        returned(),
        Unschedulable(TASK, "it asks for GPU=9"),
        None,
        both(Failure("unschedulable", TASK, ME, "it asks for GPU=9"), X),
    ),
]

ROWS = {
    "submitted": SUBMITTED,
    "argument": FILLED,
    "assigned": ASSIGNED,
    "awaited": AWAITS,
    "reply": REPLIES,
    "handed back": RETURNED,
    "executor died": DEATHS,
    "given up": CANCELS,
}


@pytest.mark.parametrize(
    ("before", "event", "after", "out"),
    [pytest.param(*case, id=f"{section}: {name}") for section, cases in ROWS.items() for name, *case in cases],
)
def test_a_row(step: Any, before: Execution, event: Any, after: Execution | None, out: Any) -> None:
    assert step(before, event) == (after, out)


@pytest.mark.parametrize("event", [DEAD, STOP, Unschedulable(TASK, "")], ids=lambda event: type(event).__name__)
def test_nothing_changes(step: Any, event: Any) -> None:
    assert step(Execution(TASK, ABSENT), event) == (Execution(TASK, ABSENT), ())
