"""Resolution, row by row: in this record, this event gives this record and asks for this."""

from __future__ import annotations

from typing import Any

import pytest
from immutables import Map

from freehold.core.effects import CancelTimer, Send, SetTimer
from freehold.core.events import (
    ArgumentReady,
    CopyAwaited,
    CopyWanted,
    DependencyReady,
    ObjectUnused,
    OwnerDied,
    RequestReady,
    RetryDue,
    WantWithdrawn,
)
from freehold.core.ids import HEAD, node_id, object_id, worker_id
from freehold.core.machine import replace
from freehold.core.messages import LateNotice, LocateCancelNotice, LocateQuery, LocateReply
from freehold.core.node_messages import DeathNotice, HoldNotice, PullCancelNotice, PullQuery, PullReply
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
from freehold.core.task_events import ArgumentLate
from freehold.core.values import Failure, Payload, Placed, Want
from freehold.core.worker import Worker

ME, OWNER = worker_id(HEAD, 1), worker_id(node_id(1), 1)
NEAR, FAR, FARTHER = HEAD, node_id(1), node_id(2)  # nodes; NEAR is ours
THEIRS, OURS, TASK = object_id(OWNER, 7), object_id(ME, 7), object_id(OWNER, 9)
GET, LATER = (1 << 35) + 1, (1 << 35) + 2
NEW = 101  # what the party mints
SIZE, PLACE = 1000, 4096
SMALL = Payload(10, (), b"small")
LOST, FULL = Failure("lost", THEIRS, FAR), Failure("full", THEIRS, NEAR)
CRASHED, OWNER_DIED = Failure("crashed", THEIRS, OWNER), Failure("owner_died", THEIRS, OWNER)
NONE = Resolution(THEIRS)
READERS = (Want.GET, Want.WAIT, Want.RUN)
BY = {Want.GET: GET, Want.WAIT: LATER, Want.RUN: TASK, Want.SEND: TASK + 1, Want.LOOK: LATER + 1}
HERE = HoldNotice(THEIRS, PLACE, SIZE)
LESS = WantWithdrawn(THEIRS, GET)
NO_PULL = Send(NEAR, PullCancelNotice(THEIRS, ME))
NO_QUESTION = Send(OWNER, LocateCancelNotice(THEIRS, ME))
NO_TIMER = CancelTimer(5)

Case = tuple[str, Resolution, Any, Resolution | None, Any]


def record(state: Resolving, *wants: Want, **fields: Any) -> Resolution:
    """A record in a state, wanted by requests and tasks for these reasons."""
    wanted = Map({BY[want]: want for want in wants})
    awaited = {"attempt": 5} if state in (ASKING, PULLING, RETRYING) else {}
    return Resolution(THEIRS, state, **{"wanted": wanted, **awaited, **fields})


def join(r: Resolution, want: Want) -> Resolution:
    return replace(r, wanted=r.wanted.set(BY[want], want))


def pulling(*sources: int, wants: tuple[Want, ...] = (Want.GET,), **fields: Any) -> Resolution:
    return record(PULLING, *wants, **{"sources": sources, "nbytes": SIZE, **fields})


def held(state: Resolving, **fields: Any) -> Resolution:
    """A copy here, under one hold."""
    return record(state, **{"nbytes": SIZE, "place": PLACE, "grants": 1, **fields})


def wants(want: Want, *nodes: int) -> CopyWanted:
    return CopyWanted(THEIRS, BY[want], want, nodes, SIZE if nodes else 0)


def pull(source: int, want: Want = Want.GET, attempt: int = NEW) -> Send:
    return Send(NEAR, PullQuery(THEIRS, attempt, ME, source, SIZE, want))


def ask(*known: int, attempt: int = NEW, wait: int = NEW) -> Send:
    return Send(OWNER, LocateQuery(THEIRS, attempt, ME, known, wait))


def there(*nodes: int) -> Placed:
    return Placed(SIZE, nodes)


def heard(want: Want, outcome: Any) -> Any:
    """What a waiter is told of a value, its locations or its failure."""
    failure = outcome if isinstance(outcome, Failure) else None
    if want is Want.SEND:
        return DependencyReady(BY[want], THEIRS, outcome)
    return ArgumentReady(TASK, THEIRS, failure) if want is Want.RUN else RequestReady(BY[want], THEIRS, bool(failure))


def all_hear(outcome: Any) -> tuple[Any, ...]:
    """Those for whom it is enough that the value exists come first; each in the order of their names."""
    return tuple([heard(want, outcome) for want in (Want.LOOK, Want.SEND, *READERS)])


SEEN_ONCE, KNOWN = record(SEEN, nbytes=SIZE), (heard(Want.LOOK, there()),)
AT_HAND, BOTH = there(NEAR), (0, LATER, GET)
GOT, RUNS = (heard(Want.GET, there(NEAR)),), (heard(Want.RUN, there(NEAR)),)

# ------------------------------------------------------------------ the value is wanted

WANTED: list[Case] = [
    *[
        (f"first: {want.name}", NONE, wants(want), record(ASKING, want, attempt=NEW), (ask(wait=wait),))
        for want in Want
        for wait in [NEW if want in (Want.GET, Want.WAIT, Want.LOOK) else 0]  # a thread could run the task meanwhile
    ],
    (
        "locations are known: this node comes first, then the nearest",
        NONE,
        wants(Want.RUN, FARTHER, FAR, NEAR),
        pulling(NEAR, FAR, FARTHER, wants=(Want.RUN,), attempt=NEW),
        (pull(NEAR, Want.RUN),),
    ),
    (
        "locations were seen",
        record(SEEN, sources=(FARTHER, FAR), nbytes=SIZE),
        wants(Want.WAIT),
        pulling(FAR, FARTHER, wants=(Want.WAIT,), attempt=NEW),
        (pull(FAR, Want.WAIT),),
    ),
    (
        "it was seen to exist",
        SEEN_ONCE,
        wants(Want.GET),
        record(ASKING, Want.GET, attempt=NEW, nbytes=SIZE),
        (ask(),),
    ),
    (
        "it was seen to exist, and a task is to be sent where it is",
        SEEN_ONCE,
        wants(Want.SEND),
        record(ASKING, Want.SEND, attempt=NEW, nbytes=SIZE),
        (ask(wait=0),),
    ),
    *[
        (f"{r.state.name}: it was seen to exist, and that is enough", r, wants(Want.LOOK), r, KNOWN)
        for r in (SEEN_ONCE, *[record(state, Want.GET, nbytes=SIZE) for state in (ASKING, RETRYING)])
    ],
    *[
        (f"{r.state.name}: it is known where copies are", r, wants(want), r, (heard(want, there(FAR)),))
        for r in (record(SEEN, sources=(FAR,), nbytes=SIZE), pulling(FAR))
        for want in (Want.SEND, Want.LOOK)
    ],
    ("a pull, as urgent", pulling(FAR), wants(Want.WAIT), pulling(FAR, wants=(Want.GET, Want.WAIT)), ()),
    (
        "a pull, more urgent: the same question again",
        pulling(FAR, FARTHER, wants=(Want.RUN,)),
        wants(Want.WAIT),
        pulling(FAR, FARTHER, wants=(Want.RUN, Want.WAIT)),
        (pull(FAR, Want.WAIT, attempt=5),),
    ),
    *[
        (
            f"{state.name}: a copy is here: {want.name}",
            held(state),
            wants(want),
            held(LOCAL, unread=unread),
            (heard(want, AT_HAND),),
        )
        for state in (LOCAL, IDLE)
        for want, unread in zip(Want, ((GET,), (), (0,), (), ()), strict=True)
    ],
    ("by another get, as by a task", held(LOCAL, unread=(0, LATER)), wants(Want.GET), held(LOCAL, unread=BOTH), GOT),
    ("by another task", held(LOCAL, unread=BOTH), wants(Want.RUN), held(LOCAL, unread=BOTH), RUNS),
    ("by the same get", held(LOCAL, unread=BOTH), wants(Want.GET), held(LOCAL, unread=BOTH), GOT),
    ("used again", held(IDLE, unused=True), wants(Want.WAIT), held(LOCAL), (heard(Want.WAIT, AT_HAND),)),
    *[
        (f"settled: {want.name}", r, wants(want), r, (heard(want, r.failure or r.payload),))
        for r in (record(CACHED, payload=SMALL, nbytes=10), record(FAILED, failure=CRASHED))
        for want in Want
    ],
]


@pytest.mark.rule(id="resolve-want")
@pytest.mark.parametrize("state", [ASKING, RETRYING], ids=lambda state: state.name)
def test_several_wait_for_one_answer_and_the_owner_hears_of_the_first_call(step: Any, state: Resolving) -> None:
    r, reminder = record(state, Want.RUN, tried=(FAR,)), (ask(FAR, attempt=5),)
    called = join(r, Want.WAIT)
    assert step(r, wants(Want.SEND)) == (join(r, Want.SEND), ())
    assert step(r, wants(Want.WAIT)) == (called, reminder)
    assert step(called, wants(Want.GET)) == (join(called, Want.GET), ())
    assert step(r, CopyAwaited(THEIRS)) == (r, reminder)


# ------------------------------------------------------------------ step 1: the owner answers

LOCATED = LocateReply(THEIRS, 5, there(FAR))
SEEN_FAR = record(SEEN, sources=(FAR,), nbytes=SIZE, attempt=5)
ANSWERS: list[Case] = [
    (
        "where it is",
        record(ASKING, *Want),
        LocateReply(THEIRS, 5, there(FARTHER, FAR)),
        pulling(FAR, FARTHER, wants=READERS, attempt=NEW),
        (heard(Want.LOOK, there(FARTHER, FAR)), heard(Want.SEND, there(FARTHER, FAR)), pull(FAR)),
    ),
    (
        "where else it is",
        record(RETRYING, Want.RUN, tried=(FAR,), round=1),
        LocateReply(THEIRS, 5, there(FAR, FARTHER)),
        pulling(FARTHER, wants=(Want.RUN,), attempt=NEW, tried=(FAR,), round=1),
        (NO_TIMER, pull(FARTHER, Want.RUN)),
    ),
    (
        "where it has been tried",
        record(RETRYING, Want.GET, tried=(FAR,)),
        LocateReply(THEIRS, 5, there(FAR)),
        pulling(FAR, attempt=NEW, tried=(FAR,)),
        (NO_TIMER, pull(FAR)),
    ),
    ("nobody wants the copy", record(ASKING, Want.SEND), LOCATED, SEEN_FAR, (heard(Want.SEND, there(FAR)),)),
    (
        "nobody wants the copy any more",
        record(RETRYING, Want.SEND, tried=(FARTHER,)),
        LOCATED,
        SEEN_FAR,
        (NO_TIMER, heard(Want.SEND, there(FAR))),
    ),
    *[
        (
            f"{state.name}: {after.state.name}",
            record(state, *Want),
            LocateReply(THEIRS, 5, outcome),
            after,
            (*stop, *all_hear(outcome)),
        )
        for state, stop in ((ASKING, ()), (RETRYING, (NO_TIMER,)))
        for outcome, after in (
            (SMALL, record(CACHED, payload=SMALL, nbytes=10, attempt=5)),
            (CRASHED, record(FAILED, failure=CRASHED, attempt=5)),
        )
    ],
    *[
        (
            f"{state.name}: it was lost, and tasks go back",
            record(state, *Want),
            LateNotice(THEIRS),
            record(state, *Want),
            (ArgumentLate(BY[Want.RUN], THEIRS),),
        )
        for state in (ASKING, RETRYING)
    ],
    (
        "ask again, for all",
        record(RETRYING, Want.GET, tried=(FAR,), round=1),
        RetryDue(THEIRS, 5),
        record(ASKING, Want.GET, attempt=NEW, round=1),
        (ask(),),
    ),
    (
        "ask again, for a task",
        record(RETRYING, Want.RUN, round=1),
        RetryDue(THEIRS, 5),
        record(ASKING, Want.RUN, attempt=NEW, round=1),
        (ask(wait=0),),
    ),
]

# ------------------------------------------------------------------ steps 2 and 3: the copy comes, or not

NO_COPY = PullReply(THEIRS, 5, LOST)
PULLS: list[Case] = [
    ("the next", pulling(FAR, FARTHER), NO_COPY, pulling(FARTHER, attempt=NEW, tried=(FAR,)), (pull(FARTHER),)),
    *[
        (
            f"none is left, {round} times before",
            pulling(FARTHER, tried=(FAR,), round=round),
            NO_COPY,
            record(RETRYING, Want.GET, attempt=NEW, tried=(FAR, FARTHER), round=round + 1, nbytes=SIZE),
            (ask(FAR, FARTHER), SetTimer(NEW, seconds, RetryDue(THEIRS, NEW))),
        )
        for round, seconds in ((0, 0.05), (1, 0.1), (3, 0.4), (30, 5.0))
    ],
    (
        "none is left, for a task",
        pulling(FAR, wants=(Want.RUN,)),
        NO_COPY,
        record(RETRYING, Want.RUN, attempt=NEW, tried=(FAR,), round=1, nbytes=SIZE),
        (ask(FAR, wait=0), SetTimer(NEW, 0.05, RetryDue(THEIRS, NEW))),
    ),
    *[
        (
            f"no use to try others: {cause}",
            pulling(FAR, FARTHER, wants=READERS, tried=(NEAR,)),
            PullReply(THEIRS, 5, Failure(cause, THEIRS, NEAR)),
            record(FAILED, failure=Failure(cause, THEIRS, NEAR), attempt=5, nbytes=SIZE),
            tuple([heard(want, Failure(cause, THEIRS, NEAR)) for want in READERS]),
        )
        for cause in ("full", "too_large")
    ],
    (
        "it came",
        pulling(FAR, wants=READERS, tried=(FARTHER,), round=2),
        HERE,
        held(LOCAL, attempt=5, unread=(0, GET)),
        tuple([heard(want, AT_HAND) for want in READERS]),
    ),
    ("for a wait only", pulling(FAR, wants=(Want.WAIT,)), HERE, held(LOCAL, attempt=5), (heard(Want.WAIT, AT_HAND),)),
    (
        "during the back-off",
        record(RETRYING, Want.LOOK, tried=(FAR,), round=1),
        HERE,
        held(LOCAL, attempt=5),
        (NO_TIMER, NO_QUESTION, heard(Want.LOOK, AT_HAND)),
    ),
]

# ------------------------------------------------------------------ nobody wants it any more

UNUSED = ObjectUnused(THEIRS)
SEEN_BOTH = record(SEEN, sources=(FAR, FARTHER), nbytes=SIZE)
STOPS = ((ASKING, (NO_QUESTION,)), (PULLING, (NO_PULL,)), (RETRYING, (NO_TIMER, NO_QUESTION)))
WITHDRAWN: list[Case] = [
    *[
        case
        for state, stop in STOPS
        for case in [
            (f"{state.name}: one of two", record(state, Want.GET, Want.RUN), LESS, record(state, Want.RUN), ()),
            (f"{state.name}: not the one that waits", record(state, Want.RUN), LESS, record(state, Want.RUN), ()),
            (f"{state.name}: the last", record(state, Want.GET), LESS, None, stop),
            (f"{state.name}: the last, and it exists", record(state, Want.GET, nbytes=SIZE), LESS, SEEN_ONCE, stop),
            (f"{state.name}: no reference is left", record(state, Want.GET, nbytes=SIZE), UNUSED, None, stop),
        ]
    ],
    ("a pull: the last, and it is known where", pulling(FAR, FARTHER), LESS, SEEN_BOTH, (NO_PULL,)),
    *[(f"{s.name}: no reference is left", record(s), UNUSED, None, ()) for s in (SEEN, CACHED, FAILED)],
]

DEAD = record(FAILED, failure=OWNER_DIED, attempt=5)
ORPHANED: list[Case] = [
    ("seen", SEEN_FAR, OwnerDied(THEIRS), replace(DEAD, nbytes=SIZE), ()),
    ("asking", record(ASKING, *Want), OwnerDied(THEIRS), DEAD, all_hear(OWNER_DIED)),
    ("retrying", record(RETRYING, *Want, tried=(FAR,)), OwnerDied(THEIRS), DEAD, (NO_TIMER, *all_hear(OWNER_DIED))),
    ("pulling", record(PULLING, Want.RUN), OwnerDied(THEIRS), DEAD, (NO_PULL, heard(Want.RUN, OWNER_DIED))),
]

ROWS = {"wanted": WANTED, "told": ANSWERS, "pulled": PULLS, "withdrawn": WITHDRAWN, "orphaned": ORPHANED}


@pytest.mark.parametrize(
    ("before", "event", "after", "out"),
    [pytest.param(*case, id=f"{section}: {name}") for section, cases in ROWS.items() for name, *case in cases],
)
def test_a_row(step: Any, before: Resolution, event: Any, after: Resolution | None, out: Any) -> None:
    assert step(before, event) == (after, out)


@pytest.mark.rule(id="stale")
@pytest.mark.parametrize("event", [LocateReply(THEIRS, 4, CRASHED), PullReply(THEIRS, 4, FULL), RetryDue(THEIRS, 4)])
def test_an_answer_to_another_attempt_changes_nothing(step: Any, event: Any) -> None:
    for before in (record(ASKING, Want.GET), pulling(FAR), record(RETRYING, Want.GET)):
        assert step(before, event) == (before, ())


IGNORED: list[tuple[Any, tuple[Resolving, ...]]] = [
    (LESS, (ABSENT, SEEN, IDLE, CACHED, FAILED)),
    (CopyAwaited(THEIRS), (ABSENT, SEEN, PULLING, LOCAL, IDLE, CACHED, FAILED)),
    (UNUSED, (ABSENT,)),
    (OwnerDied(THEIRS), (ABSENT, FAILED)),
]


@pytest.mark.parametrize(("state", "event"), [(state, event) for event, states in IGNORED for state in states])
def test_nothing_changes(step: Any, state: Resolving, event: Any) -> None:
    before = record(state)
    assert step(before, event) == (before, ())


def test_what_a_dead_owner_had_is_not_fetched(step: Any) -> None:
    here = Worker(ME)
    here.handle(DeathNotice(OWNER))
    for known in ((), ((FAR,), SIZE, ())):  # also if copies are known, as to a task that was on its way
        after, out = step(Resolution(THEIRS), CopyWanted(THEIRS, 7, Want.RUN, *known), here)
        assert (after.state, after.failure) == (FAILED, OWNER_DIED) and out == (ArgumentReady(7, THEIRS, OWNER_DIED),)
