"""Leasing, row by row: in this record, this event gives this record and asks for this."""

from __future__ import annotations

from typing import Any

import pytest
from immutables import Map

from freehold.core.effects import Send
from freehold.core.ids import HEAD, node_id, object_id, worker_id
from freehold.core.leasing import LEASING, SERVED, Lease, Pool
from freehold.core.membership import ALIVE, DEAD, Member
from freehold.core.node_messages import (
    LeaseBusyNotice,
    LeaseCancelNotice,
    LeaseQuery,
    LeaseRecallNotice,
    LeaseReply,
    LeaseReturnNotice,
)
from freehold.core.policies import DEFAULT
from freehold.core.task_events import (
    HandOffered,
    LeaseLost,
    NodesChanged,
    TaskAssigned,
    TaskOver,
    TaskReady,
    Unschedulable,
)
from freehold.core.values import PoolKey, Shape
from freehold.core.worker import Worker

ME = worker_id(HEAD, 1)
NEAR, FAR, FARTHER = HEAD, node_id(1), node_id(2)
W, V, U = worker_id(NEAR, 2), worker_id(NEAR, 3), worker_id(FAR, 1)  # workers that may be leased
A, B, C = (object_id(ME, number) for number in range(1, 4))  # tasks
X, Y = object_id(ME, 4), object_id(ME, 5)  # objects for which threads wait
SHAPE: Shape = (("CPU", 1.0),)
KEY: PoolKey = (SHAPE, 0)
NEW = 101  # what the party mints
QUICK, SLOW = DEFAULT.quick_seconds / 2, DEFAULT.quick_seconds

Case = tuple[str, Pool, Any, Pool, Any]


def pool(*queue: int, first: int = 0, key: PoolKey = KEY, **fields: Any) -> Pool:
    """Tasks wait at consecutive places; a pool without any is served."""
    maps = {name: Map(value) for name, value in fields.items()}
    places = Map({first + index: task for index, task in enumerate(queue)})
    return Pool(key, LEASING if queue else SERVED, places, first, first + len(queue), **maps)


def member(node: int, alive: bool = True, cpus: float = 4.0) -> tuple[int, Member]:
    return node, Member(node, ALIVE if alive else DEAD, (("CPU", cpus),))


def party(*members: tuple[int, Member]) -> Worker:
    worker = Worker(ME)
    worker.members.update(members)
    return worker


def cluster(dead: int = 0) -> Worker:
    return party(*[member(node, node != dead) for node in (NEAR, FAR, FARTHER)])


def query(node: int, count: int = 1, key: PoolKey = KEY) -> Send:
    return Send(node, LeaseQuery(key, NEW, ME, SHAPE, count))


def ready(task: int, front: bool = False) -> TaskReady:
    return TaskReady(KEY, task, front)


def given(task: int, worker: int, object: int = 0) -> TaskAssigned:
    return TaskAssigned(task, worker, KEY, object)


def over(worker: int, seconds: float = SLOW) -> TaskOver:
    return TaskOver(KEY, worker, seconds)


def home(worker: int, node: int = NEAR) -> Send:
    return Send(node, LeaseReturnNotice(worker))


def cancel(node: int) -> Send:
    return Send(node, LeaseCancelNotice(KEY, ME))


FREE, ONE, TWO = Lease(), Lease(1), Lease(2)
FAST, FASTER, RECALLED = Lease(1, True), Lease(2, True), Lease(1, False, True)
NO_MORE = Lease(DEFAULT.queue_max, True)
HAND = Lease(1, False, True, False)  # it waits for a task of ours, and runs that
AT_FAR: PoolKey = (SHAPE, FAR)

TASKS: list[Case] = [
    ("no worker: our own node is asked", pool(), ready(A), pool(A, asked={NEAR: NEW}), (query(NEAR),)),
    (
        "no worker: the preferred node is asked",
        pool(key=AT_FAR),
        TaskReady(AT_FAR, A),
        pool(A, key=AT_FAR, asked={FAR: NEW}),
        (query(FAR, key=AT_FAR),),
    ),
    (
        "a free worker, before a quick one has two",
        pool(leases={W: FAST, V: FREE}),
        ready(A),
        pool(leases={W: FAST, V: ONE}),
        (given(A, V),),
    ),
    (
        "the quick worker that has least",
        pool(leases={W: FASTER, V: FAST, U: ONE}),
        ready(A),
        pool(leases={W: FASTER, V: FASTER, U: ONE}),
        (given(A, V),),
    ),
    (
        "no worker is free, quick and wanted here",
        pool(leases={W: ONE, V: NO_MORE, U: Lease(1, True, True)}),
        ready(A),
        pool(A, leases={W: ONE, V: NO_MORE, U: Lease(1, True, True)}, asked={NEAR: NEW}),
        (query(NEAR),),
    ),
    ("behind another: an answer is awaited", pool(A, asked={NEAR: 5}), ready(B), pool(A, B, asked={NEAR: 5}), ()),
    (
        "behind another: who was asked is busy",
        pool(A, asked={NEAR: 5}, busy={NEAR: 5}),
        ready(B),
        pool(A, B, asked={NEAR: 5, FAR: NEW}, busy={NEAR: 5}),
        (query(FAR, 2),),
    ),
    (
        "it comes back, and goes first",
        pool(A, first=3, asked={NEAR: 5}),
        ready(B, True),
        pool(B, A, first=2, asked={NEAR: 5}),
        (),
    ),
]

OVERS: list[Case] = [
    ("it was quick", pool(leases={W: ONE}), over(W, QUICK), pool(leases={W: Lease(0, True)}), ()),
    ("it was not", pool(leases={W: FAST}), over(W, SLOW), pool(leases={W: FREE}), ()),
    ("it was handed back", pool(leases={W: FASTER}), TaskOver(KEY, W), pool(leases={W: ONE}), ()),
    ("the worker is ours no more", pool(leases={W: ONE}), over(V), pool(leases={W: ONE}), ()),
    ("recalled: it goes home", pool(leases={W: RECALLED, V: ONE}), over(W), pool(leases={V: ONE}), (home(W),)),
    ("recalled: it has another", pool(leases={U: Lease(2, False, True)}), over(U), pool(leases={U: RECALLED}), ()),
    ("it waited for the task", pool(leases={V: HAND, W: ONE}), over(V), pool(leases={W: ONE}), ()),
    (
        "the last that waits is next",
        pool(A, first=2, leases={W: ONE}, asked={NEAR: 5, FAR: 6}, busy={NEAR: 5}, full={NEAR: 5}),
        over(W),
        pool(first=3, leases={W: ONE}),
        (given(A, W), cancel(NEAR), cancel(FAR)),
    ),
    (
        "others wait behind the next",
        pool(A, B, leases={W: ONE}, asked={NEAR: 5}),
        over(W),
        pool(B, first=1, leases={W: ONE}, asked={NEAR: 5}),
        (given(A, W),),
    ),
    (
        "recalled while others wait: who can give another is asked",
        pool(A, leases={U: RECALLED}, asked={NEAR: 5}, busy={NEAR: 5}),
        over(U),
        pool(A, asked={NEAR: 5, FAR: NEW}, busy={NEAR: 5}),
        (home(U, FAR), query(FAR)),
    ),
]


def reply(*workers: int, attempt: int = 5, node: int = NEAR) -> LeaseReply:
    return LeaseReply(KEY, attempt, node, workers)


def busy(node: int, attempt: int, full: bool = False) -> LeaseBusyNotice:
    return LeaseBusyNotice(KEY, attempt, node, full)


EVERY, FIRST_TWO = {NEAR: 5, FAR: 6, FARTHER: 7}, {NEAR: 5, FAR: 6}  # nodes -> attempts
FULL: dict[str, Any] = {"asked": EVERY, "busy": EVERY, "full": EVERY}
ANSWERS: list[Case] = [
    (
        "enough workers: one is kept in case",
        pool(A, asked={NEAR: 5}),
        reply(V, W),
        pool(first=1, leases={W: ONE, V: FREE}),
        (given(A, W),),
    ),
    (
        "too few: the node is asked again",
        pool(A, B, C, asked={NEAR: 5, FAR: 6}, busy={NEAR: 5, FAR: 6}, full={NEAR: 5}),
        reply(W),
        pool(B, C, first=1, leases={W: ONE}, asked={NEAR: NEW, FAR: 6}, busy={FAR: 6}),
        (given(A, W), query(NEAR, 2)),
    ),
    (
        "one whose thread runs a task of ours: it is lent now, and still has that",
        pool(A, leases={W: HAND}, asked={NEAR: 5}),
        reply(W),
        pool(A, leases={W: ONE}, asked={NEAR: NEW}),
        (query(NEAR),),
    ),
    (
        "enough: the others are asked no more",
        pool(A, asked={NEAR: 5, FAR: 6}),
        reply(W),
        pool(first=1, leases={W: ONE}),
        (given(A, W), cancel(FAR)),
    ),
    (
        "to a query that was withdrawn",
        pool(A, asked={NEAR: 5}),
        reply(W, V, attempt=4),
        pool(A, asked={NEAR: 5}),
        (home(W), home(V)),
    ),
    ("no task waits any more", pool(leases={W: ONE}), reply(U, node=FAR), pool(leases={W: ONE}), (home(U, FAR),)),
    (
        "busy: the next node is asked",
        pool(A, B, asked={NEAR: 5}),
        busy(NEAR, 5),
        pool(A, B, asked={NEAR: 5, FAR: NEW}, busy={NEAR: 5}),
        (query(FAR, 2),),
    ),
    ("busy: another is asked", pool(A, asked=FIRST_TWO), busy(NEAR, 5), pool(A, asked=FIRST_TWO, busy={NEAR: 5}), ()),
    (
        "the last one is busy",
        pool(A, asked=EVERY, busy=FIRST_TWO, full={NEAR: 5}),
        busy(FARTHER, 7),
        pool(A, asked=EVERY, busy=EVERY, full={NEAR: 5}),
        (),
    ),
    (
        "the last one is full",
        pool(A, asked=EVERY, busy=EVERY, full=FIRST_TWO),
        busy(FARTHER, 7, True),
        pool(A, **FULL),
        (),
    ),
    ("busy, for a query that was withdrawn", pool(A, asked={NEAR: 5}), busy(NEAR, 4), pool(A, asked={NEAR: 5}), ()),
]

RECALL = LeaseRecallNotice(KEY, W)
RECALLS: list[Case] = [
    ("it is free", pool(leases={W: FREE, V: ONE}), RECALL, pool(leases={V: ONE}), (home(W),)),
    ("it works for us", pool(leases={W: ONE}), RECALL, pool(leases={W: RECALLED}), ()),
    ("it is ours no more", pool(leases={V: ONE}), RECALL, pool(leases={V: ONE}), ()),
    (
        "it works, and others wait",
        pool(A, leases={W: ONE}, asked={FAR: 5}),
        RECALL,
        pool(A, leases={W: RECALLED}, asked={FAR: 5}),
        (),
    ),
]

LOSSES: list[Case] = [
    ("a worker", pool(leases={W: ONE, V: ONE}), LeaseLost(KEY, W), pool(leases={V: ONE}), ()),
    ("nobody that is known here", pool(leases={W: ONE}), LeaseLost(KEY, FAR), pool(leases={W: ONE}), ()),
    (
        "a node, with its workers, and whatever it was asked",
        pool(A, leases={U: ONE, W: ONE}, asked={FAR: 5, NEAR: 6}, busy={FAR: 5}, full={FAR: 5}),
        LeaseLost(KEY, FAR),
        pool(A, leases={W: ONE}, asked={NEAR: 6}),
        (),
    ),
    (
        "the only node that had been asked and was not busy: the next one is",
        pool(A, asked={NEAR: 5, FAR: 6}, busy={NEAR: 5}),
        LeaseLost(KEY, FAR),
        pool(A, asked={NEAR: 5, FARTHER: NEW}, busy={NEAR: 5}),
        (query(FARTHER),),
    ),
]

CHANGES: list[Case] = [
    ("no task waits", pool(leases={W: ONE}), NodesChanged(KEY), pool(leases={W: ONE}), ()),
    (
        "the newcomer is asked",
        pool(A, asked={NEAR: 5}, busy={NEAR: 5}),
        NodesChanged(KEY),
        pool(A, asked={NEAR: 5, FAR: NEW}, busy={NEAR: 5}),
        (query(FAR),),
    ),
]


def offer(task: int, worker: int, object: int = X) -> HandOffered:
    return HandOffered(KEY, task, worker, object)


HANDS: list[Case] = [
    (
        "no node has a worker left: it runs the task",
        pool(A, B, **FULL),
        offer(B, V),
        pool(A, B, leases={V: HAND}, **FULL),
        (given(B, V, X),),
    ),
    (
        "a leased one, whose task waits for another",
        pool(A, leases={V: ONE}, **FULL),
        offer(A, V),
        pool(A, leases={V: TWO}, **FULL),
        (given(A, V, X),),
    ),
    (
        "a node may still start a worker",
        pool(A, full=FIRST_TWO, asked=EVERY, busy=EVERY),
        offer(A, V),
        pool(A, full=FIRST_TWO, hands={A: (V, X)}, asked=EVERY, busy=EVERY),
        (),
    ),
    (
        "it can no more: all run what they wait for",
        pool(A, B, C, full=FIRST_TWO, hands={B: (V, X), A: (U, Y)}, asked=EVERY, busy=EVERY),
        busy(FARTHER, 7, True),
        pool(A, B, C, leases={V: HAND, U: HAND}, **FULL),
        (given(A, U, Y), given(B, V, X)),
    ),
    (
        "a worker was found",
        pool(A, leases={W: ONE}, asked={NEAR: 5}, hands={A: (V, X)}),
        over(W),
        pool(first=1, leases={W: ONE}),
        (given(A, W), cancel(NEAR)),
    ),
    (
        "those on a dead node wait for nothing",
        pool(A, B, asked={NEAR: 5}, hands={A: (U, X), B: (V, X)}),
        LeaseLost(KEY, FAR),
        pool(A, B, asked={NEAR: 5}, hands={B: (V, X)}),
        (),
    ),
]

ROWS = {
    "task ready": TASKS,
    "task over": OVERS,
    "answer": ANSWERS,
    "recalled": RECALLS,
    "lost": LOSSES,
    "nodes": CHANGES,
    "hands": HANDS,
}


@pytest.mark.parametrize(
    ("before", "event", "after", "out"),
    [pytest.param(*case, id=f"{section}: {name}") for section, cases in ROWS.items() for name, *case in cases],
)
def test_a_row(step: Any, before: Pool, event: Any, after: Pool, out: Any) -> None:
    assert step(before, event, cluster(event.party if isinstance(event, LeaseLost) else 0)) == (after, out)


@pytest.mark.rule(id="hand-offered")
def test_a_thread_runs_only_what_its_node_could(step: Any) -> None:
    here = party(member(NEAR, cpus=0.5), member(FAR))
    before = pool(A, asked={FAR: 5}, busy={FAR: 5}, full={FAR: 5})
    assert step(before, offer(A, V), here) == (before, ())
    assert step(before, offer(A, worker_id(FARTHER, 1)), here) == (before, ())
    after = pool(A, leases={U: HAND}, asked={FAR: 5}, busy={FAR: 5}, full={FAR: 5})
    assert step(before, offer(A, U), here) == (after, (given(A, U, X),))


SMALL, DYING = member(NEAR, cpus=0.5), member(FAR, alive=False)
FAILED = (Unschedulable(A, "it asks for CPU=1"), Unschedulable(B, "it asks for CPU=1"))


@pytest.mark.parametrize(
    ("before", "event", "out"),
    [
        (pool(), ready(A), FAILED[:1]),
        (pool(A, first=4), ready(B), FAILED),  # our own node had not been heard of
        (pool(A, B, leases={U: ONE}, asked={FAR: 5}), LeaseLost(KEY, FAR), FAILED),
        (pool(A, B), NodesChanged(KEY), FAILED),
    ],
    ids=["the first", "one more", "the last able node died", "our own node is not able"],
)
def test_no_node_can_run_a_task(step: Any, before: Pool, event: Any, out: Any) -> None:
    assert step(before, event, party(SMALL, DYING)) == (pool(), out)


def test_a_task_is_not_given_up_while_a_worker_is_left_or_our_own_node_unknown(step: Any) -> None:
    left = pool(A, leases={U: ONE})
    assert step(left, NodesChanged(KEY), party(SMALL)) == (left, ())
    assert step(pool(), ready(A), party()) == (pool(A), ())


@pytest.mark.parametrize("event", [busy(NEAR, 5), offer(A, V)], ids=lambda event: type(event).__name__)
def test_nothing_changes(step: Any, event: Any) -> None:
    before = pool(leases={W: ONE})
    assert step(before, event, cluster()) == (before, ())
