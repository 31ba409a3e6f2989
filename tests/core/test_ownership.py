"""Ownership, row by row: in this record, this event gives this record and asks for this."""

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
    ContainerGone,
    ContentsKnown,
    Lent,
    LineageDone,
    ObjectReleased,
    ObjectRested,
    ObjectRoused,
    ObjectUnused,
    Pinned,
    RefCreated,
    RefDropped,
    RefExported,
    RefFound,
    RefHeld,
    ReportWanted,
    Unpinned,
    ValuePut,
)
from freehold.core.ids import HEAD, node_id, object_id, worker_id
from freehold.core.machine import replace
from freehold.core.messages import BorrowNotice, ReleaseQuery, ReleaseReply
from freehold.core.ownership import (
    BORROWED,
    INTRODUCING,
    LINGERING,
    ORPHANED,
    OWNED,
    REGISTERED,
    UNHELD,
    Asked,
    Ownership,
    Owning,
)
from freehold.core.task_events import HoldReported
from freehold.core.values import Payload

ME, OWNER = worker_id(HEAD, 1), worker_id(node_id(1), 1)
B, C, D = worker_id(HEAD, 2), worker_id(HEAD, 3), worker_id(node_id(1), 2)
MINE, THEIRS = object_id(ME, 7), object_id(OWNER, 7)
INNER, OTHER, OUTER = object_id(ME, 8), object_id(OWNER, 8), object_id(OWNER, 9)
TASK, REQUEST = object_id(OWNER, 10), 1 << 35
NEW, NEXT = 101, 102  # what the party mints


def own(**fields: Any) -> Ownership:
    return Ownership(MINE, OWNED, **fields)


def other(state: Owning = BORROWED, **fields: Any) -> Ownership:
    return Ownership(THEIRS, state, **fields)


def asked(**attempts: int) -> Map[int, Asked]:
    return Map({{"b": B, "c": C, "d": D}[name]: Asked(attempt) for name, attempt in attempts.items()})


def tell(*lent: int, attempt: int = 5) -> Send:
    return Send(OWNER, ReleaseReply(THEIRS, attempt, ME, lent))


UNUSED_HERE = (ObjectUnused(MINE),)  # said whenever a count or a borrower goes: once more is no harm
RELEASED = (ObjectReleased(MINE), *UNUSED_HERE)
UNUSED = ObjectUnused(THEIRS)
NOTICE = Send(OWNER, BorrowNotice((THEIRS,), ME))
AGAIN = Map({B: Asked(5, True)})
ASK_B, ASK_C = Send(B, ReleaseQuery(MINE, NEW)), Send(C, ReleaseQuery(MINE, NEW))


# ------------------------------------------------------------------ counts

KINDS: dict[Any, dict[str, Any]] = {  # what raises a count -> the record's count of one
    RefHeld: {"local": True},
    ArgumentAdded: {"arguments": 1},
    Contained: {"containers": 1, "vouched": True},
    Pinned: {"pins": 1},
    RefExported: {"exported": True},
}
RISES = {
    "ours": (Ownership(MINE), own()),
    "another's": (Ownership(THEIRS), other()),
    "owned": (own(borrowers=asked(b=5)), own(borrowers=asked(b=5))),
    "borrowed": (other(lent=(C,)), other(lent=(C,))),
    "introducing": (other(INTRODUCING, covers=(OUTER,)), other(INTRODUCING, covers=(OUTER,))),
    "registered": (other(REGISTERED, asked=5), other(REGISTERED, asked=5)),
    "lingering": (other(LINGERING, lent=(C,)), other(lent=(C,))),
    "orphaned": (other(ORPHANED), other(ORPHANED)),
}


@pytest.mark.parametrize("case", RISES)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_count_rises(step: Any, kind: Any, case: str) -> None:
    before, after = RISES[case]
    assert step(before, kind(before.object)) == (replace(after, **KINDS[kind]), ())


@pytest.mark.rule(id="count-user")
@pytest.mark.rule(id="count-argument")
@pytest.mark.rule(id="count-pin")
@pytest.mark.rule(id="count-export")
@pytest.mark.rule(id="count-contained")
def test_counts_of_one_kind_add_up_but_user_code_counts_once(step: Any) -> None:
    before = own(local=True, arguments=1, containers=1, pins=1, exported=True)
    assert step(before, RefHeld(MINE)) == (before, ())
    assert step(before, RefExported(MINE)) == (before, ())
    assert step(before, ArgumentAdded(MINE)) == (replace(before, arguments=2), ())
    assert step(before, Contained(MINE)) == (replace(before, containers=2, vouched=True), ())
    assert step(before, Pinned(MINE)) == (replace(before, pins=2), ())


FALLS: dict[str, tuple[Any, dict[str, Any]]] = {  # what lowers a count, and the record's count of one
    "dropped": (RefDropped, {"local": True}),
    "task over": (ArgumentDone, {"arguments": 1}),
    "inlined": (lambda object: ArgumentInlined(object, TASK), {"arguments": 1}),
    "container gone": (ContainerGone, {"containers": 1}),
    "unpinned": (Unpinned, {"pins": 1}),
}
LASTS: dict[str, tuple[Ownership, Ownership | None, Any]] = {  # the record but for the last count -> what follows
    "owned": (own(), None, RELEASED),
    "owned, contents": (own(refs=(INNER, OTHER)), None, (*RELEASED, ContainerGone(INNER), ContainerGone(OTHER))),
    "owned, lent": (own(borrowers=asked(b=5)), own(borrowers=asked(b=5)), UNUSED_HERE),
    "borrowed": (other(), None, (UNUSED,)),
    "borrowed, lent": (other(lent=(C,)), other(LINGERING, lent=(C,)), (UNUSED, NOTICE)),
    "introducing": (other(INTRODUCING, covers=(OUTER,)), other(INTRODUCING, covers=(OUTER,)), (UNUSED,)),
    "registered": (other(REGISTERED, asked=5), None, (UNUSED, tell())),
    "registered, lent": (other(REGISTERED, asked=5, lent=(C, D)), None, (UNUSED, tell(C, D))),
    "orphaned": (other(ORPHANED), None, (UNUSED,)),
}


@pytest.mark.parametrize("case", LASTS)
@pytest.mark.parametrize("fall", FALLS)
def test_the_last_count_falls(step: Any, fall: str, case: str) -> None:
    event, last = FALLS[fall]
    before, after, out = LASTS[case]
    assert step(replace(before, **last), event(before.object)) == (after, out)


PAIRS = [
    (fall, rest) for fall, (_, last) in FALLS.items() for rest, kept in KINDS.items() if not last.keys() & kept.keys()
]


@pytest.mark.parametrize(("fall", "rest"), PAIRS, ids=lambda value: getattr(value, "__name__", value))
def test_a_count_falls_and_another_kind_keeps_the_object(step: Any, fall: str, rest: Any) -> None:
    event, last = FALLS[fall]
    for state in (own(), other(lent=(C,)), other(INTRODUCING), other(REGISTERED, asked=5), other(ORPHANED)):
        kept = replace(state, **KINDS[rest])
        assert step(replace(kept, **last), event(state.object)) == (kept, ())


@pytest.mark.parametrize("fall", [fall for fall in FALLS if fall != "dropped"])
def test_a_count_falls_and_is_not_nothing_yet(step: Any, fall: str) -> None:
    event, last = FALLS[fall]
    for state in (own(), other(lent=(C,)), other(INTRODUCING), other(REGISTERED, asked=5), other(ORPHANED)):
        twice = {field: 2 for field in last}
        assert step(replace(state, **twice), event(state.object)) == (replace(state, **last), ())


@pytest.mark.parametrize("case", [case for case in LASTS if not case.startswith("borrowed")])
def test_a_task_is_over_and_its_caller_need_not_tell_the_owner(step: Any, case: str) -> None:
    before, after, out = LASTS[case]
    report = HoldReported(TASK, before.object, False, ())
    assert step(replace(before, pins=1), ReportWanted(before.object, TASK)) == (after, (report, *out))
    kept = replace(before, local=True)
    assert step(replace(kept, pins=1), ReportWanted(before.object, TASK)) == (kept, (report,))


@pytest.mark.rule(id="count-lineage")
def test_what_a_task_that_may_run_again_carries(step: Any) -> None:
    """An owner keeps its record, but may let the value go; a borrower goes on holding the object."""
    mine, theirs = own(arguments=1), other(arguments=1)
    again = own(lineage=1)
    assert step(mine, ArgumentKept(MINE)) == (again, (ObjectRested(MINE), *UNUSED_HERE))
    assert step(theirs, ArgumentKept(THEIRS)) == (other(lineage=1), ())
    assert step(again, RefHeld(MINE)) == (own(local=True, lineage=1), (ObjectRoused(MINE),))
    assert step(own(local=True, lineage=1), RefHeld(MINE)) == (own(local=True, lineage=1), ())
    assert step(again, LineageDone(MINE)) == (None, RELEASED)
    assert step(own(lineage=2), LineageDone(MINE)) == (again, (ObjectRested(MINE), *UNUSED_HERE))
    assert step(own(lineage=1, refs=(INNER,)), LineageDone(MINE)) == (None, (*RELEASED, ContainerGone(INNER)))
    assert step(own(lineage=1, borrowers=asked(b=5)), LineageDone(MINE))[0] == own(borrowers=asked(b=5))
    assert step(other(lineage=1), LineageDone(THEIRS)) == (None, (UNUSED,))


# ------------------------------------------------------------------ everything else

HELD_ON, LET_GO = HoldReported(TASK, THEIRS, True, ()), HoldReported(TASK, THEIRS, False, ())
WANTED = ReportWanted(THEIRS, TASK)
VALUE, LEAF = Payload(10, (INNER, OTHER), b"value"), Payload(10, (), b"leaf")
Case = tuple[str, Ownership, Any, Ownership | None, Any]

CREATED: list[Case] = [
    ("a task's return", Ownership(MINE), RefCreated(MINE), own(local=True), ()),
    ("a put", Ownership(MINE), RefCreated(MINE, LEAF, REQUEST), own(local=True), (ValuePut(MINE, LEAF, REQUEST),)),
    (
        "a put of references",
        Ownership(MINE),
        RefCreated(MINE, VALUE),
        own(local=True, refs=(INNER, OTHER)),
        (ValuePut(MINE, VALUE), Contained(INNER), Contained(OTHER)),
    ),
    ("contents", own(local=True), ContentsKnown(MINE, (INNER,)), own(local=True, refs=(INNER,)), ()),
    ("too late", Ownership(MINE), ContentsKnown(MINE, (INNER,)), None, (ContainerGone(INNER),)),
]

REPORTED: list[Case] = [
    ("kept", other(local=True, pins=1), WANTED, other(local=True, vouched=True), (HELD_ON,)),
    ("two tasks", other(pins=2), WANTED, other(pins=1, vouched=True), (HELD_ON,)),
    ("let go", other(pins=1), WANTED, None, (LET_GO, UNUSED)),
    ("let go, vouched", other(pins=1, vouched=True), WANTED, None, (LET_GO, UNUSED)),
    (
        "kept: whom it was lent to waits for the owner's question",
        other(local=True, pins=1, lent=(C,)),
        WANTED,
        other(local=True, lent=(C,), vouched=True),
        (HELD_ON,),
    ),
    (
        "let go: the caller takes over whom it was lent to",
        other(pins=1, lent=(C, D)),
        WANTED,
        None,
        (HoldReported(TASK, THEIRS, False, (C, D)), UNUSED),
    ),
    (
        "let go, but the owner will ask: we keep whom it was lent to",
        other(pins=1, lent=(C,), vouched=True),
        WANTED,
        other(LINGERING, lent=(C,), vouched=True),
        (HELD_ON, UNUSED, NOTICE),
    ),
]

LENDING: list[Case] = [
    ("first", own(local=True), Lent(MINE, (B,)), own(local=True, borrowers=asked(b=NEW)), (ASK_B,)),
    (
        "several, in one event",
        own(local=True),
        Lent(MINE, (B, C)),
        own(local=True, borrowers=asked(b=NEW, c=NEXT)),
        (ASK_B, Send(C, ReleaseQuery(MINE, NEXT))),
    ),
    ("to ourselves", own(local=True), Lent(MINE, (ME,)), own(local=True), ()),
    ("again", own(borrowers=asked(b=5)), Lent(MINE, (B,)), own(borrowers=AGAIN), ()),
    ("a third time", own(borrowers=AGAIN), Lent(MINE, (B,)), own(borrowers=AGAIN), ()),
    ("when it is gone", Ownership(MINE), Lent(MINE, (B, ME)), Ownership(MINE), (ASK_B,)),
    ("nobody's business", Ownership(THEIRS), Lent(THEIRS, (B,)), Ownership(THEIRS), ()),
    ("by a borrower", other(pins=1, lent=(D,)), Lent(THEIRS, (B, ME, OWNER)), other(pins=1, lent=(B, D)), ()),
    ("introducing", other(INTRODUCING, pins=1), Lent(THEIRS, (B,)), other(INTRODUCING, pins=1, lent=(B,)), ()),
    ("registered", other(REGISTERED, pins=1), Lent(THEIRS, (B,)), other(REGISTERED, pins=1, lent=(B,)), ()),
    ("lingering", other(LINGERING, lent=(D,)), Lent(THEIRS, (B, D)), other(LINGERING, lent=(B, D)), ()),
]

ANSWERED: list[Case] = [
    ("one of two", own(borrowers=asked(b=5, c=6)), ReleaseReply(MINE, 5, B), own(borrowers=asked(c=6)), UNUSED_HERE),
    ("we hold it", own(local=True, borrowers=asked(b=5)), ReleaseReply(MINE, 5, B), own(local=True), ()),
    (
        "the last",
        own(borrowers=asked(b=5), refs=(INNER,)),
        ReleaseReply(MINE, 5, B),
        None,
        (*RELEASED, ContainerGone(INNER)),
    ),
    (
        "it lent it to another",
        own(borrowers=asked(b=5)),
        ReleaseReply(MINE, 5, B, (C,)),
        own(borrowers=asked(c=NEW)),
        (ASK_C, *UNUSED_HERE),
    ),
    ("it lent it to us", own(local=True, borrowers=asked(b=5)), ReleaseReply(MINE, 5, B, (ME,)), own(local=True), ()),
    (
        "it lent it to one that is known",
        own(borrowers=asked(b=6, c=5)),
        ReleaseReply(MINE, 5, C, (B,)),
        own(borrowers=Map({B: Asked(6, True)})),
        UNUSED_HERE,
    ),
    (
        "it was reported again meanwhile",
        own(local=True, borrowers=AGAIN),
        ReleaseReply(MINE, 5, B),
        own(local=True, borrowers=asked(b=NEW)),
        (ASK_B,),
    ),
    ("one that was held for dead", own(borrowers=asked(c=6)), ReleaseReply(MINE, 5, B), own(borrowers=asked(c=6)), ()),
    ("another question's", own(borrowers=asked(b=6)), ReleaseReply(MINE, 5, B), own(borrowers=asked(b=6)), ()),
]

QUESTION = ReleaseQuery(THEIRS, 5)
ASKED: list[Case] = [
    ("nothing here", Ownership(THEIRS), QUESTION, Ownership(THEIRS), (tell(),)),
    ("held", other(local=True, lent=(C,)), QUESTION, other(REGISTERED, local=True, lent=(C,), asked=5), ()),
    ("asked again", other(REGISTERED, local=True, asked=4), QUESTION, other(REGISTERED, local=True, asked=5), ()),
    (
        "introduced",
        other(INTRODUCING, local=True, covers=(OUTER,)),
        QUESTION,
        other(REGISTERED, local=True, asked=5),
        (Unpinned(OUTER),),
    ),
    (
        "introduced, and dropped",
        other(INTRODUCING, lent=(C,), covers=(OUTER,)),
        QUESTION,
        None,
        (UNUSED, tell(C), Unpinned(OUTER)),
    ),
    ("lingering", other(LINGERING, lent=(C,)), QUESTION, None, (UNUSED, tell(C))),
]

FOUND = RefFound(THEIRS, OUTER)
INTRODUCED = (Pinned(OUTER), NOTICE)
FINDING: list[Case] = [
    ("new", Ownership(THEIRS), FOUND, other(INTRODUCING, local=True, covers=(OUTER,)), INTRODUCED),
    ("lent", other(pins=1), FOUND, other(INTRODUCING, pins=1, local=True, covers=(OUTER,)), INTRODUCED),
    (
        "lingering",
        other(LINGERING, lent=(C,)),
        FOUND,
        other(INTRODUCING, local=True, lent=(C,), covers=(OUTER,)),
        INTRODUCED,
    ),
    ("ours, and gone", Ownership(MINE), RefFound(MINE, OUTER), own(local=True), ()),
    ("ours", own(containers=1), RefFound(MINE, OUTER), own(containers=1, local=True), ()),
    ("introducing", other(INTRODUCING, covers=(OTHER,)), FOUND, other(INTRODUCING, local=True, covers=(OTHER,)), ()),
    ("registered", other(REGISTERED, pins=1, asked=5), FOUND, other(REGISTERED, pins=1, asked=5, local=True), ()),
    ("orphaned", other(ORPHANED, pins=1), FOUND, other(ORPHANED, pins=1, local=True), ()),
]

ROWS = {
    "created": CREATED,
    "reported": REPORTED,
    "lent": LENDING,
    "answered": ANSWERED,
    "asked": ASKED,
    "found": FINDING,
}


@pytest.mark.parametrize(
    ("before", "event", "after", "out"),
    [pytest.param(*case, id=f"{section}: {name}") for section, cases in ROWS.items() for name, *case in cases],
)
def test_a_row(step: Any, before: Ownership, event: Any, after: Ownership | None, out: Any) -> None:
    assert step(before, event) == (after, out)


IGNORED: list[tuple[Any, tuple[Owning, ...]]] = [
    (RefDropped(THEIRS), (UNHELD, LINGERING)),
    (ReleaseReply(THEIRS, 5, B), (UNHELD,)),
    (Lent(THEIRS, (B,)), (ORPHANED,)),
    (ReleaseQuery(THEIRS, 5), (ORPHANED,)),
]


@pytest.mark.parametrize(("state", "event"), [(state, event) for event, states in IGNORED for state in states])
def test_nothing_changes(step: Any, state: Owning, event: Any) -> None:
    before = other(state)
    assert step(before, event) == (before, ())
