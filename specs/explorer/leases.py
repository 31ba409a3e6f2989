"""A model of leases: owners with tasks, and nodes that lend them workers, over channels that keep their order.

The office and the pool table take every step; tasks wait and end whenever they like, and workers die.  This file
refuses to know how states are searched.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple

from immutables import Map

from freehold.core.effects import Kill, Send, Spawn
from freehold.core.events import Event
from freehold.core.ids import node_id, worker_id
from freehold.core.leasing import LEASING, Pool
from freehold.core.machine import replace
from freehold.core.node_events import Newcomer
from freehold.core.node_messages import BlockedNotice, ResumedNotice
from freehold.core.office import STARTING, Office, cpus_left, take
from freehold.core.policies import DEFAULT, fits
from freehold.core.task_events import LeaseLost, TaskAssigned, TaskOver, TaskReady, WorkerGone, WorkerStarted
from freehold.specs.explorer.plain import put, spent

CPU = (("CPU", 1.0),)
KEY = (CPU, 0)
PROGRAMS = 100  # workers of the head node that own tasks have numbers from here on
QUICK, SLOW = 0.0, 1.0
TASK, ATTEMPT = 1 << 40, 1 << 20  # names, which count nothing; attempts have those from there on


class Work(NamedTuple):
    """What a worker has to do."""

    owner: int
    tasks: int = 0
    waits: bool = False  # the task that runs waits for objects


class Leased(NamedTuple):
    """The records of nodes and owners, and all that is on its way."""

    offices: tuple[Office, ...]
    pools: tuple[Pool, ...]
    ways: tuple[tuple[tuple[int, int], tuple[Any, ...]], ...] = ()  # (from, to) -> messages, sorted
    ordered: tuple[int, ...] = ()  # of each node: workers that are to come
    names: tuple[int, ...] = ()  # of each node: the last worker's number
    work: tuple[tuple[int, Work], ...] = ()  # worker -> what it has to do, sorted
    minted: tuple[int, ...] = ()  # of each owner
    open: tuple[int, ...] = ()  # of each owner: tasks that are not over
    left: tuple[int, int, int] = (0, 0, 0)  # tasks, waits and deaths to come
    said: str = ""  # what went wrong in the last step


class Leases:
    """Owners that come to have tasks, and nodes with workers for some of them at a time.

    Args:
        owners: how many; each has tasks of one kind.
        cpus: of each node; a task takes one.
        tasks: that are submitted in all.
        waits: how often tasks wait for objects.
        deaths: of workers.
        workers_max: of a node.
    """

    def __init__(
        self, owners: int, cpus: tuple[int, ...], tasks: int, waits: int = 0, deaths: int = 0, workers_max: int = 2
    ) -> None:
        self.nodes = [(node_id(index), (("CPU", float(count)),)) for index, count in enumerate(cpus)]
        self.owners = [worker_id(self.nodes[0][0], PROGRAMS + index) for index in range(owners)]
        self.policy = replace(DEFAULT, workers_max=workers_max, queue_max=2)
        self.left = (tasks, waits, deaths)

    def first(self) -> Leased:
        """Nobody has a task, and there are no workers."""
        offices = tuple([Office(Map(shape)) for _, shape in self.nodes])
        pools = tuple([Pool(KEY) for _ in self.owners])
        none, minted = (0,) * len(offices), (ATTEMPT,) * len(pools)
        return Leased(offices, pools, ordered=none, names=none, minted=minted, open=(0,) * len(pools), left=self.left)

    def moves(self, state: Leased) -> Iterator[tuple[str, Leased]]:
        """A message comes, a worker starts or dies, and tasks are submitted, wait, go on, and end."""
        for (source, target), (event, *rest) in state.ways:
            ways = {**dict(state.ways), (source, target): tuple(rest)}
            after = state._replace(ways=tuple(sorted([way for way in ways.items() if way[1]], key=str)))
            yield f"{type(event).__name__} comes to {target}", self.told(after, target, event)
        for index, (node, _) in enumerate(self.nodes):
            if state.ordered[index]:
                name = state.names[index] + 1
                comes = state._replace(
                    ordered=put(state.ordered, index, state.ordered[index] - 1), names=put(state.names, index, name)
                )
                worker = worker_id(node, name)
                started = WorkerStarted(worker)
                yield f"{worker} starts", self.told(self.worked(comes, worker, Work(0)), node, started)
        if state.left[0]:
            for owner in self.owners:
                ready = TaskReady(KEY, TASK)
                yield f"{owner} has a task", self.told(spent(state, 0), owner, ready)
        for worker, work in state.work:
            yield from self.works(state, worker, work)

    def works(self, state: Leased, worker: int, work: Work) -> Iterator[tuple[str, Leased]]:
        """What a worker may do."""
        node = self.node_of(worker)
        if work.waits:
            yield (
                f"{worker} goes on",
                self.sent(self.worked(state, worker, work._replace(waits=False)), worker, node, ResumedNotice(worker)),
            )
        elif work.tasks:
            for seconds in (QUICK, SLOW):
                done = self.worked(state, worker, work._replace(tasks=work.tasks - 1))
                yield f"{worker} ends a task", self.told(done, work.owner, TaskOver(KEY, worker, seconds))
            if state.left[1]:
                waits = self.worked(spent(state, 1), worker, work._replace(waits=True))
                yield f"{worker} waits", self.sent(waits, worker, node, BlockedNotice(worker))
        if state.left[2]:
            yield f"{worker} dies", self.dies(spent(state, 2), worker)

    def dies(self, state: Leased, worker: int) -> Leased:
        """A worker dies: its node hears of it, and tells the owners; what it has sent may come before."""
        gone = state._replace(work=tuple([item for item in state.work if item[0] != worker]))
        return self.sent(gone, worker, self.node_of(worker), WorkerGone(worker))

    # ------------------------------------------------------------------ a step of a table, and what comes of it

    def node_of(self, worker: int) -> int:
        """Return the node on which a worker lives."""
        return next(node for node, _ in reversed(self.nodes) if node <= worker)

    def sent(self, state: Leased, source: int, target: int, event: Any) -> Leased:
        """Put a message behind those of its pair."""
        ways = dict(state.ways)
        ways[source, target] = (*ways.get((source, target), ()), event)
        return state._replace(ways=tuple(sorted(ways.items(), key=str)))

    def worked(self, state: Leased, worker: int, work: Work) -> Leased:
        """Note what a worker has to do."""
        return state._replace(work=tuple(sorted({**dict(state.work), worker: work}.items())))

    def told(self, state: Leased, party: int, event: Event) -> Leased:
        """Tell a node, or an owner, something."""
        if party in self.owners:
            index, minted = self.owners.index(party), state.minted[self.owners.index(party)]
            record: Any = state.pools[index]
            still = state.open[index] + (isinstance(event, TaskReady) - isinstance(event, TaskOver))
            if isinstance(event, LeaseLost) and event.party in record.leases:
                still -= record.leases[event.party].tasks  # they are submitted anew, or are not
            here = self.here(party, minted)
            after, out = record.state.rows[type(event)](record, event, here)
            state = state._replace(
                pools=put(state.pools, index, after),
                minted=put(state.minted, index, here.minted),
                open=put(state.open, index, still),
            )
        else:
            index = [node for node, _ in self.nodes].index(party)
            record = state.offices[index]
            after, out = record.state.rows[type(event)](record, event, self.here(party, 0))
            state = state._replace(offices=put(state.offices, index, after))
            if isinstance(event, WorkerGone):
                for owner in self.owners:
                    state = self.sent(state, party, owner, LeaseLost(KEY, event.party))
        for wish in out:
            state = self.perform(state, party, wish)
        return state

    def here(self, me: int, minted: int) -> Any:
        """Return what a row may know."""
        here = SimpleNamespace(
            me=me,
            node=self.node_of(me),
            nodes=tuple(self.nodes),
            policy=self.policy,
            hears=lambda party: True,
            counter=0,
            minted=minted,
        )

        def mint() -> int:
            here.minted += 1
            return int(here.minted)

        here.mint = mint
        return here

    def perform(self, state: Leased, me: int, wish: Any) -> Leased:
        """Do what a table asks for."""
        match wish:
            case Send(target, message):
                return self.sent(state, me, target, message)
            case Spawn():
                index = [node for node, _ in self.nodes].index(me)
                return state._replace(ordered=put(state.ordered, index, state.ordered[index] + 1))
            case TaskAssigned(_, worker):
                work = dict(state.work).get(worker)
                if work is None:  # it has died, and its owner is yet to hear
                    return state
                if work.tasks and work.owner != me:
                    return state._replace(said=f"{me} has a task for {worker}, which works for {work.owner}")
                return self.worked(state, worker, work._replace(owner=me, tasks=work.tasks + 1))
            case Newcomer():
                return state
            case Kill(worker):
                return state._replace(said=f"{worker} is to be ended")
        raise TypeError(f"a table asks for {wish}")

    # ------------------------------------------------------------------ what must hold

    def wrong(self, state: Leased) -> str:
        """Return what is wrong."""
        return state.said or next(self.wrong_in(state), "")

    def wrong_in(self, state: Leased) -> Iterator[str]:
        """Yield what is wrong with the books, and if nothing is on its way with who waits."""
        for index, office in enumerate(state.offices):
            loans = {*office.loans}
            few = len(office.workers) + office.starting <= self.policy.workers_max
            if (
                office.starting != state.ordered[index]
                or (office.state is STARTING) != (office.starting > 0)
                or not few
            ):
                yield f"{office} has ordered {state.ordered[index]} workers"
            if loans & {*office.idle} or loans | {*office.idle} != {*office.workers}:
                yield f"{office} has workers that are neither idle nor lent, or both"
            free = Map(self.nodes[index][1])
            for loan in office.loans.values():
                free = take(free, cpus_left(loan))
            if free != office.free:
                yield f"{office} has {free} free"
        for pool, still in zip(state.pools, state.open, strict=True):
            running = sum([lease.tasks for lease in pool.leases.values()])
            if len(pool.queue) != pool.last - pool.first or len(pool.queue) + running != still:
                yield f"{pool} has {still} tasks"
        if not state.ways:
            yield from self.wrong_at_rest(state)

    def wrong_at_rest(self, state: Leased) -> Iterator[str]:
        """Yield what is wrong while nothing is on its way: tasks may run, and workers start."""
        pools = [*zip(self.owners, state.pools, strict=True)]
        leases = {(worker, owner) for owner, pool in pools for worker in pool.leases}
        loans = {(worker, loan.owner) for office in state.offices for worker, loan in office.loans.items()}
        if leases != loans:
            yield f"{leases} are leased, and {loans} lent"
        for owner, pool in pools:
            offices = zip(self.nodes, state.offices, strict=True)
            asked = {node for (node, _), office in offices for ask in office.queue if ask.owner == owner}
            if asked != {*pool.asked} or (pool.state is LEASING) != (pool.first < pool.last):
                yield f"{pool} is in the queues of {asked}"
            if pool.first < pool.last and len(asked) < len(self.nodes):
                yield f"{pool} waits, and has asked {asked} only"
            for worker, lease in pool.leases.items():
                if lease.tasks != dict(state.work)[worker].tasks:
                    yield f"{worker} has {dict(state.work)[worker]}, by {lease}"
        for office in state.offices:
            busy = {worker for worker, work in state.work if work.tasks}
            idle = {*office.loans} - busy
            if any(loan.waits != dict(state.work)[worker].waits for worker, loan in office.loans.items()):
                yield f"{office} does not know who waits of {state.work}"
            if office.queue and idle:
                yield f"{office} has lent {idle}, who do nothing, while others wait"
            able = any(fits(ask.shape, dict(office.free)) for ask in office.queue)
            if able and not office.starting and (office.idle or len(office.workers) < self.policy.workers_max):
                yield f"{office} has a worker for one who waits, or could start one"
