"""Running, row by row: in this record, this event gives this record and asks for this."""

from __future__ import annotations

from typing import Any

import pytest

from freehold.core.effects import Interrupt, Kill, Run, Send
from freehold.core.events import (
    ArgumentReady,
    CopyWanted,
    Lent,
    Pinned,
    ReportWanted,
    Unpinned,
    ValuePut,
    ValueWanted,
    WantWithdrawn,
)
from freehold.core.ids import HEAD, node_id, object_id, worker_id
from freehold.core.machine import replace
from freehold.core.messages import Report, StopNotice, TaskQuery, TaskReply, TaskReturnNotice, TaskTakenNotice
from freehold.core.policies import DEFAULT, INLINED_BYTES_MAX, Policy
from freehold.core.running import (
    ABSENT,
    FETCHING,
    HANDING,
    PLACING,
    READY,
    REPORTING,
    RUNNING,
    Run_,
    Running,
    report,
)
from freehold.core.task_events import (
    ArgumentLate,
    CallerDied,
    DeskBlocked,
    DeskResumed,
    HoldReported,
    ReturnPlaced,
    RunEnded,
    ThreadBlocked,
    ThreadResumed,
    TurnDropped,
    TurnGiven,
    TurnLost,
    TurnOver,
    TurnWanted,
)
from freehold.core.values import Description, Failure, Payload, Placed, Slot, Want

ME, CALLER, THIRD = worker_id(HEAD, 1), worker_id(node_id(1), 1), worker_id(node_id(2), 1)
NEAR, FAR = HEAD, node_id(1)
TASK, FUNCTION, X, Y, RETURNED = (object_id(CALLER, number) for number in (10, 1, 2, 3, 4))
SECOND = TASK + 1  # its second return
MINE, THEIRS = object_id(ME, 1), object_id(THIRD, 1)
NEW = 101  # what the party mints
LIMIT = DEFAULT.inline_bytes_max
SMALL, LARGE = Payload(LIMIT, (), b"small"), Payload(LIMIT + 1, (), b"large")
LOST, FULL, CANCELLED = Failure("lost", X, FAR), Failure("full", SECOND, NEAR), Failure("cancelled", TASK, ME)

Case = tuple[str, Run_, Any, Run_ | None, Any]


def query(*slots: Slot, lent: tuple[int, ...] = (FUNCTION, X), caller: int = CALLER, stacked: int = 0) -> TaskQuery:
    slots = slots or (Slot(X, None, (FAR,), 100),)
    description = Description(TASK, FUNCTION, "f", Payload(10), slots, 2)
    return TaskQuery(TASK, 5, caller, description, lent, stacked)


QUERY = query()


def run(state: Running, *, query: TaskQuery = QUERY, attempt: int = 0, **fields: Any) -> Run_:
    return Run_(TASK, state, attempt, query, **fields)


def begun(state: Running, **fields: Any) -> Run_:
    """The function was called under attempt 7."""
    return run(state, attempt=7, **fields)


def own(state: Running, **fields: Any) -> Run_:
    """The task was submitted by this very process."""
    return run(state, query=query(caller=ME), **fields)


REPORTS = (ReportWanted(FUNCTION, TASK), ReportWanted(X, TASK))
UNFETCHED = (WantWithdrawn(FUNCTION, TASK), WantWithdrawn(X, TASK))
TO_FETCH = (CopyWanted(FUNCTION, TASK, Want.RUN), CopyWanted(X, TASK, Want.RUN, (FAR,), 100))
GONE = Run_(TASK)


def not_run(failure: Failure) -> Run_:
    return run(REPORTING, missing=2, outcomes=(failure, failure), seconds=-1.0)


STACKED = query(stacked=MINE)
MIXED = query(Slot(MINE), Slot(X), Slot(Y, SMALL), Slot(X), lent=(FUNCTION, MINE, X))
ARGUMENTS: list[Case] = [
    ("it arrives", GONE, QUERY, run(FETCHING, missing=2), (Pinned(FUNCTION), Pinned(X), *TO_FETCH)),
    (
        "an argument of ours, one that travels along, and one given twice",
        GONE,
        MIXED,
        run(FETCHING, query=MIXED, missing=3),
        (
            *(Pinned(FUNCTION), Pinned(MINE), Pinned(X)),
            CopyWanted(FUNCTION, TASK, Want.RUN),
            ValueWanted(MINE, TASK, Want.RUN),
            CopyWanted(X, TASK, Want.RUN),
        ),
    ),
    ("one more to come", run(FETCHING, missing=2), ArgumentReady(TASK, X), run(FETCHING, missing=1), ()),
    ("the last", run(FETCHING, missing=1), ArgumentReady(TASK, X), run(READY), (TurnWanted(TASK),)),
    (
        "the last, of a task that our thread waits for",
        run(FETCHING, query=STACKED, missing=1),
        ArgumentReady(TASK, X),
        run(READY, query=STACKED),
        (TurnWanted(TASK, MINE),),
    ),
    (
        "the last was lost, and is computed again",
        run(FETCHING, missing=1),
        ArgumentLate(TASK, X),
        None,
        (*UNFETCHED, Send(CALLER, TaskReturnNotice(TASK, 5, ME, True)), Unpinned(FUNCTION), Unpinned(X)),
    ),
    (
        "failed",
        run(FETCHING, missing=2),
        ArgumentReady(TASK, X, LOST),
        replace(not_run(LOST), missing=2),
        (*UNFETCHED, *REPORTS),
    ),
]

TURNS: list[Case] = [
    ("its turn has come", run(READY), TurnGiven(TASK), run(RUNNING, attempt=NEW), (Run(TASK, NEW, QUERY.description),)),
    (
        "handed back",
        run(READY),
        TurnLost(TASK),
        None,
        (Send(CALLER, TaskReturnNotice(TASK, 5, ME)), Unpinned(FUNCTION), Unpinned(X)),
    ),
]


def ended(*outcomes: Any, attempt: int = 7) -> RunEnded:
    return RunEnded(TASK, attempt, outcomes, 0.5)


def put(object: int, value: Payload) -> ValuePut:
    return ValuePut(object, value, TASK)


def reporting(*outcomes: Any, **fields: Any) -> Run_:
    return begun(REPORTING, outcomes=outcomes, missing=2, seconds=0.5, **fields)


def placing(*outcomes: Any, missing: int = 1) -> Run_:
    return begun(PLACING, outcomes=outcomes, missing=missing, seconds=0.5)


NESTED = Payload(8, (THEIRS, X, RETURNED, MINE), b"refers")
INSIDE = tuple(sorted((THEIRS, RETURNED, MINE)))  # X was lent: it is pinned already
OVER = TurnOver(TASK)
ENDS: list[Case] = [
    ("small", begun(RUNNING), ended(SMALL, SMALL), reporting(SMALL, SMALL), (OVER, *REPORTS)),
    ("failed", begun(RUNNING), ended(LOST, LOST), reporting(LOST, LOST), (OVER, *REPORTS)),
    ("large", begun(RUNNING), ended(SMALL, LARGE), placing(SMALL, None), (OVER, put(SECOND, LARGE))),
    (
        "a large one of our own task stays in this process",
        replace(own(RUNNING), attempt=7),
        ended(SMALL, LARGE),
        replace(reporting(SMALL, LARGE), query=query(caller=ME)),
        (OVER, *REPORTS),
    ),
    (
        "references inside are pinned, unless they are already",
        begun(RUNNING),
        ended(NESTED, SMALL),
        reporting(NESTED, SMALL, held=INSIDE),
        (*map(Pinned, INSIDE), OVER, *REPORTS),
    ),
    (
        "while a thread of it waits",
        begun(RUNNING, blocked=2),
        ended(SMALL, SMALL),
        reporting(SMALL, SMALL),
        (DeskResumed(TASK), OVER, *REPORTS),
    ),
    ("of another run", begun(RUNNING), ended(SMALL, SMALL, attempt=6), begun(RUNNING), ()),
    (
        "placed, one more to come",
        placing(None, None, missing=2),
        ReturnPlaced(TASK, SECOND, Placed(LARGE.nbytes, (NEAR,))),
        placing(None, Placed(LARGE.nbytes, (NEAR,))),
        (),
    ),
    (
        "placed, the last",
        placing(SMALL, None),
        ReturnPlaced(TASK, SECOND, Placed(LARGE.nbytes, (NEAR,))),
        reporting(SMALL, Placed(LARGE.nbytes, (NEAR,))),
        REPORTS,
    ),
    ("no room", placing(SMALL, None), ReturnPlaced(TASK, SECOND, FULL), reporting(SMALL, FULL), REPORTS),
]


def reported(object: int, *lent: int, keeps: bool = False) -> HoldReported:
    return HoldReported(TASK, object, keeps, lent)


def replied(*outcomes: Any, reports: tuple[Report, ...] = (), caller: int = CALLER) -> Send:
    return Send(caller, TaskReply(TASK, 5, ME, outcomes, reports, 0.5))


def gathering(*outcomes: Any, **fields: Any) -> Run_:
    return replace(reporting(*outcomes, **fields), missing=1)


LENT = tuple(Lent(ref, (CALLER,)) for ref in INSIDE)
REPLIES: list[Case] = [
    ("one more to come", reporting(SMALL, SMALL), reported(X), gathering(SMALL, SMALL), ()),
    (
        "it is kept here, one more to come",
        reporting(SMALL, SMALL),
        reported(X, keeps=True),
        gathering(SMALL, SMALL, reports=(Report(X, True),)),
        (),
    ),
    ("the last, nothing is held", gathering(SMALL, LOST), reported(X), None, (replied(SMALL, LOST),)),
    (
        "the last, lent on",
        gathering(SMALL, LOST, reports=(Report(FUNCTION, True),)),
        reported(X, THIRD),
        None,
        (replied(SMALL, LOST, reports=(Report(FUNCTION, True), Report(X, False, (THIRD,)))),),
    ),
    (
        "references inside are lent to the caller, after the reply; a third party's is held until it is taken",
        gathering(NESTED, SMALL, held=INSIDE),
        reported(X),
        run(HANDING, held=(THEIRS,)),
        (replied(NESTED, SMALL), *LENT, Unpinned(MINE), Unpinned(RETURNED)),
    ),
    (
        "what was inside a value that found no room goes nowhere",
        gathering(SMALL, FULL, held=(THEIRS,)),
        reported(X),
        None,
        (replied(SMALL, FULL), Unpinned(THEIRS)),
    ),
    (
        "our own task: a third party's is held until we have counted it",
        replace(gathering(Payload(8, (THEIRS,)), SMALL, held=(THEIRS,)), query=query(caller=ME)),
        reported(X),
        run(HANDING, query=query(caller=ME), held=(THEIRS,)),
        (replied(Payload(8, (THEIRS,)), SMALL, caller=ME), Lent(THEIRS, (ME,))),
    ),
    ("taken", run(HANDING, held=(THEIRS,)), TaskTakenNotice(TASK), None, (Unpinned(THEIRS),)),
    ("the caller died", run(HANDING, held=(THEIRS,)), CallerDied(TASK), None, (Unpinned(THEIRS),)),
]

STOP, FORCE = StopNotice(TASK, False), StopNotice(TASK, True)
STOPS: list[Case] = [
    ("it fetches", run(FETCHING, missing=2), STOP, not_run(CANCELLED), (*UNFETCHED, *REPORTS)),
    ("it waits for its turn", run(READY), STOP, not_run(CANCELLED), (TurnDropped(TASK), *REPORTS)),
    ("it runs", begun(RUNNING), STOP, begun(RUNNING), (Interrupt(TASK),)),
    ("by force", begun(RUNNING), FORCE, begun(RUNNING), (Kill(ME),)),
]

BLOCKED, BLOCKS = ThreadBlocked(TASK, (X, Y)), (DeskBlocked(TASK, (X, Y)),)
WAITS: list[Case] = [
    ("its first thread", begun(RUNNING), BLOCKED, begun(RUNNING, blocked=1), BLOCKS),
    ("another thread", begun(RUNNING, blocked=1), BLOCKED, begun(RUNNING, blocked=2), BLOCKS),
    ("one goes on", begun(RUNNING, blocked=2), ThreadResumed(TASK), begun(RUNNING, blocked=1), ()),
    ("the last goes on", begun(RUNNING, blocked=1), ThreadResumed(TASK), begun(RUNNING), (DeskResumed(TASK),)),
]

ROWS = {"argument": ARGUMENTS, "turn": TURNS, "end": ENDS, "reply": REPLIES, "stop": STOPS, "thread waits": WAITS}


@pytest.mark.parametrize(
    ("before", "event", "after", "out"),
    [pytest.param(*case, id=f"{section}: {name}") for section, cases in ROWS.items() for name, *case in cases],
)
def test_a_row(step: Any, before: Run_, event: Any, after: Run_ | None, out: Any) -> None:
    assert step(before, event) == (after, out)


@pytest.mark.rule(id="run-ended")
def test_what_is_small_fits_into_one_reply_only_up_to_a_bound(step: Any) -> None:
    half, more = Payload(INLINED_BYTES_MAX // 2), Payload(INLINED_BYTES_MAX // 2 + 1)
    policy = Policy(inline_bytes_max=INLINED_BYTES_MAX)
    assert step(begun(RUNNING), ended(half, half), policy=policy) == (reporting(half, half), (OVER, *REPORTS))
    assert step(begun(RUNNING), ended(half, more), policy=policy) == (placing(half, None), (OVER, put(SECOND, more)))


IGNORED: list[tuple[Any, tuple[Running, ...]]] = [
    (ArgumentReady(TASK, X), (ABSENT, REPORTING, HANDING)),
    (TaskTakenNotice(TASK), (ABSENT,)),
    (CallerDied(TASK), (ABSENT, REPORTING)),
    (STOP, (ABSENT, PLACING, REPORTING, HANDING)),
    (BLOCKED, (ABSENT, FETCHING, READY, PLACING, REPORTING, HANDING)),
    (ThreadResumed(TASK), (ABSENT, FETCHING, READY, PLACING, REPORTING, HANDING)),
]


@pytest.mark.parametrize(("state", "event"), [(state, event) for event, states in IGNORED for state in states])
def test_nothing_changes(step: Any, state: Running, event: Any) -> None:
    before = run(state)
    assert step(before, event) == (before, ())


UNDER_WAY = (FETCHING, READY, RUNNING, PLACING)


@pytest.mark.rule(id="run-handed")
@pytest.mark.parametrize("state", UNDER_WAY, ids=lambda state: state.name)
def test_nothing_is_reported_to_a_dead_caller(step: Any, state: Running) -> None:
    before = run(state)
    assert before.query is not None
    after, out = step(before, CallerDied(TASK))
    assert (after, out) == (replace(before, query=replace(before.query, caller=0)), ())
    assert report(replace(after, held=(THEIRS,))) == (
        None,
        (*[Unpinned(ref) for ref in after.query.lent], Unpinned(THEIRS)),
    )


def test_a_task_of_a_dead_caller_is_not_given_back(step: Any) -> None:
    before = run(READY)
    assert before.query is not None
    orphan = replace(before, query=replace(before.query, caller=0))
    unpinned = tuple([Unpinned(ref) for ref in before.query.lent])
    assert step(orphan, TurnLost(TASK)) == (None, unpinned)
    assert step(replace(orphan, state=FETCHING), ArgumentLate(TASK, X)) == (None, (*UNFETCHED, *unpinned))
