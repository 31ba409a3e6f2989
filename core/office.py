"""The office table: a node's workers and CPUs, and who may use them.

A worker is lent to one owner at a time, with the CPUs and other resources of the owner's tasks.  A worker whose
task waits for objects lends its CPUs to another loan.  When queries wait, workers are asked back.

This file refuses to know what tasks do and where their arguments come from.
"""

from __future__ import annotations

import msgspec
from immutables import Map

from freehold.core.effects import Kill, Send, Spawn
from freehold.core.ids import is_node, node_of
from freehold.core.machine import Here, Out, State, Table, replace
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
from freehold.core.policies import fits
from freehold.core.task_events import OfficeClosed, OfficeOpened, WorkerGone, WorkerStarted
from freehold.core.values import PoolKey, Shape


class Lending(State):
    """What a node is doing about workers."""

    OPEN = "workers are lent as CPUs allow"
    STARTING = "more workers have been ordered", WorkerStarted
    CLOSED = "nothing is lent any more; the node leaves when all workers are back"


OPEN, STARTING, CLOSED = Lending


class Loan(msgspec.Struct, frozen=True, gc=False):
    """One worker that is lent to an owner."""

    owner: int
    pool: PoolKey
    waits: bool = False  # its task waits for objects: its CPU is lent to others
    recalled: bool = False


WAITS, FULL = 1, 2  # a query is in the queue; no more workers can be started for it


class LeaseAsk(msgspec.Struct, frozen=True, gc=False):
    """One query that waits for a worker."""

    owner: int
    pool: PoolKey
    attempt: int
    shape: Shape
    count: int
    told: int = 0  # what its owner knows: WAITS, or FULL


class Office(msgspec.Struct, frozen=True, gc=False):
    """The workers and resources of one node."""

    free: Map[str, float]
    state: Lending = OPEN
    starting: int = 0
    workers: Map[int, bool] = Map()  # all that live -> whether they run tasks
    idle: tuple[int, ...] = ()  # the last to become idle is the first to be lent: it is warm
    loans: Map[int, Loan] = Map()  # worker -> loan
    queue: tuple[LeaseAsk, ...] = ()


TABLE = Table(
    "office",
    Lending,
    (
        OfficeOpened,
        OfficeClosed,
        LeaseQuery,
        LeaseReturnNotice,
        LeaseCancelNotice,
        BlockedNotice,
        ResumedNotice,
        WorkerStarted,
        WorkerGone,
    ),
)


def take(free: Map[str, float], shape: Shape, sign: float = -1.0) -> Map[str, float]:
    """Occupy resources, or (``sign`` 1) give them back."""
    for name, amount in shape:
        free = free.set(name, free.get(name, 0.0) + sign * amount)
    return free


def cpus(shape: Shape) -> Shape:
    """Return the part of a shape that a waiting task lends: its CPUs."""
    return tuple([(name, amount) for name, amount in shape if name == "CPU"])


def lend(r: Office, here: Here) -> tuple[Office, Out]:
    """Serve the queue in order, as far as resources and workers go; order workers and recall loans for the rest."""
    if r.state is CLOSED:
        return turn_away(r, here)
    out: list[object] = []
    waiting: list[LeaseAsk] = []
    short = 0  # queries for which there are resources but no worker
    room = here.policy.workers_max - sum(r.workers.values()) - r.starting
    free = dict(r.free)  # the queue may be long: hundreds of owners wait for each node of a busy cluster
    for ask in r.queue:
        granted: list[int] = []
        able = fits(ask.shape, free)
        while able and len(granted) < ask.count and r.idle:
            worker = r.idle[-1]
            granted.append(worker)
            loans = r.loans.set(worker, Loan(ask.owner, ask.pool))
            r = replace(r, idle=r.idle[:-1], loans=loans, free=take(r.free, ask.shape))
            free = dict(r.free)
            able = fits(ask.shape, free)
        if granted:
            out.append(Send(ask.owner, LeaseReply(ask.pool, ask.attempt, here.me, tuple(granted))))
            continue
        short += able
        told = FULL if able and room <= 0 and not r.starting else WAITS
        if ask.told < told:
            out.append(Send(ask.owner, LeaseBusyNotice(ask.pool, ask.attempt, here.me, told == FULL)))
        waiting.append(ask if told <= ask.told else replace(ask, told=told))
    r, recalls = recall(replace(r, queue=tuple(waiting)), waiting)
    orders = max(0, min(short - r.starting, room))
    starting = r.starting + orders
    r = replace(r, starting=starting, state=STARTING if starting else OPEN)
    return r, (*out, *recalls, *[Spawn()] * orders)


def turn_away(r: Office, here: Here) -> tuple[Office, Out]:
    """Tell whoever asks to try another node."""
    out = [Send(ask.owner, LeaseBusyNotice(ask.pool, ask.attempt, here.me, False)) for ask in r.queue if not ask.told]
    return replace(r, queue=tuple([replace(ask, told=max(WAITS, ask.told)) for ask in r.queue])), tuple(out)


def recall(r: Office, waiting: list[LeaseAsk]) -> tuple[Office, Out]:
    """Ask for every worker back that another pool waits for; its owner decides when it is done with it."""
    claims = {(ask.owner, ask.pool) for ask in waiting}
    out: list[object] = []
    for worker, loan in sorted(r.loans.items()) if claims else ():
        if not loan.recalled and (len(claims) > 1 or (loan.owner, loan.pool) not in claims):
            r = replace(r, loans=r.loans.set(worker, replace(loan, recalled=True)))
            out.append(Send(loan.owner, LeaseRecallNotice(loan.pool, worker)))
    return r, tuple(out)


@TABLE.on(OPEN, STARTING, event=OfficeOpened, to={OPEN: (STARTING,)})
def open_office(r: Office, e: OfficeOpened, here: Here) -> tuple[Office, Out]:
    """Workers are started before they are needed."""
    starting = r.starting + e.workers
    return replace(r, starting=starting, state=STARTING if starting else OPEN), (Spawn(),) * e.workers


@TABLE.on(OPEN, STARTING, CLOSED, event=OfficeClosed, to=(CLOSED,))
def close_office(r: Office, e: OfficeClosed, here: Here) -> tuple[Office, Out]:
    """Tasks that run are not disturbed; no more are taken."""
    r, away = turn_away(replace(r, state=CLOSED, idle=()), here)
    loans = r.loans
    for worker, loan in loans.items():
        r = replace(r, loans=r.loans.set(worker, replace(loan, recalled=True)))
    recalls = [Send(loan.owner, LeaseRecallNotice(loan.pool, worker)) for worker, loan in sorted(loans.items())]
    return r, (*recalls, *away)


TABLE.ignore(CLOSED, event=OfficeOpened, why="it has been closed since")


@TABLE.on(OPEN, STARTING, CLOSED, event=LeaseQuery, to={OPEN: (STARTING,)})
def asked(r: Office, e: LeaseQuery, here: Here) -> tuple[Office, Out]:
    """Lend at once, or queue the query and say so."""
    ask = LeaseAsk(e.owner, e.pool, e.attempt, e.shape, e.count)
    return lend(replace(r, queue=(*r.queue, ask)), here)


@TABLE.on(OPEN, STARTING, CLOSED, event=LeaseReturnNotice, to={OPEN: (STARTING,)})
def returned(r: Office, e: LeaseReturnNotice, here: Here) -> tuple[Office, Out]:
    """A worker is free for others."""
    loan = r.loans.get(e.worker)
    if loan is None:
        return r, ()
    free = take(r.free, cpus_left(loan), 1.0)
    return lend(replace(r, loans=r.loans.delete(e.worker), free=free, idle=(*r.idle, e.worker)), here)


def cpus_left(loan: Loan) -> Shape:
    """Return what a loan still occupies: a waiting task has lent its CPUs already."""
    shape = loan.pool[0]
    return tuple([item for item in shape if item[0] != "CPU"]) if loan.waits else shape


@TABLE.on(OPEN, STARTING, CLOSED, event=LeaseCancelNotice)
def cancelled(r: Office, e: LeaseCancelNotice, here: Here) -> tuple[Office, Out]:
    """Its owner needs no worker any more."""
    queue = tuple([ask for ask in r.queue if (ask.owner, ask.pool) != (e.owner, e.pool)])
    return replace(r, queue=queue), ()


@TABLE.on(OPEN, STARTING, CLOSED, event=BlockedNotice, to={OPEN: (STARTING,)})
def blocked(r: Office, e: BlockedNotice, here: Here) -> tuple[Office, Out]:
    """The CPU of a task that waits serves another."""
    loan = r.loans.get(e.worker)
    if loan is None or loan.waits:
        return r, ()
    loans = r.loans.set(e.worker, replace(loan, waits=True))
    return lend(replace(r, loans=loans, free=take(r.free, cpus(loan.pool[0]), 1.0)), here)


@TABLE.on(OPEN, STARTING, CLOSED, event=ResumedNotice)
def resumed(r: Office, e: ResumedNotice, here: Here) -> tuple[Office, Out]:
    """It goes on at once: for a while more tasks may run than there are CPUs."""
    loan = r.loans.get(e.worker)
    if loan is None or not loan.waits:
        return r, ()
    loans = r.loans.set(e.worker, replace(loan, waits=False))
    return relieve(replace(r, loans=loans, free=take(r.free, cpus(loan.pool[0]))))


def relieve(r: Office) -> tuple[Office, Out]:
    """Ask workers back until no more tasks run than there are CPUs; the last that were started go first."""
    over = -r.free.get("CPU", 0.0)
    out: list[object] = []
    for worker, loan in sorted(r.loans.items(), reverse=True):
        if over <= 0:
            break
        if loan.waits:
            continue
        over -= sum(amount for _, amount in cpus(loan.pool[0]))
        if not loan.recalled:
            r = replace(r, loans=r.loans.set(worker, replace(loan, recalled=True)))
            out.append(Send(loan.owner, LeaseRecallNotice(loan.pool, worker)))
    return r, tuple(out)


@TABLE.on(OPEN, STARTING, CLOSED, event=WorkerStarted, to={STARTING: (OPEN,)})
def worker_started(r: Office, e: WorkerStarted, here: Here) -> tuple[Office, Out]:
    """A worker is told which nodes live, and is free to be lent; a user's program is only told."""
    if not here.hears(e.worker):
        return r, ()  # it has died since, and is not expected any more
    r = replace(r, workers=r.workers.set(e.worker, e.serves))
    if e.serves:
        starting = max(0, r.starting - 1)
        state = STARTING if starting else OPEN
        r = replace(r, starting=starting, state=r.state if r.state is CLOSED else state, idle=(*r.idle, e.worker))
    r, out = lend(r, here)
    return r, (Newcomer(e.worker), *out)


@TABLE.on(OPEN, STARTING, CLOSED, event=WorkerGone, to={OPEN: (STARTING,), STARTING: (OPEN,)})
def worker_gone(r: Office, e: WorkerGone, here: Here) -> tuple[Office, Out]:
    """A dead worker's CPUs come back; workers that a dead owner had leased are ended, for nobody wants their work."""

    def dead(party: int) -> bool:
        return party == e.party or (is_node(e.party) and node_of(party) == e.party)

    kills = [Kill(worker) for worker, loan in sorted(r.loans.items()) if dead(loan.owner) and not dead(worker)]
    r = replace(r, queue=tuple([ask for ask in r.queue if not dead(ask.owner)]))
    if e.party not in r.workers:
        if node_of(e.party) != here.me:
            return r, tuple(kills)
        starting = max(0, r.starting - 1)  # it died before it was ready
        r, out = lend(replace(r, starting=starting), here)
        return r, (*kills, *out)
    loan = r.loans.get(e.party)
    if loan is not None:
        r = replace(r, loans=r.loans.delete(e.party), free=take(r.free, cpus_left(loan), 1.0))
    idle = tuple([worker for worker in r.idle if worker != e.party])
    r, out = lend(replace(r, workers=r.workers.delete(e.party), idle=idle), here)
    return r, (*kills, *out)
