"""What must be true of the records of one process, between any two events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from freehold.core.account import holders
from freehold.core.execution import KEPT, QUEUED, RESOLVING, RUNNING
from freehold.core.facts import REFERENCES, bounded
from freehold.core.ids import object_name, owner_of, party_name
from freehold.core.ownership import INTRODUCING, LINGERING, OWNED, REGISTERED, is_held
from freehold.core.policies import fits
from freehold.core.promotion import FAILED, INLINE, PENDING, PLACED, RELEASED, RESERVING, WRITING, Promotion
from freehold.core.resolution import ASKING, CACHED, IDLE, LOCAL, PULLING, RETRYING, SEEN, Resolution
from freehold.core.resolution import FAILED as IN_VAIN
from freehold.core.resolution import WAITING as AWAITED
from freehold.core.running import FETCHING, PLACING, READY
from freehold.core.running import RUNNING as UNDER_WAY
from freehold.core.worker import Worker
from freehold.specs.records.check import of

ASKS = (ASKING, RETRYING)
KEPT_VALUES = (INLINE, PLACED, RELEASED, FAILED, PENDING)
RESTS = (PENDING, RESERVING, WRITING, PLACED)  # values in these states, if only tasks that may run again need them
FOR_SOMEBODY = (FETCHING, READY, UNDER_WAY, PLACING)  # runs in these states; a caller's death is noted


@of(Worker)
def counts_agree(worker: Worker) -> Iterator[str]:
    """Every count of references is the number of what it counts."""
    arguments, lineage, pins, containers = kinds(worker)
    for object, r in worker.ownership.items():
        said = (r.arguments, r.lineage, r.pins, r.containers)
        true = (arguments[object], lineage[object], pins[object], containers[object])
        if said != true:
            yield f"counts {said} for {object_name(object)}, but there are {true}"


def kinds(worker: Worker) -> tuple[Counter[int], Counter[int], Counter[int], Counter[int]]:
    """Return how often each object is an argument, of a task that may run again, pinned, and contained."""
    arguments: Counter[int] = Counter()
    lineage: Counter[int] = Counter()
    pins: Counter[int] = Counter()
    containers: Counter[int] = Counter()
    for task in worker.execution.values():
        arguments.update(task.lent if task.state is not KEPT else ())
        lineage.update(task.lent if task.state is KEPT or task.due else ())
    for run in worker.running.values():
        if run.query is not None:
            pins.update(run.query.lent if run.state.name != "HANDING" else ())
            pins.update(run.held)
    for value in worker.resolution.values():
        pins.update(value.refs if value.orphaned else ())
    for r in worker.ownership.values():
        pins.update(r.covers)
        containers.update(r.refs)
    return arguments, lineage, pins, containers


@of(Worker)
def records_are_needed(worker: Worker) -> Iterator[str]:
    """Whoever answers for an object has a reason to, and whoever holds one holds it."""
    for o in worker.ownership.values():
        held = is_held(o)
        owned, lingers = held or bool(o.borrowers or o.lineage), bool(o.lent) and not held
        if not (owned if o.state is OWNED else lingers if o.state is LINGERING else held or o.state is INTRODUCING):
            yield f"keeps for nothing {o}"


@of(Worker)
def counts_are_natural(worker: Worker) -> Iterator[str]:
    """No count is below zero."""
    for r in worker.ownership.values():
        if min(r.arguments, r.containers, r.pins, r.lineage) < 0:
            yield f"counts below zero in {r}"
    for value in worker.resolution.values():
        if min(value.grants, value.views, value.round) < 0:
            yield f"counts below zero in {value}"


@of(Worker)
def accounts_agree(worker: Worker) -> Iterator[str]:
    """The references that an account lists are, kind by kind, those that the ownership record counts."""
    listed: Counter[tuple[int, str]] = Counter()
    for fact in bounded(holders(worker, worker.ownership)):
        if fact.kind in REFERENCES:
            listed[fact.object, REFERENCES[fact.kind]] += fact.count
    for object, r in worker.ownership.items():
        for field in sorted(set(REFERENCES.values())):
            counted = getattr(r, field)
            counted = len(counted) if field == "borrowers" else int(counted)
            if counted != listed[object, field]:
                yield f"counts {counted} {field} of {object_name(object)}, but an account lists {listed[object, field]}"


@of(Worker)
def placeholders_are_true(worker: Worker) -> Iterator[str]:
    """What stands in the place of a value at its owner names a location, or the value is to be computed."""
    for r in worker.promotion.values():
        if r.state is PLACED and not r.nodes:
            yield f"has a placeholder without a location: {r}"


@of(Worker)
def values_are_owned(worker: Worker) -> Iterator[str]:
    """A value, or what stands in its place, is kept no longer than its owner has the object's record."""
    for r in worker.promotion.values():
        o = worker.ownership.get(r.object)
        if r.state in KEPT_VALUES and (o is None or o.state is not OWNED):
            yield f"keeps {r}, but {o}"


@of(Worker, calm=True)
def owners_have_values(worker: Worker) -> Iterator[str]:
    """An owner has the value of what is held, or what stands in its place.

    Who was given up, and does not know it yet, may hand on what was released behind its back.
    """
    for owned in worker.ownership.values():
        if owned.state is OWNED and owned.object not in worker.promotion:
            yield f"has no value for {owned}"


@of(Worker)
def small_values_travel(worker: Worker) -> Iterator[str]:
    """What is kept in an in-process store, but by who is still placing it, is not larger than the policy says."""
    mine = [(r.object, r.payload) for r in worker.promotion.values() if r.state is INLINE]
    for object, payload in (*mine, *[(r.object, r.payload) for r in worker.resolution.values()]):
        if payload is not None and payload.nbytes > worker.policy.inline_bytes_max:
            yield f"keeps {payload.nbytes} B of {object_name(object)} in its process"


@of(Worker)
def introductions_are_covered(worker: Worker) -> Iterator[str]:
    """Who introduces itself keeps the value in which it has found the reference, and nobody else does."""
    for r in worker.ownership.values():
        if (r.state is INTRODUCING) is not bool(r.covers):
            yield f"keeps {r.covers} for {r}"


@of(Worker)
def wants_are_open(worker: Worker) -> Iterator[str]:
    """Whoever a value is wanted for still waits for it."""
    values: list[Promotion | Resolution] = [*worker.promotion.values(), *worker.resolution.values()]
    for r in values:
        for by in r.wanted:
            if not waits_for(worker, by, r.object):
                yield f"wants {object_name(r.object)} for {by}, which does not wait for it"


def waits_for(worker: Worker, by: int, object: int) -> bool:
    """Tell whether a call or a task of this process waits for an object."""
    call, task, run = worker.requests.get(by), worker.execution.get(by), worker.running.get(by)
    if call is not None:
        return object in call.objects
    if task is not None and task.state is RESOLVING and task.description is not None:
        return object in [slot.object for slot in task.description.slots]
    return run is not None and run.query is not None and run.state.name == "FETCHING"


@of(Worker)
def copies_agree(worker: Worker) -> Iterator[str]:
    """A hold is where a copy can be read, a location where one is known, and who waits has an owner to hear from."""
    for r in worker.resolution.values():
        waits, near = r.state in AWAITED, r.state in (LOCAL, IDLE)
        if bool(r.wanted) is not waits:
            yield f"waits for nobody, or keeps somebody waiting, in {r}"
        if near is not bool(r.grants):
            yield f"has {r.grants} holds in {r}"
        if (r.state is IDLE) is not (near and r.unused and not r.views):
            yield f"uses a copy that is given back when its node asks for it, or keeps one that it does not use: {r}"
        if (r.state is CACHED and r.payload is None) or (r.state is IN_VAIN and r.failure is None):
            yield f"has neither a value nor a reason in {r}"
        if r.state is SEEN and not r.nbytes:
            yield f"has seen nothing in {r}"
        if r.state is PULLING and not r.sources:
            yield f"knows no location in {r}"
        if (waits or r.state is SEEN) and not worker.hears(owner_of(r.object)):
            yield f"waits for somebody dead in {r}"


@of(Worker)
def copies_are_used(worker: Worker) -> Iterator[str]:
    """Nothing is kept of a value to which no reference is left, but for what is viewed, or kept in case."""
    for r in worker.resolution.values():
        o = worker.ownership.get(r.object)
        if not r.unused and (o is None or not is_held(o)):
            yield f"uses {r}, but has {o}"


@of(Worker)
def own_questions_are_open(worker: Worker) -> Iterator[str]:
    """Who asks itself where a copy of its own object is will be answered; nobody else is to be."""
    asks = {
        r.object: r.attempt for r in worker.resolution.values() if r.state in ASKS and owner_of(r.object) == worker.me
    }
    kept = {r.object: r.askers[worker.me][0] for r in worker.promotion.values() if worker.me in r.askers}
    if asks != kept:
        yield f"asks itself {asks}, and is to answer itself {kept}"


@of(Worker)
def lineage_agrees(worker: Worker) -> Iterator[str]:
    """The descriptions that are kept are in the ledger, and of use: each can compute something again that is needed."""
    again = [task for task in worker.execution.values() if task.kept or task.due]
    entered = {task for ledger in worker.ledger.values() for task in ledger.tasks}
    if entered != {task.task for task in again}:
        yield f"has {entered} in its ledger, and {again}"
    for task in again:
        yield from [f"could compute in vain with {task}" for object in task.kept if object not in worker.promotion]


@of(Worker)
def the_dead_wait_no_more(worker: Worker) -> Iterator[str]:
    """The dead neither ask for locations, nor wait for tasks, nor are they to be answered; nothing begins for them."""
    for r in worker.promotion.values():
        yield from [f"would answer the dead in {r}" for asker in r.askers if not worker.hears(asker)]
    for task in worker.execution.values():
        yield from [f"offers a task to the dead in {task}" for waiter in task.waiters if not worker.hears(waiter)]
    for run in worker.running.values():
        if run.state in FOR_SOMEBODY and run.query is not None and not worker.hears(run.query.caller):
            yield f"runs for somebody dead {run}"
    for o in worker.ownership.values():
        if o.state is REGISTERED and not worker.hears(owner_of(o.object)):
            yield f"is to answer somebody dead in {o}"
    for pool in worker.pools.values():
        if not all(map(worker.hears, (*pool.asked, *pool.leases))):
            yield f"has asked, or has leased, somebody dead in {pool}"


@of(Worker)
def copies_rest(worker: Worker) -> Iterator[str]:
    """Copies may be evicted if nothing but tasks that may run again needs them, and only then."""
    for r in worker.promotion.values():
        o = worker.ownership.get(r.object)
        if o is None or o.state is not OWNED or r.state not in RESTS:
            continue
        if r.rested is (is_held(o) or bool(o.borrowers)):
            yield f"has {r} but {o}"


@of(Worker)
def threads_agree(worker: Worker) -> Iterator[str]:
    """The tasks whose threads wait are those for which calls are open, and a desk knows it."""
    calls: Counter[int] = Counter(call.task for call in worker.requests.values())
    for run in worker.running.values():
        if run.state.name == "RUNNING" and run.blocked != calls[run.task]:
            yield f"has {calls[run.task]} calls of {run}"
    for desk in worker.desk.values():
        for task in desk.stack:
            top = worker.running.get(task)
            if top is not None and top.state.name == "RUNNING" and (task in desk.waiting) is not bool(top.blocked):
                yield f"has {desk} but {top}"


@of(Worker)
def pools_agree(worker: Worker) -> Iterator[str]:
    """A pool's queue has the tasks that wait for a worker, and some cancelled ones; its leases count who has one."""
    queued: dict[object, set[int]] = {}
    running: Counter[tuple[object, int]] = Counter()
    for task in worker.execution.values():
        if task.state is QUEUED:
            queued.setdefault(task.pool, set()).add(task.task)
        if task.state is RUNNING:
            running[task.pool, task.worker] += 1
    for pool in worker.pools.values():
        if not queued.get(pool.key, set()) <= {*pool.queue.values()}:
            yield f"has {queued.get(pool.key)} in the queue of {pool}"
        for at, lease in pool.leases.items():
            if lease.tasks != running[pool.key, at]:
                yield f"has {running[pool.key, at]} tasks at {party_name(at)}: {pool}"


@of(Worker)
def pools_ask_on(worker: Worker) -> Iterator[str]:
    """While tasks wait and all who were asked for workers are busy, there is no other node that could lend one."""
    for pool in worker.pools.values():
        if pool.first != pool.last and len(pool.asked) == len(pool.busy):
            others = [node for node, has in worker.nodes if node not in pool.asked and fits(pool.key[0], dict(has))]
            yield from [f"has not asked {party_name(node)} for workers in {pool}" for node in others]
