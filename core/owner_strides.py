"""The strides of an owner: put, drop, submit, wait and reply, in the situations that make up most of its life.

Each is several steps of the tables in one function; ``strides.py`` says what that means and how it is checked.
The order of the steps, which ``unfold`` tells and ``base + k`` counts, is that of the loop in ``party.py``: what a
step asks for is done after all that was asked for before.
"""

from __future__ import annotations

from typing import Any

from immutables import Map

from freehold.core import execution, ownership, promotion, request
from freehold.core.books import Books
from freehold.core.effects import CancelTimer, Send, SetTimer, Settle
from freehold.core.events import (
    ArgumentAdded,
    ArgumentDone,
    DeadlinePassed,
    Event,
    GetWanted,
    ObjectReleased,
    RefCreated,
    RefDropped,
    RequestReady,
    ReturnArrived,
    ValuePending,
    ValuePut,
    ValueWanted,
)
from freehold.core.execution import Execution
from freehold.core.ids import COUNTER_BITS
from freehold.core.leasing import LEASING, SERVED, Lease, Pool, choose, seek
from freehold.core.machine import replace
from freehold.core.messages import TaskQuery, TaskReply
from freehold.core.ownership import OWNED, UNHELD, Ownership
from freehold.core.promotion import INLINE, PENDING, Promotion
from freehold.core.request import WAITING, Request
from freehold.core.strides import Asked, Raw, Stride, Strode
from freehold.core.task_events import TaskAssigned, TaskOver, TaskReady, TaskSubmitted
from freehold.core.values import Description, Payload, PoolKey, Want

QUEUED, RUNNING = execution.QUEUED, execution.RUNNING
NOTHING: Asked = []  # never changed

# ------------------------------------------------------------------ put, and the last reference


def put(worker: Books, e: RefCreated, base: int) -> Strode | None:
    """A small value without references is kept in the in-process store."""
    value = e.payload
    if value is None or value.refs or value.nbytes > worker.policy.inline_bytes_max:
        return None
    object = e.object
    worker.ownership[object] = Ownership(object, OWNED, True)
    worker.promotion[object] = Promotion(object, INLINE, 0, value, value.nbytes)
    return NOTHING, 2, (object, value.nbytes, e.by)


def unfold_put(base: int, cause: int, at: float, object: int, nbytes: int, by: int) -> list[Raw]:
    """Tell a put in steps."""
    created, kept = RefCreated(object, Payload(nbytes), by), ValuePut(object, Payload(nbytes), by)
    return [
        (base + 1, cause, at, object, Ownership, UNHELD, OWNED, created),
        (base + 2, base + 1, at, object, Promotion, promotion.ABSENT, INLINE, kept),
    ]


def drop(worker: Books, e: RefDropped, base: int) -> Strode | None:
    """The last reference of any kind to a value in the in-process store goes."""
    object = e.object
    r, value = worker.ownership.get(object), worker.promotion.get(object)
    if r is None or value is None or r.state is not OWNED or value.state is not INLINE:
        return None
    if r.arguments or r.containers or r.pins or r.exported or r.borrowers or r.refs or object in worker.resolution:
        return None
    del worker.ownership[object], worker.promotion[object]
    return NOTHING, 2, (object,)


def unfold_drop(base: int, cause: int, at: float, object: int) -> list[Raw]:
    """Tell the end of an object in steps."""
    return [
        (base + 1, cause, at, object, Ownership, OWNED, None, RefDropped(object)),
        (base + 2, base + 1, at, object, Promotion, INLINE, None, ObjectReleased(object)),
    ]


# ------------------------------------------------------------------ a task is submitted


def submit(worker: Books, e: TaskSubmitted, base: int) -> Strode | None:
    """A task with one return and no reference among its arguments goes to a worker at once, or into the queue."""
    d = e.description
    if d.slots or d.payload.refs or d.returns != 1:
        return None
    key = (e.shape, 0)
    function, pool = worker.ownership.get(d.function), worker.pools.get(key)
    if function is None or pool is None or function.state not in ownership.HELD:
        return None
    executor = 0
    if pool.state is SERVED:
        executor = choose(pool.leases, worker.policy.queue_max)
        if not executor or executor == worker.me:
            return None
        after = replace(pool, leases=one_more(pool.leases, executor))
    else:  # none of its workers is free, or the queue would be empty
        after = replace(pool, last=pool.last + 1, queue=pool.queue.set(pool.last, e.task))
        if not is_calm(after, worker):
            return None
    task, lent = e.task, (d.function,)
    worker.ownership[task] = Ownership(task, OWNED, True)
    worker.promotion[task] = Promotion(task, PENDING, by=task)
    worker.ownership[d.function] = replace(function, arguments=function.arguments + 1)
    worker.pools[key] = after
    if not executor:
        worker.execution[task] = Execution(task, QUEUED, 0, d, e.retries, 0, lent, key)
        return NOTHING, 5, (task, d.function, d.name, d.payload.nbytes, key, e.retries, function.state, 0)
    worker.counter = attempt = worker.counter + 1
    worker.execution[task] = Execution(task, RUNNING, attempt, d, e.retries, 0, lent, key, executor)
    query = Send(executor, TaskQuery(task, attempt, worker.me, d, lent))
    facts = (task, d.function, d.name, d.payload.nbytes, key, e.retries, function.state, executor)
    return [(base + 6, query)], 6, facts


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
    function: int,
    name: str,
    nbytes: int,
    key: PoolKey,
    retries: int,
    held: Any,
    executor: int,
) -> list[Raw]:
    """Tell the submission of a task in steps."""
    pool = SERVED if executor else LEASING
    submitted = TaskSubmitted(task, Description(task, function, name, Payload(nbytes), (), 1), key[0], retries)
    told = [
        (base + 1, cause, at, task, Execution, execution.ABSENT, QUEUED, submitted),
        (base + 2, base + 1, at, task, Ownership, UNHELD, OWNED, RefCreated(task)),
        (base + 3, base + 1, at, task, Promotion, promotion.ABSENT, PENDING, ValuePending(task, task)),
        (base + 4, base + 1, at, function, Ownership, held, held, ArgumentAdded(function)),
        (base + 5, base + 1, at, key, Pool, pool, pool, TaskReady(key, task)),
    ]
    if executor:
        assigned = TaskAssigned(task, executor, key)
        told.append((base + 6, base + 5, at, task, Execution, QUEUED, RUNNING, assigned))
    return told


# ------------------------------------------------------------------ somebody waits


def wait(worker: Books, e: GetWanted, base: int) -> Strode | None:
    """The program waits for returns of its own tasks, none of which is there."""
    objects = e.objects if len(e.objects) == 1 else tuple(dict.fromkeys(e.objects))
    values, me = worker.promotion, worker.me
    if e.task:
        return None
    for object in objects:
        value = values.get(object)
        if value is None or value.state is not PENDING or object >> COUNTER_BITS != me:
            return None
    by, want, timed = e.request, e.want, e.timeout >= 0
    worker.requests[by] = Request(by, WAITING, objects, min(e.needed, len(objects)), want, timed)
    for object in objects:
        value = values[object]
        values[object] = replace(value, wanted=value.wanted.set(by, want))
    asked: Asked = [(base + 1, SetTimer(by, e.timeout, DeadlinePassed(by)))] if timed else NOTHING
    return asked, 1 + len(objects), (by, e.objects, e.needed, want, e.timeout)


def unfold_wait(
    base: int, cause: int, at: float, by: int, objects: tuple[int, ...], needed: int, want: int, timeout: float
) -> list[Raw]:
    """Tell the beginning of a wait in steps."""
    begun = GetWanted(by, objects, needed, want, timeout)
    told: list[Raw] = [(base + 1, cause, at, by, Request, request.ABSENT, WAITING, begun)]
    for step, object in enumerate(dict.fromkeys(objects), base + 2):
        told.append((step, base + 1, at, object, Promotion, PENDING, PENDING, ValueWanted(object, by, want)))
    return told


# ------------------------------------------------------------------ the reply


def reply(worker: Books, e: TaskReply, base: int) -> Strode | None:
    """A task of one small return is over; whoever waited is told, and its worker takes the next task."""
    task = e.task
    r, value = worker.execution.get(task), worker.promotion.get(task)
    if r is None or value is None or r.state is not RUNNING or r.attempt != e.attempt or value.state is not PENDING:
        return None
    if e.reports or len(e.outcomes) != 1 or len(r.lent) != 1 or value.nodes or value.askers:
        return None
    outcome, calls = e.outcomes[0], woken(worker, value)
    if type(outcome) is not Payload or outcome.refs or outcome.nbytes > worker.policy.inline_bytes_max:
        return None
    function, pool = worker.ownership[r.lent[0]], worker.pools.get(r.pool)
    if calls is None or pool is None or function.state not in ownership.HELD:
        return None
    fewer = replace(function, arguments=function.arguments - 1)
    handed = hand_over(pool, e, worker)
    if handed is None or not ownership.is_held(fewer):
        return None
    worker.pools[r.pool], given = handed
    worker.ownership[r.lent[0]] = fewer
    del worker.execution[task]
    worker.promotion[task] = Promotion(task, INLINE, 0, outcome, outcome.nbytes)
    asked: Asked = []
    step = base + 5  # execution, promotion, ownership, pool; then calls, then tasks
    for call in calls:
        if call.left > 1:
            worker.requests[call.request] = replace(call, left=call.left - 1)
        else:
            del worker.requests[call.request]
            asked.append((step, Settle(call.request, None)))
            if call.timed:
                asked.append((step, CancelTimer(call.request)))
        step += 1
    for other, executor in given:
        waiting = worker.execution[other]
        worker.counter = attempt = worker.counter + 1
        worker.execution[other] = replace(waiting, state=RUNNING, attempt=attempt, worker=executor)
        query = TaskQuery(other, attempt, worker.me, waiting.description, waiting.lent)  # type: ignore[arg-type]
        asked.append((step, Send(executor, query)))
        step += 1
    told = tuple([(call.request, call.left == 1) for call in calls]) if calls else ()
    facts = (task, r.lent[0], r.pool, function.state, pool.state, told, given)
    return asked, step - base - 1, (e.attempt, e.executor, outcome.nbytes, e.seconds, *facts)


def woken(worker: Books, value: Promotion) -> list[Request] | None:
    """Return the calls that wait for a value, unless others do too, or more follows when such a call returns."""
    if not value.wanted:
        return []
    calls: list[Request] = []
    for by in sorted(value.wanted) if len(value.wanted) > 1 else value.wanted:
        call = worker.requests.get(by)
        if call is None or value.wanted[by] in (Want.RUN, Want.SEND):
            return None
        if call.left == 1 and (call.task or call.want != Want.GET):
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
    attempt: int,
    executor: int,
    nbytes: int,
    seconds: float,
    task: int,
    function: int,
    key: PoolKey,
    held: Any,
    pool: Any,
    calls: tuple[tuple[int, bool], ...],
    given: tuple[tuple[int, int], ...],
) -> list[Raw]:
    """Tell the end of a task in steps."""
    value = Payload(nbytes)
    replied = TaskReply(task, attempt, executor, (value,), (), seconds)
    told = [
        (base + 1, cause, at, task, Execution, RUNNING, None, replied),
        (base + 2, base + 1, at, task, Promotion, PENDING, INLINE, ReturnArrived(task, value)),
        (base + 3, base + 1, at, function, Ownership, held, held, ArgumentDone(function)),
        (base + 4, base + 1, at, key, Pool, pool, pool, TaskOver(key, executor, seconds)),
    ]
    for call, last in calls:
        ready = RequestReady(call, task)
        told.append((base + len(told) + 1, base + 2, at, call, Request, WAITING, None if last else WAITING, ready))
    for other, worker in given:
        assigned = TaskAssigned(other, worker, key)
        told.append((base + len(told) + 1, base + 4, at, other, Execution, QUEUED, RUNNING, assigned))
    return told


STRIDES: dict[type[Event], Stride] = {
    RefCreated: Stride(put, unfold_put),
    RefDropped: Stride(drop, unfold_drop),
    TaskSubmitted: Stride(submit, unfold_submit),
    GetWanted: Stride(wait, unfold_wait),
    TaskReply: Stride(reply, unfold_reply),
}
