"""Promotion, row by row: in this record, this event gives this record and asks for this."""

from __future__ import annotations

from typing import Any

import pytest
from immutables import Map

from freehold.core.effects import Move, Send
from freehold.core.events import (
    ArgumentReady,
    CopyWanted,
    DependencyReady,
    Moved,
    ObjectReleased,
    RequestReady,
    ReturnArrived,
    ReturnAwaited,
    ValuePending,
    ValuePut,
    ValueWanted,
    WantWithdrawn,
)
from freehold.core.ids import HEAD, node_id, object_id, worker_id
from freehold.core.machine import replace
from freehold.core.messages import CancelNotice, LocateReply
from freehold.core.node_messages import CreateQuery, CreateReply, FreeNotice, HoldNotice, HoldReturnNotice, SealNotice
from freehold.core.policies import Policy
from freehold.core.promotion import (
    ABSENT,
    DISCARDING,
    FAILED,
    INLINE,
    PENDING,
    PLACED,
    RESERVING,
    WRITING,
    Promoting,
    Promotion,
)
from freehold.core.task_events import CancelWanted, ReturnPlaced, TaskAwaited
from freehold.core.values import Failure, Payload, Placed, Want

ME, B, C = worker_id(HEAD, 1), worker_id(node_id(1), 1), worker_id(node_id(2), 1)
NEAR, FAR, FARTHER = HEAD, node_id(1), node_id(2)  # nodes; NEAR is ours
MINE, OUTER, THEIRS, INNER = object_id(ME, 7), object_id(ME, 8), object_id(B, 7), object_id(B, 8)
TASK, GET, LATER, PUT = object_id(ME, 6), (1 << 35) + 1, (1 << 35) + 2, (1 << 35) + 3
NEW = 101  # what the party mints
REFS, PLACE = (INNER,), 4096
LIMIT = Policy().inline_bytes_max
SMALL, LARGE = Payload(LIMIT, REFS, b"small"), Payload(LIMIT + 1, REFS, b"large")
AWAITED = Promotion(MINE, PENDING, by=TASK)
FULL, CRASHED = Failure("full", MINE, NEAR), Failure("crashed", MINE, B)
ASKERS = Map({B: (3, ()), C: (4, (FAR,))})  # worker -> attempt, nodes known to have failed
WANTED = Map({GET: Want.GET, TASK: Want.SEND, LATER: Want.WAIT})

Case = tuple[str, Promotion, Any, Promotion | None, Any]


def mine(state: Promoting, **fields: Any) -> Promotion:
    return Promotion(MINE, state, **fields)


def valued(state: Promoting, value: Payload, attempt: int = 5, **fields: Any) -> Promotion:
    """A record of ours that has the bytes: a value at rest here, or on its way into the store."""
    return mine(state, attempt=attempt, **{"payload": value, "nbytes": value.nbytes, "refs": value.refs, **fields})


def theirs(state: Promoting, value: Payload = LARGE, attempt: int = 5, **fields: Any) -> Promotion:
    """A return of TASK that is written here for its owner."""
    return Promotion(THEIRS, state, attempt, value, value.nbytes, value.refs, by=TASK, **fields)


def placed(value: Payload, *nodes: int, **fields: Any) -> Promotion:
    """Only a small value is kept beside its copies."""
    kept = value if value is SMALL else None
    return mine(PLACED, payload=kept, nbytes=value.nbytes, refs=value.refs, nodes=nodes, **fields)


def awaited(**fields: Any) -> Promotion:
    return mine(PENDING, by=TASK, **fields)


def create(value: Payload, object: int = MINE) -> Send:
    return Send(NEAR, CreateQuery(object, NEW, ME, value.nbytes))


def told(worker: int, attempt: int, outcome: Any) -> Send:
    return Send(worker, LocateReply(MINE, attempt, outcome))


def all_hear(failure: Failure) -> tuple[Any, ...]:
    here = RequestReady(GET, MINE, True), RequestReady(LATER, MINE, True), DependencyReady(TASK, MINE, failure)
    return (*here, told(B, 3, failure), told(C, 4, failure))


# ------------------------------------------------------------------ a value comes into being

INLINED = valued(INLINE, SMALL, 0)
PUTS: list[Case] = [
    ("small: it has the greatest size", mine(ABSENT), ValuePut(MINE, SMALL), INLINED, ()),
    ("large", mine(ABSENT), ValuePut(MINE, LARGE, PUT), valued(RESERVING, LARGE, NEW, by=PUT), (create(LARGE),)),
    (
        "another's, large",
        Promotion(THEIRS),
        ValuePut(THEIRS, LARGE, TASK),
        theirs(RESERVING, attempt=NEW),
        (create(LARGE, THEIRS),),
    ),
    (
        "another's, small: the reply that was to carry it is full",
        Promotion(THEIRS),
        ValuePut(THEIRS, SMALL, TASK),
        theirs(RESERVING, SMALL, attempt=NEW),
        (create(SMALL, THEIRS),),
    ),
    (
        "another's, while an earlier copy is given up",
        Promotion(THEIRS, DISCARDING, 5),
        ValuePut(THEIRS, LARGE, TASK),
        theirs(RESERVING, attempt=NEW),
        (create(LARGE, THEIRS),),
    ),
    ("a task is submitted", mine(ABSENT), ValuePending(MINE, TASK), AWAITED, ()),
]

FREED = (Send(FAR, FreeNotice(MINE)), Send(FARTHER, FreeNotice(MINE)))
FAR_AWAY = Placed(LARGE.nbytes, (FAR,), REFS)
LEFT, TO_PLACE, FAILURE = awaited(nodes=(FAR, FARTHER)), valued(RESERVING, LARGE, NEW), mine(FAILED, failure=CRASHED)
TRIED, NO_MORE = ASKERS.delete(B), told(C, 4, CRASHED)
RETURNS: list[Case] = [
    ("small", AWAITED, ReturnArrived(MINE, SMALL), INLINED, ()),
    (
        "small, wanted here",
        awaited(wanted=WANTED),
        ReturnArrived(MINE, SMALL),
        INLINED,
        (RequestReady(GET, MINE), RequestReady(LATER, MINE), DependencyReady(TASK, MINE, SMALL)),
    ),
    (
        "small, asked for: it is promoted",
        awaited(askers=ASKERS, wanted=Map({GET: Want.GET})),
        ReturnArrived(MINE, SMALL),
        valued(RESERVING, SMALL, NEW, askers=ASKERS),
        (RequestReady(GET, MINE), create(SMALL)),
    ),
    ("large", AWAITED, ReturnArrived(MINE, FAR_AWAY), placed(LARGE, FAR), ()),
    (
        "large, and a copy is known that an earlier run has left",
        awaited(nodes=(FARTHER, FAR)),
        ReturnArrived(MINE, FAR_AWAY),
        placed(LARGE, FAR),
        (Send(FARTHER, FreeNotice(MINE)),),
    ),
    (
        "large, wanted here",
        awaited(wanted=WANTED),
        ReturnArrived(MINE, FAR_AWAY),
        placed(LARGE, FAR),
        (
            CopyWanted(MINE, GET, Want.GET, (FAR,), LARGE.nbytes),
            CopyWanted(MINE, LATER, Want.WAIT, (FAR,), LARGE.nbytes),
            DependencyReady(TASK, MINE, FAR_AWAY),
        ),
    ),
    (
        "large, asked for: whoever knows the copy for bad waits for another",
        awaited(askers=ASKERS),
        ReturnArrived(MINE, FAR_AWAY),
        placed(LARGE, FAR, askers=TRIED),
        (told(B, 3, FAR_AWAY),),
    ),
    (
        "large, and the task ran in this process",
        awaited(wanted=WANTED, askers=ASKERS),
        ReturnArrived(MINE, LARGE),
        valued(RESERVING, LARGE, NEW, wanted=WANTED, askers=ASKERS),
        (create(LARGE),),
    ),
    ("failed", AWAITED, ReturnArrived(MINE, CRASHED), FAILURE, ()),
    (
        "failed, wanted here and asked for",
        awaited(wanted=WANTED, askers=ASKERS),
        ReturnArrived(MINE, CRASHED),
        FAILURE,
        all_hear(CRASHED),
    ),
    ("small: what an earlier run has left is freed", LEFT, ReturnArrived(MINE, SMALL), INLINED, FREED),
    ("failed: that too", replace(LEFT, askers=TRIED), ReturnArrived(MINE, CRASHED), FAILURE, (*FREED, NO_MORE)),
    ("large, and written here: that too", LEFT, ReturnArrived(MINE, LARGE), TO_PLACE, (*FREED, create(LARGE))),
    ("after its release: small", mine(ABSENT), ReturnArrived(MINE, SMALL), None, ()),
    ("after its release: failed", mine(ABSENT), ReturnArrived(MINE, CRASHED), None, ()),
    ("after its release: large", mine(ABSENT), ReturnArrived(MINE, Placed(9, (FAR, FARTHER))), None, FREED),
]

# ------------------------------------------------------------------ promotion, step by step

ROOM, NO_ROOM, THERE = CreateReply(MINE, 5, PLACE), CreateReply(MINE, 5, 0, False, FULL), CreateReply(MINE, 5, 0, True)
NEARBY, NEARBY_SMALL = Placed(LARGE.nbytes, (NEAR,), REFS), Placed(SMALL.nbytes, (NEAR,), REFS)
RETURNED = Send(NEAR, HoldReturnNotice(MINE, ME, 1))
KEPT = (Send(NEAR, SealNotice(MINE, ME, True)), HoldNotice(MINE, PLACE, LARGE.nbytes))
WRITTEN: list[Case] = [
    (
        "there is room",
        valued(RESERVING, LARGE, by=PUT, wanted=WANTED, askers=ASKERS),
        ROOM,
        valued(WRITING, LARGE, NEW, by=PUT, wanted=WANTED, askers=ASKERS, place=PLACE),
        (Move(MINE, NEW, LARGE, PLACE, 0, 0, LARGE.nbytes),),
    ),
    (
        "it is there already",
        valued(RESERVING, LARGE, wanted=Map({GET: Want.GET})),
        THERE,
        placed(LARGE, NEAR, attempt=5),
        (CopyWanted(MINE, GET, Want.GET, (NEAR,), LARGE.nbytes),),
    ),
    (
        "another's is there already",
        theirs(RESERVING),
        CreateReply(THEIRS, 5, 0, True),
        None,
        (ReturnPlaced(TASK, THEIRS, NEARBY),),
    ),
    (
        "no room: a put fails",
        valued(RESERVING, LARGE, by=PUT),
        NO_ROOM,
        valued(FAILED, LARGE, by=PUT, payload=None, failure=FULL),
        (RequestReady(PUT, MINE, True),),
    ),
    (
        "no room: a return of our own fails",
        valued(RESERVING, LARGE, wanted=WANTED, askers=ASKERS),
        NO_ROOM,
        valued(FAILED, LARGE, payload=None, failure=FULL),
        all_hear(FULL),
    ),
    (
        "no room: the owner keeps its small value, borrowers hear why they do not get it",
        valued(RESERVING, SMALL, askers=ASKERS),
        NO_ROOM,
        valued(INLINE, SMALL),
        (told(B, 3, FULL), told(C, 4, FULL)),
    ),
    (
        "no room: a task returns the failure",
        theirs(RESERVING),
        CreateReply(THEIRS, 5, 0, False, FULL),
        None,
        (ReturnPlaced(TASK, THEIRS, FULL),),
    ),
    (
        "written: a put is over",
        valued(WRITING, LARGE, by=PUT, place=PLACE),
        Moved(MINE, 5),
        placed(LARGE, NEAR, attempt=5, place=PLACE),
        (*KEPT, RequestReady(PUT, MINE)),
    ),
    (
        "written: who waited is served",
        valued(WRITING, LARGE, place=PLACE, wanted=Map({TASK: Want.SEND}), askers=ASKERS),
        Moved(MINE, 5),
        placed(LARGE, NEAR, attempt=5, place=PLACE),
        (*KEPT, DependencyReady(TASK, MINE, NEARBY), told(B, 3, NEARBY), told(C, 4, NEARBY)),
    ),
    (
        "written: a small one needs no hold of ours, and stays here",
        valued(WRITING, SMALL, place=PLACE, askers=ASKERS),
        Moved(MINE, 5),
        placed(SMALL, NEAR, attempt=5, place=PLACE),
        (Send(NEAR, SealNotice(MINE, ME, False)), told(B, 3, NEARBY_SMALL), told(C, 4, NEARBY_SMALL)),
    ),
    (
        "written: another's",
        theirs(WRITING, place=PLACE),
        Moved(THEIRS, 5),
        None,
        (Send(NEAR, SealNotice(THEIRS, ME, False)), ReturnPlaced(TASK, THEIRS, NEARBY)),
    ),
    ("given up: there was room", mine(DISCARDING, attempt=5), ROOM, None, (RETURNED,)),
    ("given up: there was no room", mine(DISCARDING, attempt=5), NO_ROOM, None, ()),
    ("given up: it was there", mine(DISCARDING, attempt=5), THERE, None, ()),
    ("given up: it is written", mine(DISCARDING, attempt=5), Moved(MINE, 5), None, (RETURNED,)),
]

# ------------------------------------------------------------------ who wants the value

GONE, DISCARDED = Failure("released", MINE, ME), mine(DISCARDING, attempt=5)
SETTLED = {
    "in the in-process store": (INLINED, None, SMALL),
    "small, while room is asked for": (valued(RESERVING, SMALL), None, SMALL),
    "small, while it is written": (valued(WRITING, SMALL), None, SMALL),
    "small, placed": (placed(SMALL, NEAR), None, SMALL),
    "failed": (FAILURE, CRASHED, CRASHED),
    "freed": (mine(ABSENT), GONE, GONE),
    "being discarded": (DISCARDED, GONE, GONE),
}


@pytest.mark.parametrize(("before", "failure", "outcome"), SETTLED.values(), ids=SETTLED)
def test_a_settled_value_is_answered_at_once(step: Any, before: Promotion, failure: Any, outcome: Any) -> None:
    for want in (Want.GET, Want.WAIT, Want.LOOK):
        assert step(before, ValueWanted(MINE, GET, want)) == (before, (RequestReady(GET, MINE, failure is not None),))
    assert step(before, ValueWanted(MINE, TASK, Want.RUN)) == (before, (ArgumentReady(TASK, MINE, failure),))
    assert step(before, ValueWanted(MINE, TASK, Want.SEND)) == (before, (DependencyReady(TASK, MINE, outcome),))


def test_the_copy_of_a_large_value_is_fetched_unless_it_is_enough_that_it_exists(step: Any) -> None:
    before = placed(LARGE, FAR, FARTHER)
    for by, want in ((GET, Want.GET), (GET, Want.WAIT), (TASK, Want.RUN)):
        fetch = CopyWanted(MINE, by, want, (FAR, FARTHER), LARGE.nbytes)
        assert step(before, ValueWanted(MINE, by, want)) == (before, (fetch,))
    sent = DependencyReady(TASK, MINE, Placed(LARGE.nbytes, (FAR, FARTHER), REFS))
    assert step(before, ValueWanted(MINE, TASK, Want.SEND)) == (before, (sent,))
    assert step(before, ValueWanted(MINE, GET, Want.LOOK)) == (before, (RequestReady(GET, MINE),))


@pytest.mark.parametrize("r", [AWAITED, valued(RESERVING, LARGE), valued(WRITING, LARGE)], ids=lambda r: r.state.name)
def test_a_waiter_has_one_entry_until_it_withdraws(step: Any, r: Promotion) -> None:
    one, other = replace(r, wanted=Map({GET: Want.GET})), replace(r, wanted=Map({GET: Want.WAIT}))
    both = replace(r, wanted=Map({GET: Want.GET, TASK: Want.SEND}))
    assert step(r, ValueWanted(MINE, GET, Want.GET)) == (one, ())
    assert step(other, ValueWanted(MINE, GET, Want.GET)) == (one, ())
    assert step(one, ValueWanted(MINE, TASK, Want.SEND)) == (both, ())
    assert step(both, WantWithdrawn(MINE, TASK)) == (one, ())
    assert step(one, WantWithdrawn(MINE, GET)) == (r, ())
    assert step(one, WantWithdrawn(MINE, LATER)) == (one, ())


# ------------------------------------------------------------------ the end

REFUSED, DISCARD = (told(B, 3, GONE), told(C, 4, GONE)), Send(NEAR, FreeNotice(MINE))
ROOMLESS = valued(RESERVING, LARGE)
ENDS: list[Case] = [
    ("small", INLINED, ObjectReleased(MINE), None, ()),
    ("failed", FAILURE, ObjectReleased(MINE), None, ()),
    ("pending", AWAITED, ObjectReleased(MINE), None, ()),
    ("pending, with copies", replace(LEFT, askers=ASKERS), ObjectReleased(MINE), None, (*REFUSED, *FREED)),
    ("placed", placed(LARGE, FAR, FARTHER), ObjectReleased(MINE), None, FREED),
    ("placed, small", placed(SMALL, FAR, FARTHER), ObjectReleased(MINE), None, FREED),
    ("placed, asked for", placed(LARGE, FAR, FARTHER, askers=TRIED), ObjectReleased(MINE), None, (REFUSED[1], *FREED)),
    ("room is asked for", ROOMLESS, ObjectReleased(MINE), DISCARDED, (DISCARD,)),
    ("being written", valued(WRITING, LARGE), ObjectReleased(MINE), DISCARDED, (DISCARD,)),
    ("it is asked for", replace(ROOMLESS, askers=ASKERS), ObjectReleased(MINE), DISCARDED, (*REFUSED, DISCARD)),
    ("awaited", AWAITED, ReturnAwaited(MINE, B, OUTER, 8), AWAITED, (TaskAwaited(TASK, B, OUTER, 8),)),
    ("cancelled", AWAITED, CancelNotice(MINE, True), AWAITED, (CancelWanted(TASK, True),)),
]

ROWS = {"put": PUTS, "returned": RETURNS, "written": WRITTEN, "ended": ENDS}


@pytest.mark.parametrize(
    ("before", "event", "after", "out"),
    [pytest.param(*case, id=f"{section}: {name}") for section, cases in ROWS.items() for name, *case in cases],
)
def test_a_row(step: Any, before: Promotion, event: Any, after: Promotion | None, out: Any) -> None:
    assert step(before, event) == (after, out)


def test_under_the_policy_copy_the_answer_carries_a_small_value(step: Any) -> None:
    before = awaited(askers=ASKERS)
    out = (told(B, 3, SMALL), told(C, 4, SMALL))
    assert step(before, ReturnArrived(MINE, SMALL), policy=Policy(borrow="copy")) == (INLINED, out)


def test_the_policy_says_what_is_small(step: Any) -> None:
    policy = Policy(inline_bytes_max=SMALL.nbytes - 1)
    after = valued(RESERVING, SMALL, NEW)
    assert step(mine(ABSENT), ValuePut(MINE, SMALL), policy=policy) == (after, (create(SMALL),))
    assert step(mine(PENDING), ReturnArrived(MINE, SMALL), policy=policy) == (after, (create(SMALL),))


@pytest.mark.parametrize("event", [CreateReply(MINE, 4, PLACE), Moved(MINE, 4)], ids=lambda event: type(event).__name__)
def test_an_answer_to_another_attempt_changes_nothing(step: Any, event: Any) -> None:
    for before in (valued(RESERVING, LARGE), valued(WRITING, LARGE), DISCARDED):
        assert step(before, event) == (before, ())


IGNORED: list[tuple[Any, tuple[Promoting, ...]]] = [
    (WantWithdrawn(MINE, GET), (ABSENT, INLINE, DISCARDING, PLACED, FAILED)),
    (ReturnAwaited(MINE, B, MINE, 8), (ABSENT, INLINE, RESERVING, WRITING, DISCARDING, PLACED, FAILED)),
    (CancelNotice(MINE, False), (ABSENT, INLINE, RESERVING, WRITING, DISCARDING, PLACED, FAILED)),
    (ObjectReleased(MINE), (ABSENT, DISCARDING)),
]


@pytest.mark.parametrize(("state", "event"), [(state, event) for event, states in IGNORED for state in states])
def test_nothing_changes(step: Any, state: Promoting, event: Any) -> None:
    before = mine(state)
    assert step(before, event) == (before, ())
