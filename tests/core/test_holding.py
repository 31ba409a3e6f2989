"""Rows of the resolution table about a copy that is here: in this record, this event gives this and asks for this."""

from __future__ import annotations

from typing import Any

import pytest
from immutables import Map

from freehold.core.effects import Send
from freehold.core.events import (
    ArgumentReady,
    CopyWanted,
    DependencyReady,
    ObjectUnused,
    OwnerDied,
    Pinned,
    Unpinned,
    ViewDropped,
    ViewTaken,
    WantWithdrawn,
)
from freehold.core.ids import HEAD, node_id, object_id, worker_id
from freehold.core.machine import replace
from freehold.core.node_messages import HoldNotice, HoldRecallNotice, HoldReturnNotice
from freehold.core.resolution import (
    ABSENT,
    ASKING,
    CACHED,
    FAILED,
    IDLE,
    LOCAL,
    PULLING,
    RETRYING,
    SEEN,
    Resolution,
    Resolving,
)
from freehold.core.values import Failure, Payload, Want

ME, OWNER = worker_id(HEAD, 1), worker_id(node_id(1), 1)
NEAR, FAR = HEAD, node_id(1)  # nodes; NEAR is ours
THEIRS, OURS = object_id(OWNER, 7), object_id(ME, 7)
INSIDE = object_id(worker_id(FAR, 2), 3)  # a reference inside the value
GET, LATER, TASK = (1 << 35) + 1, (1 << 35) + 2, 0  # who was told of the copy: two gets, and a task
SIZE, PLACE = 1000, 4096

Case = tuple[str, Resolution, Any, Resolution | None, Any]


def held(state: Resolving, *unread: int, **fields: Any) -> Resolution:
    """A copy here, under one hold, that some are about to read."""
    return Resolution(THEIRS, state, **{"nbytes": SIZE, "place": PLACE, "grants": 1, "unread": unread, **fields})


def returned(count: int, object: int = THEIRS) -> Send:
    return Send(NEAR, HoldReturnNotice(object, ME, count))


HERE, SEEN_FAR = HoldNotice(THEIRS, PLACE, SIZE), Resolution(THEIRS, SEEN, 0, (FAR,), nbytes=SIZE, refs=(INSIDE,))
SEEN_ONCE = Resolution(THEIRS, SEEN, nbytes=SIZE)
GRANTS: list[Case] = [
    ("unasked", Resolution(THEIRS), HERE, None, (returned(1),)),
    ("while the owner is asked", Resolution(THEIRS, ASKING), HERE, Resolution(THEIRS, ASKING), (returned(1),)),
    ("where locations were seen", SEEN_FAR, HERE, held(LOCAL, refs=(INSIDE,)), ()),
    *[(f"{s.name}: again", held(s), HERE, held(s, grants=2), ()) for s in (LOCAL, IDLE)],
    *[
        (f"{s.name}: late", Resolution(THEIRS, s), HERE, Resolution(THEIRS, s), (returned(1),))
        for s in (CACHED, FAILED)
    ],
]

VIEW, NO_VIEW, UNUSED = ViewTaken(THEIRS), ViewDropped(THEIRS), ObjectUnused(THEIRS)
RECALL, LESS = HoldRecallNotice(THEIRS), WantWithdrawn(THEIRS, GET)
RELEASED = HoldRecallNotice(THEIRS, True)
UNREFERENCED: list[Case] = [
    ("kept in case", held(LOCAL), UNUSED, held(IDLE, unused=True), ()),
    ("nobody will come to read", held(LOCAL, GET), UNUSED, held(IDLE, GET, unused=True), ()),
    ("a view is left", held(LOCAL, views=1), UNUSED, held(LOCAL, views=1, unused=True), ()),
    ("the node has asked for it", held(LOCAL, GET, recalled=True, grants=2), UNUSED, None, (returned(2),)),
    ("the last of a released object", held(LOCAL, released=True, grants=2), UNUSED, None, (returned(2),)),
    (
        "of a released object: a view is left",
        held(LOCAL, views=1, released=True),
        UNUSED,
        held(LOCAL, views=1, released=True, unused=True, recalled=True),
        (),
    ),
    ("still none is left", held(IDLE, unused=True), UNUSED, held(IDLE, unused=True), ()),
]

VIEWS: list[Case] = [
    ("one", held(LOCAL, GET), VIEW, held(LOCAL, views=1), ()),
    ("another", held(LOCAL, views=1), VIEW, held(LOCAL, views=2), ()),
    ("one of several that were told of it", held(LOCAL, TASK, GET), VIEW, held(LOCAL, GET, views=1), ()),
    ("of an idle copy", held(IDLE), VIEW, held(LOCAL, views=1), ()),
    ("one less", held(LOCAL, views=2, recalled=True), NO_VIEW, held(LOCAL, views=1, recalled=True), ()),
    ("the last", held(LOCAL, views=1), NO_VIEW, held(LOCAL), ()),
    ("the last, and the last use", held(LOCAL, views=1, unused=True), NO_VIEW, held(IDLE, unused=True), ()),
    ("the last of a recalled copy", held(LOCAL, views=1, recalled=True, grants=2), NO_VIEW, SEEN_ONCE, (returned(2),)),
    (
        "the last of a recalled copy that another get has been told of",
        held(LOCAL, GET, views=1, recalled=True),
        NO_VIEW,
        held(LOCAL, GET, recalled=True),
        (),
    ),
]

WITHDRAWN: list[Case] = [
    ("one of several", held(LOCAL, TASK, GET, LATER, recalled=True), LESS, held(LOCAL, TASK, LATER, recalled=True), ()),
    ("one that was not told of it", held(LOCAL, LATER, recalled=True), LESS, held(LOCAL, LATER, recalled=True), ()),
    ("the last", held(LOCAL, GET), LESS, held(LOCAL), ()),
    ("the last, and the last use", held(LOCAL, GET, unused=True), LESS, held(IDLE, unused=True), ()),
    ("the last of a recalled copy", held(LOCAL, GET, recalled=True, grants=2), LESS, SEEN_ONCE, (returned(2),)),
    ("a view is left", held(LOCAL, GET, views=1, recalled=True), LESS, held(LOCAL, views=1, recalled=True), ()),
]

RECALLS: list[Case] = [
    ("idle", held(IDLE, unused=True, grants=3), RECALL, None, (returned(3),)),
    ("only a reference is left", held(LOCAL), RECALL, SEEN_ONCE, (returned(1),)),
    ("with references inside", held(LOCAL, refs=(INSIDE,)), RECALL, replace(SEEN_ONCE, refs=(INSIDE,)), (returned(1),)),
    ("before the owner's death is known", held(LOCAL, orphaned=True), RECALL, None, (returned(1),)),
    ("viewed", held(LOCAL, views=1), RECALL, held(LOCAL, views=1, recalled=True), ()),
    ("released: a reference is left", held(LOCAL), RELEASED, held(LOCAL, released=True), ()),
    ("released, idle", held(IDLE, unused=True), RELEASED, None, (returned(1),)),
    (
        "released: only a view is left",
        held(LOCAL, views=1, unused=True),
        RELEASED,
        held(LOCAL, views=1, unused=True, recalled=True),
        (),
    ),
    ("to be read", held(LOCAL, GET), RECALL, held(LOCAL, GET, recalled=True), ()),
]

SEEN_BY_A_VIEW = held(LOCAL, views=1, unused=True, refs=(INSIDE,))
DEAD = Failure("owner_died", THEIRS, OWNER)
GONE, PIN, UNPIN = OwnerDied(THEIRS), Pinned(INSIDE), Unpinned(INSIDE)


def cached(**fields: Any) -> Resolution:
    return Resolution(THEIRS, CACHED, payload=Payload(8, (INSIDE,)), refs=(INSIDE,), **fields)


BEREAVED: list[Case] = [
    ("a value without references", held(LOCAL), GONE, held(LOCAL), ()),
    ("what is inside is kept", held(LOCAL, refs=(INSIDE,)), GONE, held(LOCAL, refs=(INSIDE,), orphaned=True), (PIN,)),
    ("a cached value, too", cached(), GONE, cached(orphaned=True), (PIN,)),
    ("the news comes again", cached(orphaned=True), GONE, cached(orphaned=True), ()),
    ("nobody reads it any more", SEEN_BY_A_VIEW, GONE, replace(SEEN_BY_A_VIEW, failure=DEAD), ()),
    (
        "nobody reads it any more, not even a task that had been under way",
        replace(SEEN_BY_A_VIEW, failure=DEAD),
        CopyWanted(THEIRS, GET, Want.RUN),
        replace(SEEN_BY_A_VIEW, failure=DEAD),
        (ArgumentReady(GET, THEIRS, DEAD),),
    ),
    ("idle: the hold goes back", held(IDLE, unused=True, refs=(INSIDE,)), GONE, None, (returned(1),)),
    (
        "then the last reference goes",
        held(LOCAL, refs=(INSIDE,), orphaned=True),
        UNUSED,
        None,
        (returned(1), UNPIN),
    ),
    (
        "then the last reference goes, and a view is left",
        held(LOCAL, views=1, refs=(INSIDE,), orphaned=True),
        UNUSED,
        held(LOCAL, views=1, orphaned=True, unused=True, recalled=True, failure=DEAD),
        (UNPIN,),
    ),
    ("then the node wants the room", held(LOCAL, refs=(INSIDE,), orphaned=True), RECALL, None, (returned(1), UNPIN)),
    ("then a cached value goes", cached(orphaned=True), UNUSED, None, (UNPIN,)),
    (
        "then a task is to be sent with it",
        held(LOCAL, refs=(INSIDE,), orphaned=True),
        CopyWanted(THEIRS, GET, Want.SEND),
        held(LOCAL, refs=(INSIDE,), orphaned=True),
        (DependencyReady(GET, THEIRS, Failure("owner_died", THEIRS, OWNER)),),
    ),
    (
        "then a task is to be sent with a cached one",
        cached(orphaned=True),
        CopyWanted(THEIRS, GET, Want.SEND),
        cached(orphaned=True),
        (DependencyReady(GET, THEIRS, Failure("owner_died", THEIRS, OWNER)),),
    ),
]

ROWS = {
    "granted": GRANTS,
    "no reference is left": UNREFERENCED,
    "view": VIEWS,
    "withdrawn": WITHDRAWN,
    "recalled": RECALLS,
    "the owner died": BEREAVED,
}


@pytest.mark.parametrize(
    ("before", "event", "after", "out"),
    [pytest.param(*case, id=f"{section}: {name}") for section, cases in ROWS.items() for name, *case in cases],
)
def test_a_row(step: Any, before: Resolution, event: Any, after: Resolution | None, out: Any) -> None:
    assert step(before, event) == (after, out)


def ours(state: Resolving = LOCAL, **fields: Any) -> Resolution:
    return replace(held(state, **fields), object=OURS)


def test_an_owner_begins_with_a_hold_on_what_it_has_written(step: Any) -> None:
    assert step(Resolution(OURS), HoldNotice(OURS, PLACE, SIZE)) == (ours(IDLE, unused=True), ())


def test_the_owner_s_own_hold_ends_with_its_references(step: Any) -> None:
    gone = (None, (returned(1, OURS),))
    assert step(ours(), replace(RECALL, object=OURS)) == gone  # and what exists it knows without
    assert step(ours(), ObjectUnused(OURS)) == gone
    assert step(ours(IDLE, unused=True), ObjectUnused(OURS)) == gone
    viewed = ours(views=1, unused=True, recalled=True)
    assert step(ours(views=1), ObjectUnused(OURS)) == (viewed, ())
    assert step(viewed, ViewDropped(OURS)) == gone


@pytest.mark.rule(id="hold-recalled")
@pytest.mark.parametrize("state", [ABSENT, SEEN, ASKING, PULLING, RETRYING, CACHED, FAILED], ids=lambda s: s.name)
def test_a_recall_finds_the_hold_on_its_way_back(step: Any, state: Resolving) -> None:
    before = Resolution(THEIRS, state, wanted=Map({GET: 0}))
    assert step(before, RECALL) == (before, ())
