"""The strides of tasks at their owner: one is submitted, and its reply comes.

Each is several steps of the tables in one function; ``strides.py`` says what that means and how it is checked.
"""

from __future__ import annotations

from typing import Any

from immutables import Map

from freehold.core import execution, ownership, promotion
from freehold.core.books import Books
from freehold.core.effects import CancelTimer, Send, Settle
from freehold.core.events import (
    ArgumentAdded,
    ArgumentDone,
    DependencyReady,
    Event,
    RefCreated,
    RequestReady,
    ReturnArrived,
    ValuePending,
    ValueWanted,
    WantWithdrawn,
)
from freehold.core.execution import Execution
from freehold.core.leasing import LEASING, SERVED, Lease, Pool, choose, seek
from freehold.core.machine import replace
from freehold.core.messages import TaskQuery, TaskReply
from freehold.core.ownership import OWNED, UNHELD, Ownership
from freehold.core.policies import argument_home
from freehold.core.promotion import INLINE, PENDING, PLACED, Promotion
from freehold.core.request import WAITING, Request
from freehold.core.strides import NOTHING, Asked, Raw, Stride, Strode
from freehold.core.task_events import TaskAssigned, TaskOver, TaskReady, TaskSubmitted
from freehold.core.values import Description, Payload, Placed, PoolKey, Slot, Want

RESOLVING, QUEUED, RUNNING = execution.RESOLVING, execution.QUEUED, execution.RUNNING

# ------------------------------------------------------------------ a task is submitted


def submit(worker: Books, e: TaskSubmitted, base: int) -> Strode | None:
    """A task with one return, whose arguments need no waiting, goes to a worker at once, or into the queue."""
    d = e.description
    if d.payload.refs or d.returns != 1:
        return None
    slots: tuple[Slot, ...] = ()
    home, task, me = 0, e.task, worker.me
    if d.slots:
        found = placed(worker, d)
        if found is None:
            return None
        slots = found
        home = argument_home(tuple([(slot.nbytes, slot.nodes) for slot in slots if slot.nodes]))
    key = (e.shape, home)
    function, pool = worker.ownership.get(d.function), worker.pools.get(key)
    if function is None or pool is None or function.state not in ownership.HELD:
        return None
    executor = 0
    if pool.state is SERVED:
        executor = choose(pool.leases, worker.policy.queue_max)
        if not executor or executor == me:
            return None
        after = replace(pool, leases=one_more(pool.leases, executor))
    else:  # none of its workers is free, or the queue would be empty
        after = replace(pool, last=pool.last + 1, queue=pool.queue.set(pool.last, task))
        if not is_calm(after, worker):
            return None
    lent: tuple[int, ...] = (d.function,)
    if slots:
        lent, d = (d.function, *[slot.object for slot in slots]), replace(d, slots=slots)
    worker.ownership[task] = Ownership(task, OWNED, True)
    worker.promotion[task] = Promotion(task, PENDING, by=task)
    for ref in lent:
        held = worker.ownership[ref]
        worker.ownership[ref] = replace(held, arguments=held.arguments + 1)
    worker.pools[key] = after
    facts = (task, lent, d.name, d.payload.nbytes, slots, key, e.retries, function.state, executor)
    steps = 5 + 3 * len(slots)
    if not executor:
        worker.execution[task] = Execution(task, QUEUED, 0, d, e.retries, 0, lent, key)
        return NOTHING, steps, facts
    attempt = worker.mint()
    worker.execution[task] = Execution(task, RUNNING, attempt, d, e.retries, 0, lent, key, executor)
    query = Send(executor, TaskQuery(task, attempt, me, d, lent))
    return [(base + steps + 1, query)], steps + 1, facts


def placed(worker: Books, d: Description) -> tuple[Slot, ...] | None:
    """Return where the arguments given as references are, if they are large values of our own, each given once.

    Their values hold no references.
    """
    slots: list[Slot] = []
    for slot in d.slots:
        value, held = worker.promotion.get(slot.object), worker.ownership.get(slot.object)
        if value is None or held is None or value.state is not PLACED or value.payload is not None:
            return None
        if held.state is not OWNED or slot.object == d.function or value.refs:
            return None
        slots.append(Slot(slot.object, None, value.nodes, value.nbytes))
    return tuple(slots) if len({slot.object for slot in slots}) == len(slots) else None


def one_more(leases: Map[int, Lease], executor: int) -> Map[int, Lease]:
    """Return leases with one more task on one worker."""
    lease = leases[executor]
    return leases.set(executor, replace(lease, tasks=lease.tasks + 1))


def is_calm(pool: Pool, worker: Books) -> bool:
    """Tell whether a pool with tasks in its queue has asked for all the workers that it will ask for now."""
    asked = len(pool.asked)
    if asked > len(pool.busy) or (not pool.hands and asked == len(worker.nodes)):
        return True
    counter = worker.counter
    after, out = seek(pool, worker)
    worker.counter = counter
    return not out and after.state is LEASING


def unfold_submit(
    base: int,
    cause: int,
    at: float,
    task: int,
    lent: tuple[int, ...],
    name: str,
    nbytes: int,
    slots: tuple[Slot, ...],
    key: PoolKey,
    retries: int,
    held: Any,
    executor: int,
) -> list[Raw]:
    """Tell the submission of a task in steps."""
    holes = tuple([Slot(slot.object) for slot in slots])
    submitted = TaskSubmitted(task, Description(task, lent[0], name, Payload(nbytes), holes, 1), key[0], retries)
    begun = RESOLVING if slots else QUEUED
    told: list[Raw] = [
        (base + 1, cause, at, task, Execution, execution.ABSENT, begun, submitted),
        (base + 2, base + 1, at, task, Ownership, UNHELD, OWNED, RefCreated(task)),
        (base + 3, base + 1, at, task, Promotion, promotion.ABSENT, PENDING, ValuePending(task, task)),
    ]

    def then(cause: int, name: Any, kind: type, before: Any, after: Any, event: Event, *wishes: Any) -> int:
        step = base + 1 + len(told)
        told.append((step, cause, at, name, kind, before, after, event, *wishes))
        return step

    for ref in lent:
        state = held if ref == lent[0] else OWNED
        then(base + 1, ref, Ownership, state, state, ArgumentAdded(ref))
    last = base + 1
    asked = [
        then(base + 1, slot.object, Promotion, PLACED, PLACED, ValueWanted(slot.object, task, Want.SEND))
        for slot in slots
    ]
    for slot, cause_ in zip(slots, asked, strict=True):
        known = DependencyReady(task, slot.object, Placed(slot.nbytes, slot.nodes))
        last = then(cause_, task, Execution, RESOLVING, QUEUED if slot is slots[-1] else RESOLVING, known)
    pool = SERVED if executor else LEASING
    ready = then(last, key, Pool, pool, pool, TaskReady(key, task))
    if executor:
        then(ready, task, Execution, QUEUED, RUNNING, TaskAssigned(task, executor, key), (TaskQuery, executor))
    return told


# ------------------------------------------------------------------ the reply


def reply(worker: Books, e: TaskReply, base: int) -> Strode | None:
    """A task of one small return is over; whoever waited is told, and its worker takes the next task."""
    task = e.task
    r, value = worker.execution.get(task), worker.promotion.get(task)
    if r is None or value is None or r.state is not RUNNING or r.attempt != e.attempt or value.state is not PENDING:
        return None
    if e.reports or len(e.outcomes) != 1 or r.due or value.nodes or value.askers or value.rested:
        return None
    outcome, calls = e.outcomes[0], woken(worker, value)
    if type(outcome) is not Payload or outcome.refs or outcome.nbytes > worker.policy.inline_bytes_max:
        return None
    pool, fewer = worker.pools.get(r.pool), put_down(worker, r.lent)
    if calls is None or pool is None or fewer is None:
        return None
    handed = hand_over(pool, e, worker)
    if handed is None:
        return None
    worker.pools[r.pool], given = handed
    for held in fewer:
        worker.ownership[held.object] = held
    del worker.execution[task]
    worker.promotion[task] = Promotion(task, INLINE, 0, outcome, outcome.nbytes)
    asked: Asked = []
    step, withdrawn = base + 4 + len(fewer), 0  # execution, promotion, ownership, pool; then calls, then tasks
    for call in calls:
        if call.left > 1:
            worker.requests[call.request] = replace(call, left=call.left - 1)
        else:
            del worker.requests[call.request]
            asked.append((step, Settle(call.request, None)))
            if call.timed:
                asked.append((step, CancelTimer(call.request)))
            if call.want != Want.GET:
                withdrawn += 1
        step += 1
    for other, executor in given:
        waiting = worker.execution[other]
        attempt = worker.mint()
        worker.execution[other] = replace(waiting, state=RUNNING, attempt=attempt, worker=executor)
        query = TaskQuery(other, attempt, worker.me, waiting.description, waiting.lent)  # type: ignore[arg-type]
        asked.append((step, Send(executor, query)))
        step += 1
    facts = (task, e.attempt, e.executor, outcome.nbytes, e.seconds, fewer, r.pool, pool.state, calls, given)
    return asked, step + withdrawn - base - 1, facts


def put_down(worker: Books, lent: tuple[int, ...]) -> list[Ownership] | None:
    """Return the records of what a task carried when it carries them no more, unless one is held no more then."""
    fewer: list[Ownership] = []
    for ref in lent:
        held = worker.ownership[ref]
        after = replace(held, arguments=held.arguments - 1)
        if not ownership.is_held(after):
            return None
        fewer.append(after)
    return fewer


def woken(worker: Books, value: Promotion) -> list[Request] | None:
    """Return the calls that wait for a value, unless others do too, or more follows when such a call returns."""
    if not value.wanted:
        return []
    calls: list[Request] = []
    for by in sorted(value.wanted) if len(value.wanted) > 1 else value.wanted:
        call = worker.requests.get(by)
        if call is None or value.wanted[by] in (Want.RUN, Want.SEND):
            return None
        if call.left == 1 and (call.task or (call.want != Want.GET and len(call.objects) > 1)):
            return None
        calls.append(call)
    return calls


def hand_over(pool: Pool, e: TaskReply, worker: Books) -> tuple[Pool, tuple[tuple[int, int], ...]] | None:
    """Return the pool when a task has left its worker, and which tasks of its queue go to whom."""
    lease = pool.leases.get(e.executor)
    if lease is None or lease.recalled:
        return None
    quick = 0.0 <= e.seconds < worker.policy.quick_seconds
    leases = pool.leases.set(e.executor, Lease(lease.tasks - 1, quick, False, lease.lent))
    if pool.first == pool.last:
        return (replace(pool, leases=leases), ()) if pool.state is SERVED else None
    queue, first, given = pool.queue, pool.first, []
    while first < pool.last and (executor := choose(leases, worker.policy.queue_max)):
        task = queue[first]
        waiting = worker.execution.get(task)
        if waiting is None or waiting.state is not QUEUED or executor == worker.me:
            return None
        given.append((task, executor))
        queue, first, leases = queue.delete(first), first + 1, one_more(leases, executor)
    after = replace(pool, queue=queue, first=first, leases=leases)
    if first == pool.last or not is_calm(after, worker):
        return None
    return after, tuple(given)


def unfold_reply(
    base: int,
    cause: int,
    at: float,
    task: int,
    attempt: int,
    executor: int,
    nbytes: int,
    seconds: float,
    lent: list[Ownership],
    key: PoolKey,
    pool: Any,
    calls: list[Request],  # as they were
    given: tuple[tuple[int, int], ...],
) -> list[Raw]:
    """Tell the end of a task in steps."""
    value = Payload(nbytes)
    replied = TaskReply(task, attempt, executor, (value,), (), seconds)
    told: list[Raw] = [
        (base + 1, cause, at, task, Execution, RUNNING, None, replied),
        (base + 2, base + 1, at, task, Promotion, PENDING, INLINE, ReturnArrived(task, value)),
    ]
    for held in lent:
        done = ArgumentDone(held.object)
        told.append((base + len(told) + 1, base + 1, at, held.object, Ownership, held.state, held.state, done))
    over = base + len(told) + 1
    told.append((over, base + 1, at, key, Pool, pool, pool, TaskOver(key, executor, seconds)))
    settled: list[tuple[int, int]] = []
    for call in calls:
        step, by = base + len(told) + 1, call.request
        after = None if call.left == 1 else WAITING
        wishes = [(Settle,), *[(CancelTimer,)] * call.timed] if after is None else []
        told.append((step, base + 2, at, by, Request, WAITING, after, RequestReady(by, task), *wishes))
        if after is None and call.want != Want.GET:
            settled.append((step, by))
    for other, worker in given:
        assigned = TaskAssigned(other, worker, key)
        sent = (TaskQuery, worker)
        told.append((base + len(told) + 1, over, at, other, Execution, QUEUED, RUNNING, assigned, sent))
    for step, by in settled:
        told.append((base + len(told) + 1, step, at, task, Promotion, INLINE, INLINE, WantWithdrawn(task, by)))
    return told


STRIDES: dict[type[Event], Stride] = {
    TaskSubmitted: Stride(submit, unfold_submit),
    TaskReply: Stride(reply, unfold_reply),
}
