"""The rows of the copy table about chunks that go to other nodes before a copy is complete, as the policy allows."""

from __future__ import annotations

from typing import Any

import pytest
from immutables import Map

from freehold.core.copy import PRIMARY, PULLING, RETIRING, SECONDARY, Copy
from freehold.core.effects import Move, Release, Send
from freehold.core.events import HolderDied
from freehold.core.ids import HEAD, node_id, object_id, worker_id
from freehold.core.machine import replace
from freehold.core.node import Node
from freehold.core.node_events import CopyBusy, CopyIdle, PullOver, RoomFreed
from freehold.core.node_messages import (
    ChunkQuery,
    ChunkReply,
    CopyNotice,
    FreeNotice,
    HoldNotice,
    HoldReturnNotice,
    PullCancelNotice,
    PullReply,
    RelayReply,
)
from freehold.core.policies import Policy
from freehold.core.values import Failure

HERE, FIRST, BEFORE, BEHIND, OTHER = HEAD, *(node_id(index) for index in (1, 2, 3, 4))
V = worker_id(HERE, 1)
OWNER = worker_id(FIRST, 1)
X = object_id(OWNER, 1)
NBYTES, PLACE, CHUNK = 250, 64, 100
RANK, NEW = 20, 101  # ours in the line, and what the party mints
POLICY = Policy(relay=True, chunk_bytes=CHUNK, chunks_in_flight=2)

Case = tuple[str, Copy, Any, Copy | None, Any]


def sealed(*line: int, **holds: int) -> Copy:
    """The copy at the head of a line, which has begun to send itself to the first of it."""
    held = {"v": V, "behind": BEHIND, "other": OTHER}
    return Copy(X, PRIMARY, 0, NBYTES, PLACE, V, 5, holds=Map({held[name]: n for name, n in holds.items()}), line=line)


def coming(arrived: int = 0, asked: int = 2 * CHUNK, **fields: Any) -> Copy:
    """A copy that comes to V from BEFORE, to which FIRST has referred us."""
    at: dict[str, Any] = {
        "attempt": 7,
        "nbytes": NBYTES,
        "place": PLACE,
        "source": BEFORE,
        "origin": FIRST,
        "rank": RANK,
    }
    at |= {"state": PULLING, "askers": Map({V: 6}), "arrived": arrived, "asked": asked, "want": 0}
    return Copy(X, **(at | fields))


def asks(offset: int = 0, origin: int = FIRST, rank: int = RANK + 1, target: int = BEHIND, **other: int) -> ChunkQuery:
    return ChunkQuery(X, 3, target, offset, min(CHUNK, NBYTES - offset), other.get("total", NBYTES), origin, rank)


def moved(offset: int = 0, target: int = BEHIND) -> Move:
    return Move(X, 3, None, PLACE, target, offset, min(CHUNK, NBYTES - offset))


def refused(offset: int = 0, target: int = BEHIND) -> Send:
    return Send(target, ChunkReply(X, 3, offset, 0, True))


def chunk(offset: int, failed: bool = False) -> ChunkReply:
    return ChunkReply(X, 7, offset, 0 if failed else min(CHUNK, NBYTES - offset), failed)


def we_ask(target: int, offset: int, attempt: int = 7, origin: int = FIRST, rank: int = RANK) -> Send:
    return Send(target, ChunkQuery(X, attempt, HERE, offset, min(CHUNK, NBYTES - offset), NBYTES, origin, rank))


def returned(node: int) -> Send:
    return Send(node, HoldReturnNotice(X, HERE, 1))


READ = Map({BEHIND: 1})
UNPULLED = (Release(X, PLACE, NBYTES), RoomFreed(X, NBYTES, True))
FREED = (Release(X, PLACE, NBYTES), RoomFreed(X, NBYTES))
LOST = Send(V, PullReply(X, 6, Failure("lost", X, BEFORE)))
DIRECT = {"origin": 0, "rank": 0}

HEAD_OF_LINE: list[Case] = [
    ("the first is served", sealed(v=1), asks(**DIRECT), sealed(BEHIND, v=1, behind=1), (moved(),)),
    (
        "the next is referred to it",
        sealed(BEHIND, behind=1),
        asks(target=OTHER, **DIRECT),
        sealed(BEHIND, OTHER, behind=1),
        (Send(OTHER, RelayReply(X, 3, BEHIND, NEW)),),
    ),
    (
        "who was referred here is served, and in no line",
        sealed(BEHIND, behind=1),
        asks(target=OTHER),
        sealed(BEHIND, behind=1, other=1),
        (moved(target=OTHER),),
    ),
    (
        "who was referred in vain is served",
        sealed(OTHER, behind=1),
        asks(origin=0),
        sealed(OTHER, BEHIND, behind=2),
        (moved(),),
    ),
    (
        "once nobody is being served the next is",
        sealed(BEHIND),
        asks(target=OTHER, **DIRECT),
        sealed(BEHIND, OTHER, other=1),
        (moved(target=OTHER),),
    ),
    (
        "who has all of it leaves the line",
        sealed(BEHIND, OTHER, v=1, behind=1),
        HoldReturnNotice(X, BEHIND, 1),
        sealed(OTHER, v=1),
        (),
    ),
    (
        "so does one that had it from another",
        sealed(BEHIND, OTHER, behind=1),
        HoldReturnNotice(X, OTHER, 1),
        sealed(BEHIND, behind=1),
        (),
    ),
    ("and one that dies", sealed(BEHIND, OTHER, behind=1), HolderDied(X, OTHER), sealed(BEHIND, behind=1), ()),
]

QUEUED = (asks(CHUNK), asks(2 * CHUNK))
SENT_ON: list[Case] = [
    (
        "we go where we are referred",
        coming(source=FIRST, origin=0, rank=0),
        RelayReply(X, 7, BEFORE, 33),
        coming(attempt=NEW, rank=33),
        tuple([we_ask(BEFORE, offset, NEW, rank=33) for offset in (0, CHUNK)]),
    ),
    ("an old word changes nothing", coming(), RelayReply(X, 6, OTHER, 33), coming(), ()),
    ("it has not come yet", coming(), asks(), coming(awaited=(asks(),)), ()),
    ("and the next", coming(awaited=(asks(),)), asks(CHUNK), coming(awaited=(asks(), asks(CHUNK))), ()),
    ("it has come", coming(CHUNK), asks(), coming(CHUNK, holds=READ), (moved(),)),
    ("a later one has not", coming(CHUNK, holds=READ), asks(CHUNK), coming(CHUNK, holds=READ, awaited=QUEUED[:1]), ()),
    (
        "it comes, and goes on",
        coming(awaited=(asks(), asks(CHUNK))),
        chunk(0),
        coming(CHUNK, NBYTES, awaited=(asks(CHUNK),), holds=READ),
        (we_ask(BEFORE, 2 * CHUNK), moved()),
    ),
    (
        "the last one comes",
        coming(2 * CHUNK, NBYTES, awaited=(asks(2 * CHUNK),), holds=READ),
        chunk(2 * CHUNK),
        Copy(X, SECONDARY, 7, NBYTES, PLACE, holds=Map({BEHIND: 1, V: 1}), want=0),
        (
            returned(BEFORE),
            returned(FIRST),
            PullOver(X),
            Send(OWNER, CopyNotice(X, HERE, NBYTES, True)),
            CopyBusy(X),
            Send(V, HoldNotice(X, PLACE, NBYTES)),
            moved(2 * CHUNK),
        ),
    ),
    *[
        (f"not for {who}", coming(CHUNK), query, coming(CHUNK), (refused(query.offset),))
        for who, query in {
            "who has the same place": asks(rank=RANK),
            "who is ahead": asks(rank=RANK - 1),
            "who is in another line": asks(origin=OTHER),
            "who was not referred": asks(**DIRECT),
            "who was told of another value": asks(total=NBYTES + 1),
            "who has not begun": asks(CHUNK),
        }.items()
    ],
]

UNWANTED: list[Case] = [
    ("who waits here gives up", coming(holds=READ), PullCancelNotice(X, V), coming(holds=READ, askers=Map()), ()),
    (
        "who waits here dies",
        coming(awaited=QUEUED),
        HolderDied(X, V),
        coming(awaited=QUEUED, askers=Map()),
        (),
    ),
    (
        "and then who is behind",
        coming(holds=READ, awaited=QUEUED, askers=Map()),
        HoldReturnNotice(X, BEHIND, 1),
        None,
        (returned(BEFORE), returned(FIRST), *UNPULLED),
    ),
    (
        "or dies",
        coming(holds=READ, askers=Map()),
        HolderDied(X, BEHIND),
        None,
        (returned(BEFORE), returned(FIRST), *UNPULLED),
    ),
    ("only who is behind", coming(holds=READ, awaited=QUEUED), HoldReturnNotice(X, BEHIND, 1), coming(), ()),
]

AGAIN = coming(attempt=NEW, source=FIRST, origin=0, rank=0)
ANEW = [we_ask(FIRST, offset, NEW, 0, 0) for offset in (0, CHUNK)]
IN_VAIN = coming(attempt=NEW, source=FIRST, origin=0)
SERVE_US = [we_ask(FIRST, offset, NEW, 0) for offset in (0, CHUNK)]
ENDING = coming(2 * CHUNK, NBYTES, state=RETIRING, holds=READ, askers=Map())
LOSSES: list[Case] = [
    ("the word was old: back to who gave it", coming(), chunk(0, failed=True), IN_VAIN, (returned(FIRST), *SERVE_US)),
    (
        "those behind us go there, too",
        coming(CHUNK, awaited=(asks(),)),
        chunk(CHUNK, failed=True),
        AGAIN,
        (refused(), returned(BEFORE), returned(FIRST), *ANEW),
    ),
    ("who was before us dies", coming(), HolderDied(X, BEFORE), IN_VAIN, (returned(FIRST), *SERVE_US)),
    (
        "while others read: nothing is written over",
        coming(CHUNK, holds=READ, awaited=QUEUED),
        chunk(CHUNK, failed=True),
        coming(CHUNK, state=RETIRING, holds=READ, askers=Map()),
        (LOST, refused(CHUNK), refused(2 * CHUNK), returned(BEFORE), returned(FIRST), PullOver(X)),
    ),
    (
        "the owner releases it while others read",
        coming(CHUNK, holds=READ),
        FreeNotice(X),
        coming(CHUNK, state=RETIRING, holds=READ, askers=Map()),
        (
            Send(V, PullReply(X, 6, Failure("released", X))),
            returned(BEFORE),
            returned(FIRST),
            PullOver(X),
        ),
    ),
    ("then what is here goes on", ENDING, asks(CHUNK), ENDING, (moved(CHUNK),)),
    ("what is not does not", ENDING, asks(2 * CHUNK), ENDING, (refused(2 * CHUNK),)),
    ("nor to anybody new", ENDING, asks(target=OTHER), ENDING, (refused(target=OTHER),)),
    ("the last reader is done", ENDING, HoldReturnNotice(X, BEHIND, 1), None, FREED),
]

ROWS = {"head of a line": HEAD_OF_LINE, "sent on": SENT_ON, "unwanted": UNWANTED, "lost": LOSSES}


def cites(event: Any) -> tuple[Any, ...]:
    """The rule, if it is what the case is about; an old word is dropped before any row is taken."""
    if type(event) is ChunkQuery:
        return (pytest.mark.rule(id="copy-chunks"),)
    return (pytest.mark.rule(id="copy-relayed"),) if type(event) is RelayReply and event.attempt == 7 else ()


@pytest.mark.parametrize(
    ("before", "event", "after", "out"),
    [
        pytest.param(*case, id=f"{section}: {name}", marks=cites(case[1]))
        for section, cases in ROWS.items()
        for name, *case in cases
    ],
)
def test_a_row(step: Any, before: Copy, event: Any, after: Copy | None, out: Any) -> None:
    assert step(before, event, Node(HERE, 1000, (), POLICY)) == (after, out)


@pytest.mark.rule(id="copy-chunks")
@pytest.mark.parametrize(
    "policy",
    [replace(POLICY, relay=False), replace(POLICY, chunk_bytes=NBYTES)],
    ids=["by Ray's rule", "of what is one chunk"],
)
def test_a_copy_serves_all_who_ask(step: Any, policy: Policy) -> None:
    before = sealed(*((BEHIND,) if policy.relay else ()), behind=1)
    after, out = step(before, asks(target=OTHER, **DIRECT), Node(HERE, 1000, (), policy))
    assert after.holds == Map({BEHIND: 1, OTHER: 1})
    assert out == (moved(target=OTHER),)
    assert CopyIdle(X) not in out
