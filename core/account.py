"""Accounts: what one party knows of an object, as facts: who holds it, and if it is awaited, what for.

Pure reads: no record is stepped, nobody is asked.  A whole account is that of all parties put together; what leads
from one to the next are the names in ``Fact.by`` and ``Account.leads``.  This file refuses to know words.
Keep in mind: the references that an account lists are those that the ownership record counts, neither more nor less.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any

from freehold.core.copy import RESERVING as COPY_RESERVING
from freehold.core.copy import Copy
from freehold.core.execution import KEPT, QUEUED, Execution
from freehold.core.facts import Account, Fact, bounded, leads_of
from freehold.core.ids import owner_of
from freehold.core.membership import DEAD
from freehold.core.node import Node
from freehold.core.ownership import ORPHANED, Ownership
from freehold.core.party import Party
from freehold.core.policies import backoff_seconds
from freehold.core.promotion import Promotion
from freehold.core.queries import readable
from freehold.core.request import Request
from freehold.core.resolution import Resolution
from freehold.core.running import Run_, needed_by
from freehold.core.trace import Ring
from freehold.core.values import Failure, Want
from freehold.core.worker import Worker

OBJECTS_MAX = 50  # that one account goes through, one leading to the next
LARGEST_MAX = 5


def account(
    party: Party, ring: Ring, objects: Iterable[int], now: float, pid: int = 0, aside: Container[int] = ()
) -> Account:
    """Return what a party knows of objects, and of what they wait for; for requests that are ``aside`` nobody waits."""
    todo = list(dict.fromkeys(objects))
    facts = list(holders(party, frozenset(todo))) if isinstance(party, Worker) else []
    asker = Asker(party, ring, now, aside)
    facts += asker.chain(todo)
    for object in todo:
        facts += asker.details(object)
    facts += asker.occupation()
    return Account(party.me, pid, now, tuple(bounded(facts)), tuple(todo))


def steps(party: Party, ring: Ring, object: int, now: float) -> Account:
    """Return what a party knows of the way to a value, and nothing that takes longer the more tasks there are."""
    todo = [object]
    return Account(party.me, 0, now, tuple(bounded(Asker(party, ring, now).chain(todo))), tuple(todo))


# ------------------------------------------------------------------ why an object is alive


def holders(worker: Worker, objects: Container[int]) -> Iterator[Fact]:
    """Yield every reference that a process counts for some of the objects, each with what it is part of."""
    me = worker.me
    for object, r in worker.ownership.items():
        if object in objects:
            yield from own_references(worker, r)
        yield from [Fact("container", me, ref, object) for ref in r.refs if ref in objects]
        yield from [Fact("introduction", me, outer, object) for outer in r.covers if outer in objects]
    for task, execution in worker.execution.items():
        name = execution.description.name if execution.description is not None else ""
        for ref in [ref for ref in execution.lent if ref in objects]:
            if execution.state is not KEPT:
                yield Fact("argument", me, ref, task, text=name)
            if execution.kept or execution.due:
                yield Fact("lineage", me, ref, task, text=name)
    for task, run in worker.running.items():
        name, lent = (run.query.description.name, run.query.lent) if run.query is not None else ("", ())
        if run.state.name != "HANDING":  # then what it was lent has been given back
            yield from [Fact("pin", me, ref, task, text=name) for ref in lent if ref in objects]
        yield from [Fact("returning", me, ref, task, text=name) for ref in run.held if ref in objects]
    for outer, value in worker.resolution.items():
        yield from [Fact("outlived", me, ref, outer) for ref in value.refs if value.orphaned and ref in objects]


def own_references(worker: Worker, r: Ownership) -> Iterator[Fact]:
    """Yield what the ownership record says by itself."""
    me, hears = worker.me, worker.members.hears
    if r.local:
        yield Fact("local", me, r.object)
    if r.exported:
        yield Fact("exported", me, r.object)
    for borrower in sorted(r.borrowers):
        yield Fact("borrower", me, r.object, borrower, text="" if hears(borrower) else "dead")
    yield from [Fact("lent", me, r.object, borrower) for borrower in r.lent]
    if r.state is ORPHANED:
        yield Fact("orphaned", me, r.object, owner_of(r.object))


# ------------------------------------------------------------------ why a value is not there


class Asker:
    """Goes through the records of one party, and looks up in its ring since when they are as they are."""

    def __init__(self, party: Party, ring: Ring, now: float, aside: Container[int] = ()) -> None:
        self.aside = aside
        self.party = party
        self.me = party.me
        self.ring = ring
        self.now = now

    def since(self, kind: type, name: Any) -> dict[str, Any]:
        """Return the fields of a fact that say since when a record is in its state."""
        at, exact = self.ring.since(kind, name)
        return {"at": self.now if at is None else at, "exact": exact}

    def chain(self, todo: list[int]) -> Iterator[Fact]:
        """Yield how far this party is with each of some objects; those that these wait for are added to the list."""
        for object in todo:  # grows as it is gone through
            found = list(self.reasons(object))
            yield from found
            leads = dict.fromkeys(lead for fact in found for lead in leads_of(fact))
            todo += [lead for lead in leads if lead not in todo][: OBJECTS_MAX - len(todo)]

    def details(self, object: int) -> Iterator[Fact]:
        """Yield what belongs to an object's state: who waits, who has the workers, whether its owner lives."""
        owner = self.party.members.get(owner_of(object))
        if owner is not None and owner.state is DEAD:
            yield Fact("dead", self.me, object, owner.party)
        if isinstance(self.party, Node):
            yield from self.office(self.party, object)
        elif isinstance(self.party, Worker):
            worker = self.party
            for number, request in worker.requests.items():
                if object in request.objects and number not in self.aside:
                    yield self.call(number, request, object)
            e = worker.execution.get(object)
            if e is not None and e.state is QUEUED:
                yield from self.workers(worker, e)

    def reasons(self, object: int) -> Iterator[Fact]:
        """Yield how far this party is with an object or a task."""
        if isinstance(self.party, Node):
            yield from self.copy(self.party, object)
        elif isinstance(self.party, Worker):
            worker = self.party
            if object in worker.promotion:
                yield from self.value(worker.promotion[object])
            if object in worker.resolution:
                yield from self.resolution(worker.resolution[object])
            if object in worker.execution:
                yield from self.execution(worker, worker.execution[object])
            if object in worker.running:
                yield from self.run(worker, worker.running[object])

    def occupation(self) -> Iterator[Fact]:
        """Yield the task that has a worker's thread, whatever was asked."""
        if isinstance(self.party, Worker):
            for desk in self.party.desk.values():
                for task in desk.stack[-1:]:
                    query = self.party.running[task].query if task in self.party.running else None
                    name = query.description.name if query is not None else ""
                    text = "waits" if task in desk.waiting else "runs"
                    yield Fact("occupied", self.me, task, text=f"{text} {name}", **self.since(Run_, task))

    def call(self, number: int, request: Request, object: int) -> Fact:
        """A thread here waits for the object."""
        count, since = len(request.objects), self.since(Request, number)
        return Fact("call", self.me, object, request.task, count, text=Want(request.want).name.lower(), **since)

    def value(self, r: Promotion) -> Iterator[Fact]:
        """Say where the value is, as the process knows that answers for its placement."""
        since = self.since(Promotion, r.object)
        yield Fact("value", self.me, r.object, nbytes=r.nbytes, others=r.nodes, text=r.state.name, **since)
        match r.state.name:
            case "PENDING":
                yield Fact("of task", self.me, r.object, r.by)
            case "FAILED" if r.failure is not None:
                yield self.failure(r.object, r.failure)
            case "RESERVING":
                yield Fact("reserves", self.me, r.object, self.party.node, nbytes=r.nbytes, **since)
            case "WRITING":
                yield Fact("writes", self.me, r.object, self.party.node, nbytes=r.nbytes, **since)

    def failure(self, object: int, failure: Failure) -> Fact:
        """Say why no get can succeed."""
        return Fact("failed", self.me, object, failure.party, others=(failure.object,), text=failure.cause)

    def resolution(self, r: Resolution) -> Iterator[Fact]:
        """Say how far this process is on its way to the value, or what it has of it."""
        since: dict[str, Any] = self.since(Resolution, r.object)
        match r.state.name:
            case "ASKING":
                yield Fact("asks", self.me, r.object, owner_of(r.object), **since)
            case "PULLING":
                nbytes, others = r.nbytes, r.sources[1:]
                yield Fact("pulls", self.me, r.object, r.sources[0], nbytes=nbytes, others=others, **since)
            case "RETRYING":
                due = since["at"] + backoff_seconds(self.party.policy, r.round - 1)
                yield Fact("retries", self.me, r.object, owner_of(r.object), r.round, due=due, others=r.tried, **since)
            case "FAILED" if r.failure is not None:
                yield self.failure(r.object, r.failure)
            case "LOCAL" | "IDLE":
                yield Fact("hold", self.me, r.object, self.party.node, r.grants, r.nbytes, text=r.state.name)
                if r.views:
                    yield Fact("view", self.me, r.object, count=r.views, nbytes=r.nbytes)

    # -------------------------------------------------------------- tasks

    def execution(self, worker: Worker, e: Execution) -> Iterator[Fact]:
        """Say how far a task is that this process has submitted."""
        since = self.since(Execution, e.task)
        if e.description is None:
            return
        name = e.description.name
        match e.state.name:
            case "RESOLVING":
                awaited = [s.object for s in e.description.slots if s.value is None and not s.nodes and not s.nbytes]
                for object in dict.fromkeys(awaited):
                    yield Fact("awaits", self.me, e.task, object, text=name, **since)
            case "QUEUED":
                pool = worker.pools[e.pool]
                place = next((place for place, task in pool.queue.items() if task == e.task), pool.first)
                yield Fact("queued", self.me, e.task, count=place - pool.first, text=name, **since)
            case "RUNNING":
                yield Fact("sent", self.me, e.task, e.worker, text=name, **since)

    def workers(self, worker: Worker, e: Execution) -> Iterator[Fact]:
        """Say which nodes were asked for workers of a task's pool, and which workers the pool has."""
        pool = worker.pools[e.pool]
        wants = ", ".join(f"{name} {amount:g}" for name, amount in e.pool[0])
        yield Fact("wants", self.me, e.task, count=len(pool.asked), text=wants)
        for node in sorted(pool.asked):
            told = "full" if node in pool.full else "busy" if node in pool.busy else "asked"
            yield Fact("asked", self.me, e.task, node, text=told)
        tasks: dict[int, list[int]] = {at: [] for at in sorted(pool.leases)}
        for task, other in worker.execution.items():
            if other.worker in tasks:
                tasks[other.worker].append(task)
        for at, some in tasks.items():
            yield Fact("leased", self.me, e.task, at, pool.leases[at].tasks, others=tuple(some[:LARGEST_MAX]))

    def run(self, worker: Worker, r: Run_) -> Iterator[Fact]:
        """Say how far a task is that was sent to this worker."""
        if r.query is None:
            return
        name, since, task = r.query.description.name, self.since(Run_, r.task), r.task
        desk = worker.desk.get(0)
        match r.state.name:
            case "FETCHING":
                resolution = worker.resolution
                for object in needed_by(r.query):
                    fetch = resolution.get(object)
                    if fetch is not None and task in fetch.wanted:
                        yield Fact("fetches", self.me, task, object, text=name, **since)
            case "READY":
                before = desk.stack[-1] if desk is not None and desk.stack else 0
                yield Fact("in line", self.me, task, before, text=name, **since)
            case "RUNNING":
                objects = desk.waiting.get(task, ()) if desk is not None else ()
                yield Fact("runs", self.me, task, r.query.caller, text=name, **since)
                for object in dict.fromkeys(objects):
                    if readable(worker, object) is None:
                        yield Fact("blocked", self.me, task, object, text=name)
            case "PLACING":
                for index, outcome in enumerate(r.outcomes):
                    if outcome is None:
                        yield Fact("places", self.me, task, task + index, text=name, **since)
            case other:
                yield Fact("reports", self.me, task, r.query.caller, text=f"{name} {other}", **since)

    # -------------------------------------------------------------- nodes

    def copy(self, node: Node, object: int) -> Iterator[Fact]:
        """Say what this object store has of an object, who holds it, and what it waits for."""
        r = node.copies.get(object)
        if r is None:
            return
        since = self.since(Copy, object)
        yield Fact("copy", self.me, object, r.creator, nbytes=r.nbytes, text=r.state.name, **since)
        yield from [Fact("held", self.me, object, holder, count) for holder, count in sorted(r.holds.items())]
        if r.state.name == "PULLING":
            yield Fact("transfer", self.me, object, r.source, r.arrived, r.nbytes, **since)
        if r.state is COPY_RESERVING:
            yield from self.room(node, object, since)

    def room(self, node: Node, object: int, since: Mapping[str, Any]) -> Iterator[Fact]:
        """Say how full the object store is for which a copy waits, and who fills it."""
        room = node.rooms[0]
        asks = [ask.object for ask in room.queue]
        before = asks.index(object) if object in asks else 0
        wanted = next((ask.nbytes for ask in room.queue if ask.object == object), 0)
        yield Fact("room", self.me, object, count=before, nbytes=wanted, **since)
        yield Fact("store", self.me, object, count=room.capacity, nbytes=sum(room.sizes.values()))
        largest = sorted(room.sizes.items(), key=lambda item: (-item[1], item[0]))[:LARGEST_MAX]
        yield from [Fact("fills", self.me, object, other, nbytes=nbytes) for other, nbytes in largest]

    def office(self, node: Node, task: int) -> Iterator[Fact]:
        """Say who has the workers of this node, if the owner of a task waits for one."""
        office = node.offices[0]
        if not any(ask.owner == owner_of(task) for ask in office.queue):
            return
        free = ", ".join(f"{name} {amount:g}" for name, amount in sorted(office.free.items()) if name[:5] != "node:")
        yield Fact("office", self.me, task, count=len(office.idle), text=free)
        for worker, loan in sorted(office.loans.items()):
            wants = ", ".join(f"{name} {amount:g}" for name, amount in loan.pool[0])
            yield Fact("loan", self.me, task, worker, others=(loan.owner,), text=wants)
