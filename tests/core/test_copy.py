"""The copy, row by row: in this record, this event gives this record and asks for this."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from immutables import Map

from freehold.core.copy import ABSENT, CREATE, PRIMARY, PULLING, RESERVING, RETIRING, SECONDARY, WRITING, Copy, Copying
from freehold.core.effects import Release, Send
from freehold.core.events import HolderDied, OwnerDied
from freehold.core.ids import HEAD, node_id, object_id, worker_id
from freehold.core.machine import replace
from freehold.core.node import Node
from freehold.core.node_events import (
    CopyBusy,
    CopyEvicted,
    CopyIdle,
    HoldsRecalled,
    RoomDenied,
    RoomFreed,
    RoomGranted,
    RoomWanted,
)
from freehold.core.node_messages import (
    ChunkQuery,
    CopyNotice,
    CreateQuery,
    CreateReply,
    FreeNotice,
    HoldNotice,
    HoldRecallNotice,
    HoldReturnNotice,
    KeepNotice,
    PullReply,
    SealNotice,
)
from freehold.core.policies import Policy
from freehold.core.values import Failure, Want

HERE, FAR = HEAD, node_id(1)
W, V, U = (worker_id(HERE, number) for number in range(1, 4))  # ours: W writes, V and U read
OWNER = worker_id(FAR, 1)
X, MINE = object_id(OWNER, 1), object_id(W, 1)  # MINE: its owner writes it
NBYTES, PLACE, CHUNK = 250, 64, 100  # a copy has three chunks, and two are on their way at once
NEW = 101  # what the party mints
POLICY = Policy(chunk_bytes=CHUNK, chunks_in_flight=2)

Case = tuple[str, Copy, Any, Copy | None, Any]
Fields = Mapping[int, int]


def creating(state: Copying, holds: Fields | None = None, askers: Fields | None = None, object: int = X) -> Copy:
    """A copy that W writes, or wrote, under attempt 5; it begins to write under a hold."""
    place = 0 if state is RESERVING else PLACE
    return Copy(object, state, 0, NBYTES, place, W, 5, holds=Map(holds or {}), askers=Map(askers or {}))


def pulling(state: Copying, want: int = Want.WAIT, askers: Fields | None = None, **fields: Any) -> Copy:
    """A copy that comes from FAR under attempt 7, for V unless others have asked."""
    at = {"attempt": 7, "place": PLACE, "asked": 2 * CHUNK} if state is PULLING else {}
    waiting = {V: 6} if askers is None else askers
    return Copy(X, state, nbytes=NBYTES, source=FAR, want=want, askers=Map(waiting), **(at | fields))


def secondary(state: Copying = SECONDARY, **holds: int) -> Copy:
    """A copy that was pulled."""
    return Copy(X, state, 7, NBYTES, PLACE, want=Want.WAIT, holds=held(**holds))


def primary(state: Copying = PRIMARY, **holds: int) -> Copy:
    return creating(state, held(**holds))


def held(**holds: int) -> Map[int, int]:
    return Map({{"w": W, "v": V, "u": U, "far": FAR}[name]: count for name, count in holds.items()})


def hold(worker: int) -> Send:
    return Send(worker, HoldNotice(X, PLACE, NBYTES))


def refused(worker: int, attempt: int, failure: Failure) -> Send:
    return Send(worker, PullReply(X, attempt, failure))


def uncreated(failure: Failure, attempt: int = 5, worker: int = W) -> Send:
    return Send(worker, CreateReply(X, attempt, 0, False, failure))


def recall(worker: int, released: bool = True) -> Send:
    return Send(worker, HoldRecallNotice(X, released))


NOTHING = Copy(X)
FREED = (Release(X, PLACE, NBYTES), RoomFreed(X, NBYTES))
UNPULLED = (Release(X, PLACE, NBYTES), RoomFreed(X, NBYTES, True))
NEVER_HAD, RETURNED = RoomFreed(X, 0), Send(FAR, HoldReturnNotice(X, HERE, 1))
LOST, FULL, RELEASED = Failure("lost", X, FAR), Failure("full", X, 0, "full"), Failure("released", X)
NEXT = CreateQuery(X, 9, U, 9)
ANEW, ROOM_ANEW = Copy(X, RESERVING, nbytes=9, creator=U, creating=9), RoomWanted(X, 9, CREATE)
WRITTEN = Send(U, CreateReply(X, 9, 0, True))
NO_WRITER = Failure("lost", X, W)
KNOWN = Send(OWNER, CopyNotice(X, HERE, NBYTES, True))
FORGET = Send(OWNER, CopyNotice(X, HERE, NBYTES, False))
BUSY, IDLE = CopyBusy(X), CopyIdle(X)

CREATED: list[Case] = [
    ("room is asked for", NOTHING, CreateQuery(X, 5, W, NBYTES), creating(RESERVING), (RoomWanted(X, NBYTES, CREATE),)),
    (
        "room was found",
        creating(RESERVING, askers={V: 6}),
        RoomGranted(X, PLACE),
        creating(WRITING, {W: 1}, {V: 6}),
        (Send(W, CreateReply(X, 5, PLACE)),),
    ),
    (
        "the store is full",
        creating(RESERVING, askers={V: 6}),
        RoomDenied(X, FULL),
        None,
        (uncreated(FULL), refused(V, 6, FULL)),
    ),
    (
        "sealed: the owner hears of it, then who waits may read",
        creating(WRITING, {W: 1}, {V: 6, U: 8}),
        SealNotice(X, W, False),
        creating(PRIMARY, {V: 1, U: 1}),
        (KNOWN, hold(V), hold(U)),
    ),
    (
        "sealed by its owner, who keeps its hold and knows of it",
        creating(WRITING, {W: 1}, object=MINE),
        SealNotice(MINE, W, True),
        creating(PRIMARY, {W: 1}, object=MINE),
        (),
    ),
    ("sealed after its release", primary(RETIRING, w=1), SealNotice(X, W, False), None, FREED),
    (
        "sealed after its release: the hold comes back by itself",
        primary(RETIRING, w=1),
        SealNotice(X, W, True),
        primary(RETIRING, w=1),
        (),
    ),
    ("a task that runs again finds a copy", secondary(), NEXT, secondary(PRIMARY), (BUSY, WRITTEN)),
    ("a copy that is held", secondary(v=1), NEXT, secondary(PRIMARY, v=1), (WRITTEN,)),
    ("a copy that was made primary", secondary(PRIMARY), NEXT, secondary(PRIMARY), (WRITTEN,)),
    ("its own", primary(), CreateQuery(X, 9, W, 9), primary(), (Send(W, CreateReply(X, 9, 0, True)),)),
    ("what a run has left that died", primary(), NEXT, ANEW, (*FREED, ROOM_ANEW)),
    ("and somebody reads it", primary(v=1), NEXT, replace(primary(RETIRING, v=1), next=NEXT), (recall(V, False),)),
    *[
        (f"an earlier copy is in the way ({r.state.name})", r, NEXT, replace(r, next=NEXT), ())
        for r in (creating(RESERVING), creating(WRITING, {W: 1}), pulling(PULLING), primary(RETIRING, v=1))
    ],
    (
        "that has no room",
        replace(creating(RESERVING), next=NEXT),
        RoomDenied(X, FULL),
        ANEW,
        (uncreated(FULL), ROOM_ANEW),
    ),
    (
        "its writer died before it could say that it is written",
        replace(creating(WRITING, {W: 1}, {V: 6}), next=NEXT),
        SealNotice(X, W, False),
        ANEW,
        (refused(V, 6, NO_WRITER), *FREED, ROOM_ANEW),
    ),
    (
        "and before it was told that it is of no use",
        replace(primary(RETIRING, w=1), next=NEXT),
        SealNotice(X, W, False),
        ANEW,
        (*FREED, ROOM_ANEW),
    ),
    (
        "it is not to be the primary copy",
        replace(creating(WRITING, {W: 1}), spare=True),
        SealNotice(X, W, False),
        replace(primary(SECONDARY), spare=True),
        (KNOWN, IDLE),
    ),
    (
        "it is not to be the primary copy, and is read",
        replace(creating(WRITING, {W: 1}, {V: 6}), spare=True),
        SealNotice(X, W, False),
        replace(primary(SECONDARY, v=1), spare=True),
        (KNOWN, BUSY, hold(V), BUSY),
    ),
]


def asked(offset: int, nbytes: int = CHUNK, total: int = NBYTES) -> Send:
    return Send(FAR, ChunkQuery(X, NEW, HERE, offset, nbytes, total))


BOTH: Fields = {V: 6, U: 8}
ROOM: list[Case] = [
    (
        "room was found",
        pulling(RESERVING),
        RoomGranted(X, PLACE),
        pulling(PULLING, attempt=NEW),
        (asked(0), asked(CHUNK)),
    ),
    (
        "room was found for less than two chunks",
        Copy(X, RESERVING, nbytes=30, source=FAR, want=0, askers=Map({V: 6})),
        RoomGranted(X, PLACE),
        Copy(X, PULLING, NEW, 30, PLACE, source=FAR, asked=30, want=0, askers=Map({V: 6})),
        (asked(0, 30, 30),),
    ),
    (
        "the store is full",
        pulling(RESERVING, askers=BOTH),
        RoomDenied(X, FULL),
        None,
        (refused(V, 6, FULL), refused(U, 8, FULL)),
    ),
]


def back(holder: int, count: int = 1) -> HoldReturnNotice:
    return HoldReturnNotice(X, holder, count)


KEEP, SPARE = KeepNotice(X, True), KeepNotice(X, False)
HOLDS: list[Case] = [
    ("one of two grants", primary(v=2), back(V), primary(v=1), ()),
    ("the last of a primary", primary(v=2), back(V, 2), primary(), ()),
    ("the last of a secondary: it may be evicted", secondary(v=1), back(V), secondary(), (IDLE,)),
    ("another has one", secondary(v=1, far=1), back(FAR), secondary(v=1), ()),
    ("one that has none", secondary(v=1), back(U), secondary(v=1), ()),
    ("released: the last", primary(RETIRING, v=1), back(V), None, FREED),
    ("released: another has one", secondary(RETIRING, v=1, u=1), back(V), secondary(RETIRING, u=1), ()),
    (
        "room is short: workers are asked, nodes give back by themselves",
        secondary(v=1, u=2, far=1),
        HoldsRecalled(X),
        secondary(v=1, u=2, far=1),
        (Send(V, HoldRecallNotice(X)), Send(U, HoldRecallNotice(X))),
    ),
    ("evicted", secondary(), CopyEvicted(X), None, (FORGET, *FREED)),
    ("held again: it is not evicted", secondary(v=1), CopyEvicted(X), secondary(v=1), ()),
    ("the primary is lost: it takes its place", secondary(v=1), KEEP, secondary(PRIMARY, v=1), (BUSY,)),
    ("the primary is lost: it may be evicted no more", secondary(), KEEP, secondary(PRIMARY), (BUSY,)),
    ("it is the primary", primary(), KEEP, primary(), ()),
    ("only tasks need it that may run again", primary(), SPARE, primary(SECONDARY), (IDLE,)),
    ("only tasks need it that may run again, and who reads it", primary(v=1), SPARE, primary(SECONDARY, v=1), (BUSY,)),
    ("it is none", secondary(), SPARE, secondary(), ()),
    ("it is none yet", creating(WRITING, {W: 1}), SPARE, replace(creating(WRITING, {W: 1}), spare=True), ()),
    ("it is gone", NOTHING, KEEP, NOTHING, (Send(OWNER, CopyNotice(X, HERE, 0, False)),)),
    ("it is to be gone", primary(RETIRING, v=1), KEEP, primary(RETIRING, v=1), (FORGET,)),
    ("it is gone, and need not be here", NOTHING, SPARE, NOTHING, ()),
    ("released: who waits is next", replace(primary(RETIRING, v=1), next=NEXT), back(V), ANEW, (*FREED, ROOM_ANEW)),
]

ENDS: list[tuple[str, Copy, Copy | None, Any]] = [
    (
        "before there is room to write",
        creating(RESERVING, askers={V: 6}),
        None,
        (uncreated(RELEASED), refused(V, 6, RELEASED), NEVER_HAD),
    ),
    ("before there is room to pull", pulling(RESERVING), None, (refused(V, 6, RELEASED), NEVER_HAD)),
    (
        "its writer goes on, and gives its hold back",
        creating(WRITING, {W: 1}, {V: 6}),
        creating(RETIRING, {W: 1}),
        (refused(V, 6, RELEASED), recall(W)),
    ),
    ("while it comes", pulling(PULLING), None, (refused(V, 6, RELEASED), RETURNED, *UNPULLED)),
    ("a primary that nobody holds", primary(), None, FREED),
    ("a primary that is held", primary(w=1, far=1), primary(RETIRING, w=1, far=1), (recall(W),)),
    ("a secondary that nobody holds", secondary(), None, (BUSY, *FREED)),
    ("a secondary that is held", secondary(v=1), secondary(RETIRING, v=1), (recall(V),)),
    (
        "and with it what was to be written after it",
        replace(creating(RESERVING), next=NEXT),
        None,
        (uncreated(RELEASED, 9, U), uncreated(RELEASED), NEVER_HAD),
    ),
]


def died(party: int) -> HolderDied:
    return HolderDied(X, party)


DEATHS: list[Case] = [
    ("who was to write", creating(RESERVING, askers={V: 6}), died(W), None, (refused(V, 6, NO_WRITER), NEVER_HAD)),
    ("who writes", creating(WRITING, {W: 1}, {V: 6}), died(W), None, (refused(V, 6, NO_WRITER), *FREED)),
    ("who waits for the writer", creating(RESERVING, askers={V: 6}), died(V), creating(RESERVING), ()),
    ("who waits for what is written", creating(WRITING, {W: 1}, {V: 6}), died(V), creating(WRITING, {W: 1}), ()),
    ("the only one that waits for room", pulling(RESERVING), died(V), None, (NEVER_HAD,)),
    ("one of two that wait for room", pulling(RESERVING, askers=BOTH), died(V), pulling(RESERVING, askers={U: 8}), ()),
    ("the only one that waits", pulling(PULLING), died(V), None, (RETURNED, *UNPULLED)),
    ("one of two that wait", pulling(PULLING, askers=BOTH), died(V), pulling(PULLING, askers={U: 8}), ()),
    ("the source", pulling(PULLING), died(FAR), None, (refused(V, 6, LOST), *UNPULLED)),
    ("who held a primary", primary(v=2), died(V), primary(), ()),
    ("who held a secondary", secondary(v=2), died(V), secondary(), (IDLE,)),
    ("one that held none", secondary(v=2), died(U), secondary(v=2), ()),
    ("released: the last that held it", primary(RETIRING, far=1), died(FAR), None, FREED),
    ("released: another holds it", primary(RETIRING, v=1, u=1), died(V), primary(RETIRING, u=1), ()),
    (
        "who writes; who waits for that is next",
        replace(creating(WRITING, {W: 1}), next=NEXT),
        died(W),
        ANEW,
        (*FREED, ROOM_ANEW),
    ),
    ("who was to be next", replace(creating(WRITING, {W: 1}), next=NEXT), died(U), creating(WRITING, {W: 1}), ()),
]

ROWS = {
    "created": CREATED,
    "room for a pull": ROOM,
    "hold": HOLDS,
    "freed": [(name, before, FreeNotice(X), after, out) for name, before, after, out in ENDS],
    "owner died": [(name, before, OwnerDied(X), after, out) for name, before, after, out in ENDS],
    "died": DEATHS,
}


@pytest.mark.parametrize(
    ("before", "event", "after", "out"),
    [pytest.param(*case, id=f"{section}: {name}") for section, cases in ROWS.items() for name, *case in cases],
)
def test_a_row(step: Any, before: Copy, event: Any, after: Copy | None, out: Any) -> None:
    assert step(before, event, Node(HERE, 1000, (), POLICY)) == (after, out)


IGNORED: list[tuple[Any, tuple[Copying, ...]]] = [
    (RoomDenied(X, FULL), (ABSENT, WRITING, PULLING, PRIMARY, SECONDARY, RETIRING)),
    (SealNotice(X, W, True), (ABSENT,)),
    (back(V), (ABSENT, RESERVING)),
    (KEEP, (RESERVING, WRITING, PULLING, PRIMARY)),
    (SPARE, (ABSENT, RESERVING, PULLING, SECONDARY, RETIRING)),
    (HoldsRecalled(X), (ABSENT, RESERVING, WRITING, PULLING, PRIMARY, RETIRING)),
    (FreeNotice(X), (ABSENT, RETIRING)),
    (OwnerDied(X), (ABSENT, RETIRING)),
    (CopyEvicted(X), (ABSENT, RESERVING, WRITING, PULLING, PRIMARY, RETIRING)),
    (died(W), (ABSENT,)),
]


@pytest.mark.parametrize(("state", "event"), [(state, event) for event, states in IGNORED for state in states])
def test_nothing_changes(step: Any, state: Copying, event: Any) -> None:
    before = Copy(X, state)
    assert step(before, event) == (before, ())
