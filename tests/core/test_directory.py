"""The directory's rows of the promotion table: in this record, this event gives this record and asks for this."""

from __future__ import annotations

from typing import Any

import pytest
from immutables import Map

from freehold.core.effects import Send
from freehold.core.events import HolderDied, LineageLost, ObjectRested, ObjectRoused, ReturnArrived, ValueWanted
from freehold.core.ids import HEAD, node_id, object_id, worker_id
from freehold.core.machine import replace
from freehold.core.messages import LateNotice, LocateCancelNotice, LocateQuery, LocateReply
from freehold.core.node_messages import CopyNotice, CreateQuery, FreeNotice, KeepNotice
from freehold.core.policies import Policy
from freehold.core.promotion import (
    ABSENT,
    DISCARDING,
    FAILED,
    INLINE,
    PENDING,
    PLACED,
    RELEASED,
    RESERVING,
    WRITING,
    Promoting,
    Promotion,
)
from freehold.core.task_events import ArgumentLate, ReturnGone, ReturnLost, TaskAwaited
from freehold.core.values import Failure, Payload, Placed, Want

ME, B, C = worker_id(HEAD, 1), worker_id(node_id(1), 1), worker_id(node_id(2), 1)
NEAR, FAR, FARTHER = HEAD, node_id(1), node_id(2)  # nodes; NEAR is ours
MINE, REFS, TASK = object_id(ME, 7), (object_id(B, 8),), object_id(ME, 6)
NEW, GET, RUN = 101, 1, 2  # what the party mints; a request, a task
SMALL, LARGE = Payload(10, REFS, b"small"), Payload(200_000, REFS, b"large")
CRASHED, LOST, GONE = (
    Failure("crashed", MINE, B),
    Failure("not_rebuilt", MINE, FAR, "put"),
    Failure("released", MINE, ME),
)

Case = tuple[str, Promotion, Any, Promotion | None, Any]


def mine(state: Promoting, **fields: Any) -> Promotion:
    return Promotion(MINE, state, **fields)


def placed(*nodes: int, value: Payload | None = None, **fields: Any) -> Promotion:
    """A large value with its copies, or a small one that was promoted."""
    nbytes = value.nbytes if value is not None else LARGE.nbytes
    return mine(PLACED, payload=value, nbytes=nbytes, refs=REFS, nodes=nodes, **fields)


def askers(**known: tuple[int, ...]) -> Map[int, Any]:
    """Open questions of workers B (attempt 3) and C (attempt 4), with the nodes that they know to have failed."""
    return Map({{"b": B, "c": C}[name]: ({"b": 3, "c": 4}[name], nodes) for name, nodes in known.items()})


def ask(*known: int, wait: int = 0) -> LocateQuery:
    return LocateQuery(MINE, 3, B, known, wait)


SURE = Send(FAR, KeepNotice(MINE, True))  # is it there still?


def told(outcome: Any, worker: int = B, attempt: int = 3) -> Send:
    return Send(worker, LocateReply(MINE, attempt, outcome))


def there(*nodes: int) -> Placed:
    return Placed(LARGE.nbytes, nodes, REFS)


def copy(node: int) -> CopyNotice:
    return CopyNotice(MINE, node, LARGE.nbytes, True)


def no_copy(node: int) -> CopyNotice:
    return CopyNotice(MINE, node, LARGE.nbytes, False)


AWAITED = mine(PENDING, by=TASK)
INLINED = mine(INLINE, payload=SMALL, nbytes=SMALL.nbytes, refs=REFS)
ROOM = mine(RESERVING, attempt=5, payload=LARGE, nbytes=LARGE.nbytes, refs=REFS)
WRITE = replace(ROOM, state=WRITING)
FAILURE = mine(FAILED, failure=CRASHED)
PROMOTED = replace(INLINED, state=RESERVING, attempt=NEW, askers=askers(b=()))
PROMOTE = (Send(NEAR, CreateQuery(MINE, NEW, ME, SMALL.nbytes)),)

# ------------------------------------------------------------------ who asks where it is

ASKING: list[Case] = [
    *[
        case
        for r in (AWAITED, ROOM, WRITE)
        for case in [
            (f"{r.state.name}: later", r, ask(), replace(r, askers=askers(b=())), ()),
            (
                f"{r.state.name}: another question takes the place of the first",
                replace(r, askers=Map({B: (2, ()), C: (4, ())})),
                ask(FAR),
                replace(r, askers=askers(b=(FAR,), c=())),
                (),
            ),
            (
                f"{r.state.name}: no more",
                replace(r, askers=askers(b=(), c=())),
                LocateCancelNotice(MINE, B),
                replace(r, askers=askers(c=())),
                (),
            ),
            (f"{r.state.name}: nobody no more", r, LocateCancelNotice(MINE, B), r, ()),
        ]
    ],
    (
        "a thread waits: it may run the task",
        AWAITED,
        ask(wait=8),
        replace(AWAITED, askers=askers(b=())),
        (TaskAwaited(TASK, B, MINE, 8),),
    ),
    ("a thread waits: the task is over", ROOM, ask(wait=8), replace(ROOM, askers=askers(b=())), ()),
    (
        "a small value is promoted",
        INLINED,
        ask(),
        PROMOTED,
        PROMOTE,
    ),
    ("where it is", placed(FAR, NEAR), ask(), placed(FAR, NEAR), (told(there(FAR, NEAR)),)),
    ("where else it is", placed(FAR, NEAR), ask(FAR), placed(FAR, NEAR), (told(there(FAR, NEAR)),)),
    ("nowhere else", placed(FAR, NEAR), ask(FAR, NEAR), placed(FAR, NEAR, askers=askers(b=(FAR, NEAR))), (SURE,)),
    ("no more", placed(FAR, askers=askers(b=(FAR,))), LocateCancelNotice(MINE, B), placed(FAR), ()),
    ("nobody no more", placed(FAR), LocateCancelNotice(MINE, B), placed(FAR), ()),
    ("why not", FAILURE, ask(), FAILURE, (told(CRASHED),)),
    ("it is gone", mine(ABSENT), ask(), mine(ABSENT), (told(GONE),)),
    ("it is being discarded", mine(DISCARDING), ask(FAR), mine(DISCARDING), (told(GONE),)),
]

# ------------------------------------------------------------------ copies come and go

FREE = (Send(FAR, FreeNotice(MINE)),)
KEPT, MISSED = placed(NEAR, value=SMALL), placed(NEAR, value=SMALL, askers=askers(b=(NEAR,)))
SENT_ON = replace(PROMOTED, askers=askers(b=(NEAR,)))
NEXT = (Send(NEAR, KeepNotice(MINE, True)),)  # it takes the place of the primary copy
COPIES: list[Case] = [
    ("another", placed(FAR), copy(NEAR), placed(FAR, NEAR), ()),
    ("one that is known", placed(FAR), copy(FAR), placed(FAR), ()),
    (
        "another, and who has tried all others hears of it",
        placed(FAR, askers=askers(b=(FAR,), c=(FAR, NEAR))),
        copy(NEAR),
        placed(FAR, NEAR, askers=askers(c=(FAR, NEAR))),
        (told(there(FAR, NEAR)),),
    ),
    ("one less", placed(FAR, NEAR), no_copy(NEAR), placed(FAR), ()),
    ("the primary one less: the next takes its place", placed(FAR, NEAR), no_copy(FAR), placed(NEAR), NEXT),
    ("one less that was not known", placed(NEAR), no_copy(FAR), placed(NEAR), ()),
    ("none is left of a large value", placed(FAR), no_copy(FAR), replace(placed(), state=FAILED, failure=LOST), ()),
    (
        "none is left, and who asked for another hears of it",
        placed(FAR, askers=askers(b=(FAR,), c=(FAR,))),
        no_copy(FAR),
        replace(placed(), state=FAILED, failure=LOST),
        (told(LOST), told(LOST, C, 4)),
    ),
    ("none is left of a small value", KEPT, no_copy(NEAR), replace(KEPT, state=INLINE, nodes=()), ()),
    ("none is left of a small value that is asked for: it is promoted", MISSED, no_copy(NEAR), SENT_ON, PROMOTE),
    ("before the reply", AWAITED, copy(FAR), replace(AWAITED, nodes=(FAR,)), ()),
    (
        "before the reply, once more",
        replace(AWAITED, nodes=(FAR, NEAR)),
        copy(FAR),
        replace(AWAITED, nodes=(NEAR, FAR)),
        (),
    ),
    ("before the reply, gone", replace(AWAITED, nodes=(FAR, NEAR)), no_copy(FAR), replace(AWAITED, nodes=(NEAR,)), ()),
    *[
        case
        for r in (mine(ABSENT), mine(DISCARDING), INLINED, FAILURE)
        for case in [
            (f"{r.state.name}: a straggler", r, copy(FAR), r, FREE),
            (f"{r.state.name}: gone by itself", r, no_copy(FAR), r, ()),
        ]
    ],
]

DEATHS: list[Case] = [
    (
        "a node, before the reply",
        replace(AWAITED, nodes=(FAR, NEAR)),
        HolderDied(MINE, FAR),
        replace(AWAITED, nodes=(NEAR,)),
        (),
    ),
    *[
        case
        for r in (AWAITED, ROOM, WRITE, placed(FAR))
        for case in [
            (
                f"{r.state.name}: an asker",
                replace(r, askers=askers(b=(FAR,), c=(FAR,))),
                HolderDied(MINE, B),
                replace(r, askers=askers(c=(FAR,))),
                (),
            ),
            (f"{r.state.name}: nobody", r, HolderDied(MINE, B), r, ()),
        ]
    ],
    ("a node", placed(FAR, NEAR), HolderDied(MINE, NEAR), placed(FAR), ()),
    ("a node with the primary copy", placed(FAR, NEAR), HolderDied(MINE, FAR), placed(NEAR), NEXT),
    (
        "the last node",
        placed(FAR, askers=askers(b=(FAR,))),
        HolderDied(MINE, FAR),
        replace(placed(), state=FAILED, failure=LOST),
        (told(LOST),),
    ),
    ("the last node of a small value", KEPT, HolderDied(MINE, NEAR), replace(KEPT, state=INLINE, nodes=()), ()),
    ("the last node of a small value that is asked for", MISSED, HolderDied(MINE, NEAR), SENT_ON, PROMOTE),
]

LASTING, GOING = placed(FAR, task=TASK), placed(FAR, task=TASK, rested=True)
LOST_AGAIN = (ReturnLost(TASK, MINE),)
LATE = Send(B, LateNotice(MINE))
AGAIN = replace(placed(task=TASK), state=PENDING, by=TASK)
LET_GO = replace(placed(task=TASK), state=RELEASED)
LAINED = (PENDING, RESERVING, WRITING)
LOSER = replace(placed(), state=FAILED, failure=LOST)
SPARE = Send(FAR, KeepNotice(MINE, False))
BACK = ReturnArrived(MINE, Placed(LARGE.nbytes, (FAR,), REFS), TASK)
LINEAGE: list[Case] = [
    ("a large value comes, that its task can compute again", mine(PENDING, by=TASK), BACK, LASTING, ()),
    ("that only lineage needs", mine(PENDING, by=TASK, rested=True), BACK, GOING, (SPARE,)),
    ("that nobody needs", mine(ABSENT), BACK, None, (Send(FAR, FreeNotice(MINE)), ReturnGone(TASK, MINE))),
    ("the last copy: its task runs again", LASTING, no_copy(FAR), AGAIN, LOST_AGAIN),
    ("the last node: its task runs again", LASTING, HolderDied(MINE, FAR), AGAIN, LOST_AGAIN),
    (
        "who has tried all locations tries them once more",
        replace(LASTING, askers=askers(b=(FAR,))),
        HolderDied(MINE, FAR),
        replace(AGAIN, askers=askers(b=())),
        (LATE, *LOST_AGAIN),
    ),
    ("the last copy, that only lineage needs", GOING, no_copy(FAR), replace(LET_GO, rested=True), ()),
    (
        "only lineage needs it: it may be evicted",
        LASTING,
        ObjectRested(MINE),
        GOING,
        (Send(FAR, KeepNotice(MINE, False)),),
    ),
    ("that is no news", GOING, ObjectRested(MINE), GOING, ()),
    ("only lineage needs it, and it was put", placed(FAR), ObjectRested(MINE), placed(FAR, rested=True), (SPARE,)),
    ("that is evicted", placed(FAR, rested=True), no_copy(FAR), replace(LOSER, rested=True), ()),
    ("others need it again", GOING, ObjectRoused(MINE), LASTING, (SURE,)),
    ("they always did", LASTING, ObjectRoused(MINE), LASTING, ()),
    ("others need it, and it is gone", replace(LET_GO, rested=True), ObjectRoused(MINE), LET_GO, ()),
    *[
        case
        for state in LAINED
        for case in [
            (f"{state.name}: only lineage needs it", mine(state), ObjectRested(MINE), mine(state, rested=True), ()),
            (f"{state.name}: others need it", mine(state, rested=True), ObjectRoused(MINE), mine(state), ()),
        ]
    ],
    (
        "it is wanted: its task runs first",
        LET_GO,
        ValueWanted(MINE, GET, 0),
        replace(AGAIN, wanted=Map({GET: 0})),
        LOST_AGAIN,
    ),
    (
        "a task waits for it here: that goes back",
        LET_GO,
        ValueWanted(MINE, RUN, Want.RUN),
        replace(AGAIN, wanted=Map({RUN: Want.RUN})),
        (ArgumentLate(RUN, MINE), *LOST_AGAIN),
    ),
    (
        "a task waits for it here, while it is computed again: that goes back",
        AGAIN,
        ValueWanted(MINE, RUN, Want.RUN),
        replace(AGAIN, wanted=Map({RUN: Want.RUN})),
        (ArgumentLate(RUN, MINE),),
    ),
    (
        "it is asked for: its task runs first",
        LET_GO,
        ask(FAR),
        replace(AGAIN, askers=askers(b=())),
        (LATE, *LOST_AGAIN),
    ),
    (
        "it is asked for while it is computed again: tasks there are not to wait",
        AGAIN,
        ask(FAR),
        replace(AGAIN, askers=askers(b=(FAR,))),
        (LATE,),
    ),
    ("a copy comes to light", LET_GO, copy(FAR), LASTING, (SURE,)),
    ("a copy comes to light that only lineage needs", replace(LET_GO, rested=True), copy(FAR), GOING, ()),
    ("no copy comes to light", LET_GO, no_copy(FAR), LET_GO, ()),
    ("its task will not run again", LASTING, LineageLost(MINE, "evicted"), placed(FAR, refusal="evicted"), ()),
    (
        "and only lineage needs it",
        GOING,
        LineageLost(MINE, "evicted"),
        placed(FAR, refusal="evicted", rested=True),
        (),
    ),
    (
        "and there is no copy",
        replace(LET_GO, rested=True),
        LineageLost(MINE, "evicted"),
        replace(placed(), state=FAILED, failure=Failure("not_rebuilt", MINE, ME, "evicted")),
        (),
    ),
]

ROWS = {"lineage": LINEAGE, "asked": ASKING, "copies": COPIES, "dead": DEATHS}


@pytest.mark.parametrize(
    ("before", "event", "after", "out"),
    [pytest.param(*case, id=f"{section}: {name}") for section, cases in ROWS.items() for name, *case in cases],
)
def test_a_row(step: Any, before: Promotion, event: Any, after: Promotion, out: Any) -> None:
    assert step(before, event) == (after, out)


def test_under_the_policy_copy_the_answer_carries_a_small_value(step: Any) -> None:
    assert step(INLINED, ask(), policy=Policy(borrow="copy")) == (INLINED, (told(SMALL),))


@pytest.mark.rule(id="directory-told")
@pytest.mark.parametrize("state", [RESERVING, WRITING])
def test_only_the_copy_that_is_being_written_counts(step: Any, state: Promoting) -> None:
    assert step(mine(state), copy(FAR)) == (mine(state), (Send(FAR, FreeNotice(MINE)),))


IGNORED: list[tuple[Any, tuple[Promoting, ...]]] = [
    (LocateCancelNotice(MINE, B), (ABSENT, INLINE, FAILED, DISCARDING)),
    (no_copy(FAR), (RESERVING, WRITING)),
    (copy(NEAR), (RESERVING, WRITING)),  # that is the one
    (HolderDied(MINE, B), (ABSENT, INLINE, DISCARDING, FAILED)),
]


@pytest.mark.parametrize(("state", "event"), [(state, event) for event, states in IGNORED for state in states])
def test_nothing_changes(step: Any, state: Promoting, event: Any) -> None:
    before = mine(state)
    assert step(before, event) == (before, ())
