"""The leasing table, at an owner: workers for its tasks.

A *pool* serves the tasks of one shape and preferred node.  It keeps the workers it was leased, reuses them, and
gives one back when its node asks.  A free worker is always used before a busy one is given a second task, and
only a worker whose last task was quick is given a second at all.

This file refuses to know what tasks do and where their arguments come from.
"""

from __future__ import annotations

import msgspec
from immutables import Map

from freehold.core.effects import Send
from freehold.core.ids import node_of
from freehold.core.machine import Here, Out, State, Table, replace
from freehold.core.node_messages import (
    LeaseBusyNotice,
    LeaseCancelNotice,
    LeaseQuery,
    LeaseRecallNotice,
    LeaseReply,
    LeaseReturnNotice,
)
from freehold.core.policies import fits, nodes_by_preference
from freehold.core.task_events import (
    HandOffered,
    LeaseLost,
    NodesChanged,
    TaskAssigned,
    TaskOver,
    TaskReady,
    Unschedulable,
)
from freehold.core.values import PoolKey


class Leasing(State):
    """What a pool is doing about workers."""

    SERVED = "every task of the pool has a worker"
    LEASING = "tasks wait; nodes have been asked for workers", LeaseReply, LeaseBusyNotice


SERVED, LEASING = Leasing


class Lease(msgspec.Struct, frozen=True, gc=False):
    """One worker that is ours for a while."""

    tasks: int = 0  # how many of ours it has
    quick: bool = False  # its last task took little time
    recalled: bool = False  # its node wants it back
    lent: bool = True  # by its node; else it only waits for a task of ours, and runs that


class Pool(msgspec.Struct, frozen=True, gc=False):
    """The tasks of one owner that may share workers, and those workers."""

    key: PoolKey
    state: Leasing = SERVED
    queue: Map[int, int] = Map()  # place in the queue -> task; places are consecutive
    first: int = 0
    last: int = 0  # one past the last place
    leases: Map[int, Lease] = Map()  # worker -> lease
    asked: Map[int, int] = Map()  # node -> attempt of the open query
    busy: Map[int, int] = Map()  # nodes among them that have no worker for us now
    full: Map[int, int] = Map()  # nodes among them that can start no more workers
    hands: Map[int, tuple[int, int]] = Map()  # tasks in the queue -> whose thread waits for it, and for which object


TABLE = Table(
    "pool",
    Leasing,
    (TaskReady, TaskOver, LeaseReply, LeaseBusyNotice, LeaseRecallNotice, LeaseLost, NodesChanged, HandOffered),
)


def choose(leases: Map[int, Lease], tasks_max: int) -> int:
    """Return the worker for the next task: a free one, else the least loaded quick one, else 0."""
    best, fewest = 0, tasks_max
    for worker, lease in leases.items():
        if lease.recalled or (lease.tasks and not lease.quick):
            continue
        if lease.tasks < fewest or (lease.tasks == fewest and worker < best):
            best, fewest = worker, lease.tasks
    return best


def dispatch(r: Pool, here: Here) -> tuple[Pool, Out]:
    """Give tasks to workers as long as there are both, then see about more workers."""
    out: list[object] = []
    while r.first < r.last and (worker := choose(r.leases, here.policy.queue_max)):
        task = r.queue[r.first]
        r, assigned = assign(replace(r, queue=r.queue.delete(r.first), first=r.first + 1), task, worker)
        out += assigned
    r, asked = seek(r, here)
    return r, (*out, *asked)


def assign(r: Pool, task: int, worker: int) -> tuple[Pool, Out]:
    """Give a task to a worker."""
    lease = r.leases[worker]
    leases = r.leases.set(worker, replace(lease, tasks=lease.tasks + 1))
    return replace(r, leases=leases), (TaskAssigned(task, worker, r.key),)


def seek(r: Pool, here: Here) -> tuple[Pool, Out]:
    """Ask one more node for workers if tasks wait and all nodes asked so far are busy."""
    shape, prefer = r.key
    if r.first == r.last:
        if r.state is SERVED:
            return r, ()
        cancels = tuple([Send(node, LeaseCancelNotice(r.key, here.me)) for node in sorted(r.asked)])
        return replace(r, state=SERVED, asked=Map(), busy=Map(), full=Map(), hands=Map()), cancels
    r = replace(r, state=LEASING)
    if len(r.asked) > len(r.busy):
        return r, ()
    others = [(node, resources) for node, resources in here.nodes if node not in r.asked]
    able = tuple([node for node, resources in others if fits(shape, dict(resources))])
    if able:
        node = nodes_by_preference(prefer, here.node, able)[0]
        attempt = here.mint()
        query = LeaseQuery(r.key, attempt, here.me, shape, r.last - r.first)
        return replace(r, asked=r.asked.set(node, attempt)), (Send(node, query),)
    if not r.asked:
        return reject(r, here)
    return lend_hands(r) if r.hands and len(r.full) == len(r.asked) else (r, ())


def reject(r: Pool, here: Here) -> tuple[Pool, Out]:
    """No node can ever run these tasks; unless workers that we have still can."""
    knows_all = any(node == here.node for node, _ in here.nodes)  # a newcomer hears of its own node last
    if r.leases or not knows_all:
        return r, ()
    wanted = ", ".join(f"{name}={amount:g}" for name, amount in r.key[0])
    out = [Unschedulable(r.queue[place], f"it asks for {wanted}") for place in range(r.first, r.last)]
    return replace(r, state=SERVED, queue=Map(), first=0, last=0), tuple(out)


@TABLE.on(SERVED, LEASING, event=TaskReady, to=(SERVED, LEASING))
def enqueue(r: Pool, e: TaskReady, here: Here) -> tuple[Pool, Out]:
    """First come, first served; a task that comes back goes first."""
    if r.state is SERVED and (worker := choose(r.leases, here.policy.queue_max)):
        return assign(r, e.task, worker)
    if e.front:
        r = replace(r, first=r.first - 1, queue=r.queue.set(r.first - 1, e.task))
    else:
        r = replace(r, last=r.last + 1, queue=r.queue.set(r.last, e.task))
    return dispatch(r, here)


@TABLE.on(SERVED, LEASING, event=TaskOver, to={LEASING: (SERVED,)})
def task_over(r: Pool, e: TaskOver, here: Here) -> tuple[Pool, Out]:
    """A free worker takes the next task, or goes home if it was recalled."""
    lease = r.leases.get(e.worker)
    if lease is None:
        return r, ()
    quick = 0.0 <= e.seconds < here.policy.quick_seconds  # one that handed a task back is not
    lease = replace(lease, tasks=lease.tasks - 1, quick=quick)
    if lease.recalled and not lease.tasks:
        r, out = dispatch(replace(r, leases=r.leases.delete(e.worker)), here)
        return r, (Send(node_of(e.worker), LeaseReturnNotice(e.worker)), *out) if lease.lent else out
    return dispatch(replace(r, leases=r.leases.set(e.worker, lease)), here)


@TABLE.on(LEASING, event=LeaseReply, to=(SERVED, LEASING))
def leased(r: Pool, e: LeaseReply, here: Here) -> tuple[Pool, Out]:
    """Workers came."""
    if r.asked.get(e.node) != e.attempt:
        return unneeded(r, e, here)
    leases = r.leases
    for worker in e.workers:
        leases = leases.set(worker, replace(leases.get(worker, Lease()), recalled=False, lent=True))
    busy = r.busy.delete(e.node) if e.node in r.busy else r.busy
    full = r.full.delete(e.node) if e.node in r.full else r.full
    return dispatch(replace(r, leases=leases, asked=r.asked.delete(e.node), busy=busy, full=full), here)


@TABLE.on(SERVED, event=LeaseReply)
def unneeded(r: Pool, e: LeaseReply, here: Here) -> tuple[Pool, Out]:
    """The tasks for which they were asked have found others."""
    return r, tuple([Send(e.node, LeaseReturnNotice(worker)) for worker in e.workers])


@TABLE.on(LEASING, event=LeaseBusyNotice)
def try_elsewhere(r: Pool, e: LeaseBusyNotice, here: Here) -> tuple[Pool, Out]:
    """The query stays in that node's queue; meanwhile another is asked."""
    if r.asked.get(e.node) != e.attempt:
        return r, ()
    full = r.full.set(e.node, e.attempt) if e.full else r.full
    return seek(replace(r, busy=r.busy.set(e.node, e.attempt), full=full), here)


TABLE.ignore(SERVED, event=LeaseBusyNotice, why="no task waits any more")


@TABLE.on(SERVED, LEASING, event=LeaseRecallNotice)
def recalled(r: Pool, e: LeaseRecallNotice, here: Here) -> tuple[Pool, Out]:
    """Others wait for the worker: it goes home when it has nothing of ours to do."""
    lease = r.leases.get(e.worker)
    if lease is None:
        return r, ()
    if lease.tasks:
        return replace(r, leases=r.leases.set(e.worker, replace(lease, recalled=True))), ()
    r, out = seek(replace(r, leases=r.leases.delete(e.worker)), here)
    return r, (Send(node_of(e.worker), LeaseReturnNotice(e.worker)), *out)


@TABLE.on(SERVED, LEASING, event=LeaseLost, to={LEASING: (SERVED,)})
def lost(r: Pool, e: LeaseLost, here: Here) -> tuple[Pool, Out]:
    """The dead neither work nor lend."""
    leases, asked, busy = r.leases, r.asked, r.busy
    for worker in leases:
        if e.party in (worker, node_of(worker)):
            leases = leases.delete(worker)
    if e.party in asked:
        asked = asked.delete(e.party)
        busy = busy.delete(e.party) if e.party in busy else busy
    full = r.full.delete(e.party) if e.party in r.full else r.full
    hands = r.hands
    for task, (worker, _) in hands.items():
        hands = hands.delete(task) if e.party in (worker, node_of(worker)) else hands
    return dispatch(replace(r, leases=leases, asked=asked, busy=busy, full=full, hands=hands), here)


@TABLE.on(SERVED, LEASING, event=NodesChanged, to={LEASING: (SERVED,)})
def nodes_changed(r: Pool, e: NodesChanged, here: Here) -> tuple[Pool, Out]:
    """A new node may have workers for tasks that wait; the last able one may have gone."""
    return seek(r, here)


@TABLE.on(LEASING, event=HandOffered)
def note_hand(r: Pool, e: HandOffered, here: Here) -> tuple[Pool, Out]:
    """A thread that waits for the task may run it, if nobody else will, and if its node could."""
    if not any(node == node_of(e.worker) and fits(r.key[0], dict(resources)) for node, resources in here.nodes):
        return r, ()
    return seek(replace(r, hands=r.hands.set(e.task, (e.worker, e.object))), here)


TABLE.ignore(SERVED, event=HandOffered, why="it has a worker already")


def lend_hands(r: Pool) -> tuple[Pool, Out]:
    """No node has a worker left: those that wait for tasks of ours run them, each on the stack of what waits.

    A task so given stays in the queue; when its place comes it is found to be running already.
    """
    leases = r.leases
    for worker, _ in r.hands.values():
        mine = leases.get(worker, Lease(recalled=True, lent=False))  # recalled, so that it serves for this one task
        leases = leases.set(worker, replace(mine, tasks=mine.tasks + 1))
    given = tuple([TaskAssigned(task, worker, r.key, object) for task, (worker, object) in sorted(r.hands.items())])
    return replace(r, leases=leases, hands=Map()), given
