"""The office, row by row: in this record, this event gives this record and asks for this."""

from __future__ import annotations

from typing import Any

import pytest
from immutables import Map

from freehold.core.effects import Kill, Send, Spawn
from freehold.core.ids import HEAD, node_id, worker_id
from freehold.core.node import Node
from freehold.core.node_events import Newcomer
from freehold.core.node_messages import (
    BlockedNotice,
    LeaseBusyNotice,
    LeaseCancelNotice,
    LeaseQuery,
    LeaseRecallNotice,
    LeaseReply,
    LeaseReturnNotice,
    ResumedNotice,
)
from freehold.core.office import CLOSED, FULL, OPEN, STARTING, WAITS, LeaseAsk, Loan, Office
from freehold.core.policies import Policy
from freehold.core.task_events import OfficeClosed, OfficeOpened, WorkerGone, WorkerStarted
from freehold.core.values import PoolKey

FAR = node_id(1)
W, V, U, PROGRAM = (worker_id(HEAD, number) for number in range(1, 5))  # ours
OWNER, OTHER = worker_id(FAR, 1), worker_id(node_id(2), 1)
ONE: PoolKey = ((("CPU", 1.0),), 0)
HALF: PoolKey = ((("CPU", 0.5),), 0)
ALL: PoolKey = ((("CPU", 2.0), ("GPU", 1.0)), 0)
SPAWN = Spawn()

Case = tuple[str, Office, Any, Office, Any]


def office(cpus: float, starting: int = 0, *, closed: bool = False, gpus: float = 1.0, **fields: Any) -> Office:
    """Whoever is idle or lent lives and serves; maps are given as dictionaries."""
    loans = fields.get("loans", {})
    workers = fields.pop("workers", {worker: True for worker in (*fields.get("idle", ()), *loans)})
    state = CLOSED if closed else STARTING if starting else OPEN
    fields |= {"loans": Map(loans), "workers": Map(workers)}
    return Office(Map({"CPU": cpus, "GPU": gpus}), state, starting, **fields)


def lent(owner: int = OWNER, pool: PoolKey = ONE, **fields: bool) -> Loan:
    return Loan(owner, pool, **fields)


def ask(owner: int = OWNER, pool: PoolKey = ONE, count: int = 1, told: int = 0) -> LeaseAsk:
    return LeaseAsk(owner, pool, 5, pool[0], count, told)


def query(owner: int = OWNER, pool: PoolKey = ONE, count: int = 1) -> LeaseQuery:
    return LeaseQuery(pool, 5, owner, pool[0], count)


def reply(*workers: int, owner: int = OWNER, pool: PoolKey = ONE) -> Send:
    return Send(owner, LeaseReply(pool, 5, HEAD, workers))


def busy(owner: int = OWNER, pool: PoolKey = ONE, full: bool = False) -> Send:
    return Send(owner, LeaseBusyNotice(pool, 5, HEAD, full))


def recall(worker: int, owner: int = OWNER, pool: PoolKey = ONE) -> Send:
    return Send(owner, LeaseRecallNotice(pool, worker))


BACK: dict[str, Any] = {"recalled": True}
WAITING: dict[str, Any] = {"waits": True}
LINE = (ask(told=WAITS),)
OPENED: list[Case] = [
    ("with workers", office(2), OfficeOpened(2), office(2, 2), (SPAWN, SPAWN)),
    ("with none", office(2), OfficeOpened(0), office(2), ()),
    ("while one is started", office(2, 1), OfficeOpened(1), office(2, 2), (SPAWN,)),
    ("after it was closed", office(2, closed=True), OfficeOpened(1), office(2, closed=True), ()),
    (
        "closed: who has a worker returns it, who waits hears that he waits in vain",
        office(0, idle=(U,), loans={W: lent(), V: lent(**BACK)}, queue=(ask(OTHER), ask(told=FULL)), workers={}),
        OfficeClosed(),
        office(
            0,
            closed=True,
            loans={W: lent(**BACK), V: lent(**BACK)},
            queue=(ask(OTHER, told=WAITS), ask(told=FULL)),
            workers={},
        ),
        (recall(W), recall(V), busy(OTHER)),
    ),
    ("closed while one is started", office(2, 1), OfficeClosed(), office(2, 1, closed=True), ()),
    (
        "closed once more",
        office(1, closed=True, loans={W: lent(**BACK)}),
        OfficeClosed(),
        office(1, closed=True, loans={W: lent(**BACK)}),
        (recall(W),),
    ),
]

QUERIES: list[Case] = [
    ("the warmest worker", office(2, idle=(W, V)), query(), office(1, idle=(W,), loans={V: lent()}), (reply(V),)),
    (
        "as many as there are",
        office(2, idle=(W, V)),
        query(count=3),
        office(0, loans={W: lent(), V: lent()}),
        (reply(V, W),),
    ),
    (
        "as many as there are resources",
        office(2, idle=(W, V), gpus=1),
        query(pool=ALL, count=2),
        office(0, idle=(W,), gpus=0, loans={V: lent(pool=ALL)}),
        (reply(V, pool=ALL),),
    ),
    ("no worker: one is ordered", office(2), query(), office(2, 1, queue=LINE), (busy(), SPAWN)),
    ("no worker: one is on its way", office(2, 1), query(), office(2, 1, queue=LINE), (busy(),)),
    (
        "two wait: one more is ordered",
        office(2, 1, queue=LINE),
        query(OTHER),
        office(2, 2, queue=(*LINE, ask(OTHER, told=WAITS))),
        (busy(OTHER), SPAWN),
    ),
    (
        "no resources: others' workers are asked back, its own and those asked already are not",
        office(0, idle=(U,), loans={W: lent(OTHER), V: lent()}),
        query(),
        office(0, idle=(U,), loans={W: lent(OTHER, **BACK), V: lent()}, queue=LINE),
        (busy(), recall(W, OTHER)),
    ),
    (
        "others' workers were asked back already",
        office(0, loans={W: lent(OTHER, **BACK)}),
        query(),
        office(0, loans={W: lent(OTHER, **BACK)}, queue=LINE),
        (busy(),),
    ),
    (
        "the first asks for more than there is: the second is served",
        office(1, idle=(W,), queue=(ask(OTHER, ALL, told=WAITS),)),
        query(),
        office(0, loans={W: lent(**BACK)}, queue=(ask(OTHER, ALL, told=WAITS),)),
        (reply(W), recall(W)),
    ),
    (
        "it is closed",
        office(2, closed=True, idle=(W,)),
        query(),
        office(2, closed=True, idle=(W,), queue=LINE),
        (busy(),),
    ),
]

HOME = LeaseReturnNotice(W)
RETURNS: list[Case] = [
    ("nobody waits", office(1, idle=(V,), loans={W: lent()}), HOME, office(2, idle=(V, W)), ()),
    ("somebody waits", office(1, loans={W: lent(OTHER)}, queue=LINE), HOME, office(1, loans={W: lent()}), (reply(W),)),
    (
        "its place is enough for two: one is ordered",
        office(0, gpus=0, loans={W: lent(pool=ALL)}, queue=(*LINE, ask(OTHER, told=WAITS))),
        HOME,
        office(1, 1, loans={W: lent(**BACK)}, queue=(ask(OTHER, told=WAITS),)),
        (reply(W), recall(W), SPAWN),
    ),
    ("while one is started", office(1, 1, loans={W: lent()}), HOME, office(2, 1, idle=(W,)), ()),
    (
        "its task waited: the CPUs are back already",
        office(2, gpus=0, loans={W: lent(pool=ALL, **WAITING)}),
        HOME,
        office(2, gpus=1, idle=(W,)),
        (),
    ),
    ("it was not lent", office(2, idle=(V,)), HOME, office(2, idle=(V,)), ()),
    (
        "it is closed",
        office(1, closed=True, loans={W: lent(**BACK)}, queue=LINE),
        HOME,
        office(2, closed=True, idle=(W,), queue=LINE),
        (),
    ),
]

CANCEL = LeaseCancelNotice(ONE, OWNER)
MANY = (ask(OTHER, told=WAITS), *LINE, ask(pool=ALL, told=WAITS))
REST = (ask(OTHER, told=WAITS), ask(pool=ALL, told=WAITS))
CANCELS: list[Case] = [
    ("only its own, of that pool", office(0, queue=MANY), CANCEL, office(0, queue=REST), ()),
    ("while one is started", office(0, 1, queue=LINE), CANCEL, office(0, 1), ()),
    ("it is closed", office(0, closed=True, queue=LINE), CANCEL, office(0, closed=True), ()),
]

BLOCKED, RESUMED = BlockedNotice(W), ResumedNotice(W)
WAITS_: list[Case] = [
    (
        "only its CPUs are lent",
        office(0, gpus=0, loans={W: lent(pool=ALL)}),
        BLOCKED,
        office(2, gpus=0, loans={W: lent(pool=ALL, **WAITING)}),
        (),
    ),
    (
        "for whom a worker must be ordered",
        office(0, loans={W: lent()}, queue=LINE),
        BLOCKED,
        office(1, 1, loans={W: lent(**WAITING)}, queue=LINE),
        (SPAWN,),
    ),
    (
        "while one is started",
        office(0, 1, loans={W: lent()}, queue=LINE),
        BLOCKED,
        office(1, 1, loans={W: lent(**WAITING)}, queue=LINE),
        (),
    ),
    ("it waits already", office(1, loans={W: lent(**WAITING)}), BLOCKED, office(1, loans={W: lent(**WAITING)}), ()),
    ("it is not lent", office(1, idle=(W,)), BLOCKED, office(1, idle=(W,)), ()),
    (
        "it is closed",
        office(0, closed=True, loans={W: lent()}, queue=LINE),
        BLOCKED,
        office(1, closed=True, loans={W: lent(**WAITING)}, queue=LINE),
        (),
    ),
    ("it goes on", office(1, loans={W: lent(**WAITING)}), RESUMED, office(0, loans={W: lent()}), ()),
    (
        "it goes on, and one runs too many: the last that was started is asked back",
        office(0, 1, loans={W: lent(**WAITING), V: lent(OTHER), U: lent(OTHER)}),
        RESUMED,
        office(-1, 1, loans={W: lent(), V: lent(OTHER), U: lent(OTHER, **BACK)}),
        (recall(U, OTHER),),
    ),
    (
        "one that is asked back already, or waits, is not asked; one that is smaller does not do",
        office(-0.5, loans={W: lent(**WAITING), V: lent(pool=HALF), U: lent(OTHER, **BACK), PROGRAM: lent(**WAITING)}),
        RESUMED,
        office(-1.5, loans={W: lent(), V: lent(pool=HALF, **BACK), U: lent(OTHER, **BACK), PROGRAM: lent(**WAITING)}),
        (recall(V, pool=HALF),),
    ),
    ("it did not wait", office(1, loans={W: lent()}), RESUMED, office(1, loans={W: lent()}), ()),
    ("it is not lent any more", office(1, idle=(W,)), RESUMED, office(1, idle=(W,)), ()),
    (
        "it goes on, and all are asked back",
        office(1, closed=True, loans={W: lent(**WAITING, **BACK)}),
        RESUMED,
        office(0, closed=True, loans={W: lent(**BACK)}),
        (),
    ),
]

NEW, HELLO = WorkerStarted(W), Newcomer(W)
STARTS: list[Case] = [
    ("the last that was ordered", office(2, 1), NEW, office(2, idle=(W,)), (HELLO,)),
    ("one of two", office(2, 2, idle=(V,)), NEW, office(2, 1, idle=(V, W)), (HELLO,)),
    ("somebody waits", office(2, 1, queue=LINE), NEW, office(1, loans={W: lent()}), (HELLO, reply(W))),
    ("nobody ordered it", office(2), NEW, office(2, idle=(W,)), (HELLO,)),
    (
        "a user's program runs no tasks",
        office(2, 1),
        WorkerStarted(PROGRAM, False),
        office(2, 1, workers={PROGRAM: False}),
        (Newcomer(PROGRAM),),
    ),
    ("it is closed", office(2, 1, closed=True), NEW, office(2, closed=True, idle=(W,)), (HELLO,)),
]

DEAD = WorkerGone(W)
DEATHS: list[Case] = [
    ("an idle one", office(2, idle=(W, V)), DEAD, office(2, idle=(V,)), ()),
    ("one that is lent: what it occupied is free", office(1, loans={W: lent()}), DEAD, office(2), ()),
    (
        "its task waited: the CPUs are back already",
        office(2, gpus=0, loans={W: lent(pool=ALL, **WAITING)}),
        DEAD,
        office(2, gpus=1),
        (),
    ),
    (
        "somebody waits: one is ordered",
        office(1, loans={W: lent()}, queue=LINE),
        DEAD,
        office(2, 1, queue=LINE),
        (SPAWN,),
    ),
    ("one that was never ready", office(2, 1), DEAD, office(2), ()),
    ("one of two that were never ready", office(2, 2), DEAD, office(2, 1), ()),
    ("one that was never ready and is waited for", office(2, 1, queue=LINE), DEAD, office(2, 1, queue=LINE), (SPAWN,)),
    ("it is closed", office(1, closed=True, loans={W: lent()}), DEAD, office(2, closed=True), ()),
    (
        "an owner elsewhere: its workers are ended, its queries forgotten",
        office(0, loans={W: lent(), V: lent(OTHER)}, queue=(*LINE, ask(OTHER, told=WAITS))),
        WorkerGone(OWNER),
        office(0, loans={W: lent(), V: lent(OTHER)}, queue=(ask(OTHER, told=WAITS),)),
        (Kill(W),),
    ),
    (
        "a node, with the owners on it",
        office(0, loans={W: lent(), V: lent(OTHER)}, queue=LINE),
        WorkerGone(FAR),
        office(0, loans={W: lent(), V: lent(OTHER)}),
        (Kill(W),),
    ),
    (
        "a program of ours, with a worker",
        office(1, loans={W: lent(PROGRAM)}, workers={W: True, PROGRAM: False}),
        WorkerGone(PROGRAM),
        office(1, loans={W: lent(PROGRAM)}),
        (Kill(W),),
    ),
    ("a worker that had leased itself", office(1, loans={W: lent(W)}), DEAD, office(2), ()),
]

ROWS = {
    "opened": OPENED,
    "query": QUERIES,
    "returned": RETURNS,
    "withdrawn": CANCELS,
    "a task waits": WAITS_,
    "started": STARTS,
    "gone": DEATHS,
}


@pytest.mark.parametrize(
    ("before", "event", "after", "out"),
    [pytest.param(*case, id=f"{section}: {name}") for section, cases in ROWS.items() for name, *case in cases],
)
def test_a_row(step: Any, before: Office, event: Any, after: Office, out: Any) -> None:
    assert step(before, event, Node(HEAD, 1000, ())) == (after, out)


def test_no_more_workers_than_the_policy_allows(step: Any) -> None:
    here = Node(HEAD, 1000, (), Policy(workers_max=1))
    running, waiting = {W: lent(OTHER, **BACK)}, {W: lent(OTHER, **WAITING, **BACK)}
    full, told = (ask(told=FULL),), LINE
    assert step(office(1, loans=waiting), query(), here) == (office(1, loans=waiting, queue=full), (busy(full=True),))
    after = office(1, loans=waiting, queue=(*full, ask(OTHER, told=FULL)))
    assert step(office(1, loans=waiting, queue=full), query(OTHER), here) == (after, (busy(OTHER, full=True),))
    assert step(office(0, loans=running), query(), here) == (office(0, loans=running, queue=told), (busy(),))
    after = office(1, loans=waiting, queue=full)  # its owner is told once more
    assert step(office(0, loans=running, queue=told), BLOCKED, here) == (after, (busy(full=True),))
    assert step(office(1, 1), query(), here) == (office(1, 1, queue=told), (busy(),))
