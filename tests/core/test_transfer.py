"""The rows of the copy table about transfers: in this record, this event gives this record and asks for this."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from immutables import Map

from freehold.core.copy import ABSENT, CREATE, PRIMARY, PULLING, RESERVING, RETIRING, SECONDARY, WRITING, Copy, Copying
from freehold.core.effects import Move, Release, Send
from freehold.core.events import HolderDied
from freehold.core.ids import HEAD, node_id, object_id, worker_id
from freehold.core.machine import replace
from freehold.core.node import Node
from freehold.core.node_events import CopyBusy, PullOver, RoomFreed, RoomWanted
from freehold.core.node_messages import (
    ChunkQuery,
    ChunkReply,
    CopyNotice,
    CreateQuery,
    CreateReply,
    FreeNotice,
    HoldNotice,
    HoldRecallNotice,
    HoldReturnNotice,
    PullCancelNotice,
    PullQuery,
    PullReply,
    SealNotice,
)
from freehold.core.policies import Policy
from freehold.core.values import Failure, Want

HERE, FAR = HEAD, node_id(1)
W, V, U = (worker_id(HERE, number) for number in range(1, 4))  # ours: W writes, V and U read
OWNER = worker_id(FAR, 1)
X = object_id(OWNER, 1)
NBYTES, PLACE, CHUNK = 250, 64, 100  # a copy has three chunks, and two are on their way at once
NEW = 101  # what the party mints
POLICY = Policy(chunk_bytes=CHUNK, chunks_in_flight=2)

Case = tuple[str, Copy, Any, Copy | None, Any]
Fields = Mapping[int, int]


def creating(state: Copying, holds: Fields | None = None, askers: Fields | None = None) -> Copy:
    """A copy that W writes, or wrote, under attempt 5; it begins to write under a hold."""
    place = 0 if state is RESERVING else PLACE
    return Copy(X, state, 0, NBYTES, place, W, 5, holds=Map(holds or {}), askers=Map(askers or {}))


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


NOTHING = Copy(X)
FREED = (Release(X, PLACE, NBYTES), RoomFreed(X, NBYTES))
UNPULLED = (Release(X, PLACE, NBYTES), RoomFreed(X, NBYTES, True))
NEVER_HAD, RETURNED = RoomFreed(X, 0), Send(FAR, HoldReturnNotice(X, HERE, 1))
LOST = Failure("lost", X, FAR)
KNOWN = Send(OWNER, CopyNotice(X, HERE, NBYTES, True))
BUSY = CopyBusy(X)


def wanted(want: int = Want.WAIT, worker: int = V, attempt: int = 6, source: int = FAR) -> PullQuery:
    return PullQuery(X, attempt, worker, source, NBYTES, want)


def asked(offset: int, nbytes: int = CHUNK, attempt: int = 7) -> Send:
    return Send(FAR, ChunkQuery(X, attempt, HERE, offset, nbytes, NBYTES))


def chunk(offset: int, nbytes: int = CHUNK, attempt: int = 7, failed: bool = False) -> ChunkReply:
    return ChunkReply(X, attempt, offset, nbytes, failed)


BOTH: Fields = {V: 6, U: 8}
LAST = pulling(PULLING, arrived=2 * CHUNK, asked=NBYTES)
PULLS: list[Case] = [
    ("room is asked for", NOTHING, wanted(), pulling(RESERVING), (RoomWanted(X, NBYTES, Want.WAIT),)),
    ("we are no source any more", NOTHING, wanted(source=HERE), NOTHING, (refused(V, 6, Failure("lost", X, HERE)),)),
    ("a second asker", pulling(RESERVING), wanted(Want.RUN, U, 8), pulling(RESERVING, askers=BOTH), ()),
    (
        "a second asker, more urgent",
        pulling(RESERVING),
        wanted(Want.GET, U, 8),
        pulling(RESERVING, Want.GET, BOTH),
        (RoomWanted(X, NBYTES, Want.GET),),
    ),
    ("while it is created", creating(RESERVING), wanted(Want.GET), creating(RESERVING, askers={V: 6}), ()),
    ("while it is written", creating(WRITING, {W: 1}), wanted(), creating(WRITING, {W: 1}, {V: 6}), ()),
    ("while it comes", pulling(PULLING), wanted(Want.GET, U, 8), pulling(PULLING, askers=BOTH), ()),
    ("a primary is here", primary(v=1), wanted(), primary(v=2), (hold(V),)),
    ("a secondary is here", secondary(v=1), wanted(worker=U), secondary(v=1, u=1), (BUSY, hold(U))),
    ("a secondary is here that nobody held", secondary(), wanted(), secondary(v=1), (BUSY, hold(V))),
    (
        "it was released",
        primary(RETIRING, w=1),
        wanted(),
        primary(RETIRING, w=1),
        (refused(V, 6, Failure("released", X, HERE)),),
    ),
    (
        "a chunk, and the last is asked for",
        pulling(PULLING),
        chunk(CHUNK),
        pulling(PULLING, arrived=CHUNK, asked=NBYTES),
        (asked(2 * CHUNK, 50),),
    ),
    ("a chunk, and all are asked for", pulling(PULLING, arrived=CHUNK, asked=NBYTES), chunk(0), LAST, ()),
    ("the last chunk", LAST, chunk(200, 50), secondary(v=1), (RETURNED, PullOver(X), KNOWN, BUSY, hold(V))),
    (
        "there is no such copy",
        pulling(PULLING, askers=BOTH),
        chunk(0, 0, failed=True),
        None,
        (refused(V, 6, LOST), refused(U, 8, LOST), *UNPULLED),
    ),
    ("a chunk of another transfer", LAST, chunk(2 * CHUNK, 50, attempt=6), LAST, ()),
]

CANCEL = PullCancelNotice(X, V)
CANCELS: list[Case] = [
    ("before there is room", pulling(RESERVING), CANCEL, None, (NEVER_HAD,)),
    ("while it comes", pulling(PULLING), CANCEL, None, (RETURNED, *UNPULLED)),
    ("one of two", pulling(RESERVING, askers=BOTH), CANCEL, pulling(RESERVING, askers={U: 8}), ()),
    ("one of two, while it comes", pulling(PULLING, askers=BOTH), CANCEL, pulling(PULLING, askers={U: 8}), ()),
    ("one that has not asked", pulling(PULLING, askers={U: 8}), CANCEL, pulling(PULLING, askers={U: 8}), ()),
    ("its creator still waits", creating(RESERVING, askers={V: 6}), CANCEL, creating(RESERVING), ()),
    ("while it is written", creating(WRITING, {W: 1}, {V: 6}), CANCEL, creating(WRITING, {W: 1}), ()),
    ("while it is written, one that has not asked", creating(WRITING, {W: 1}), CANCEL, creating(WRITING, {W: 1}), ()),
]


def take(offset: int = 0, total: int = NBYTES) -> ChunkQuery:
    return ChunkQuery(X, 7, FAR, offset, CHUNK, total)


def moved(offset: int = 0) -> Move:
    return Move(X, 7, None, PLACE, FAR, offset, CHUNK)


def no_chunk(offset: int = 0) -> Send:
    return Send(FAR, ChunkReply(X, 7, offset, 0, True))


CHUNKS: list[Case] = [
    ("the first takes a hold", primary(w=1), take(), primary(w=1, far=1), (moved(),)),
    ("the first of a secondary that nobody held", secondary(), take(), secondary(far=1), (BUSY, moved())),
    ("the first of a secondary", secondary(v=1), take(), secondary(v=1, far=1), (moved(),)),
    ("a later one", secondary(far=1), take(CHUNK), secondary(far=1), (moved(CHUNK),)),
    ("a later one without a hold", primary(w=1), take(CHUNK), primary(w=1), (no_chunk(CHUNK),)),
    ("of a value that is not the same any more", primary(w=1), take(total=NBYTES + 1), primary(w=1), (no_chunk(),)),
    ("released: the first", primary(RETIRING, w=1), take(), primary(RETIRING, w=1), (no_chunk(),)),
    ("released: who holds it", primary(RETIRING, far=1), take(CHUNK), primary(RETIRING, far=1), (moved(CHUNK),)),
    *[
        (f"there is no sealed copy ({r.state.name})", r, take(), r, (no_chunk(),))
        for r in (NOTHING, pulling(RESERVING), pulling(PULLING))
    ],
]

NEXT = CreateQuery(X, 9, U, 9)


def writing(*awaited: ChunkQuery) -> Copy:
    """A copy that W writes, of which other nodes have asked for chunks."""
    return replace(creating(WRITING, {W: 1}), awaited=awaited)


ASKED_BACK = Send(W, HoldRecallNotice(X, True))
# The owner hears that a copy is written before the node does, and another node may have been faster still.
AHEAD, LATER, ELSE = take(), take(CHUNK), ChunkQuery(X, 3, node_id(2), 0, CHUNK, NBYTES)
EARLY: list[Case] = [
    ("before the seal", creating(WRITING, {W: 1}), AHEAD, writing(AHEAD), ()),
    ("and the next", writing(AHEAD), LATER, writing(AHEAD, LATER), ()),
    ("sealed", writing(AHEAD, LATER), SealNotice(X, W, True), primary(w=1, far=1), (KNOWN, moved(), moved(CHUNK))),
    ("its puller wants it no more", writing(AHEAD, ELSE, LATER), HoldReturnNotice(X, FAR, 1), writing(ELSE), ()),
    ("its puller dies", writing(AHEAD, ELSE, LATER), HolderDied(X, FAR), writing(ELSE), ()),
    ("nobody has asked", writing(), HoldReturnNotice(X, FAR, 1), writing(), ()),
    (
        "released",
        writing(AHEAD),
        FreeNotice(X),
        primary(RETIRING, w=1),
        (no_chunk(), Send(W, HoldRecallNotice(X, True))),
    ),
    ("its writer dies", writing(AHEAD), HolderDied(X, W), None, (no_chunk(), *FREED)),
    (
        "another run is to write it",
        replace(writing(AHEAD), next=NEXT),
        SealNotice(X, W, True),
        Copy(X, RESERVING, nbytes=9, creator=U, creating=9),
        (no_chunk(), *FREED, RoomWanted(X, 9, CREATE)),
    ),
]

ANEW: list[Case] = [  # a task that runs again on this node waits for the copy to be out of its way, or to come
    (
        "it comes: as good as written",
        pulling(PULLING, arrived=2 * CHUNK, asked=NBYTES, next=NEXT),
        chunk(2 * CHUNK, NBYTES - 2 * CHUNK),
        secondary(PRIMARY, v=1),
        (RETURNED, PullOver(X), KNOWN, BUSY, hold(V), Send(U, CreateReply(X, 9, 0, True))),
    ),
    (
        "it does not come",
        pulling(PULLING, next=NEXT),
        chunk(0, 0, failed=True),
        Copy(X, RESERVING, nbytes=9, creator=U, creating=9),
        (refused(V, 6, LOST), *UNPULLED, RoomWanted(X, 9, CREATE)),
    ),
]

ROWS = {"written anew": ANEW, "pulled": PULLS, "pull withdrawn": CANCELS, "chunk": CHUNKS, "chunk too early": EARLY}


@pytest.mark.parametrize(
    ("before", "event", "after", "out"),
    [pytest.param(*case, id=f"{section}: {name}") for section, cases in ROWS.items() for name, *case in cases],
)
def test_a_row(step: Any, before: Copy, event: Any, after: Copy | None, out: Any) -> None:
    assert step(before, event, Node(HERE, 1000, (), POLICY)) == (after, out)


@pytest.mark.rule(id="resolve-withdrawn")
@pytest.mark.parametrize("state", [ABSENT, PRIMARY, SECONDARY, RETIRING], ids=lambda state: state.name)
def test_an_asker_that_gives_up_too_late_changes_nothing(step: Any, state: Copying) -> None:
    before = Copy(X, state)
    assert step(before, CANCEL) == (before, ())
