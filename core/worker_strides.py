"""The strides of a worker that runs tasks: one comes, and one is over.

Each is several steps of the tables in one function; ``strides.py`` says what that means and how it is checked.
"""

from __future__ import annotations

from typing import Any

from freehold.core import ownership, running
from freehold.core.books import Books
from freehold.core.desk import BUSY, FREE, Desk
from freehold.core.effects import Run, Send, SetTimer
from freehold.core.events import ArgumentReady, CopyWanted, Event, Pinned, ReportWanted
from freehold.core.ids import owner_of
from freehold.core.machine import replace
from freehold.core.messages import TaskQuery, TaskReply
from freehold.core.ownership import BORROWED, Ownership
from freehold.core.policies import INLINED_BYTES_MAX
from freehold.core.resolution import CACHED, IDLE, LOCAL, Resolution
from freehold.core.running import FETCHING, READY, REPORTING, RUNNING, Run_
from freehold.core.strides import Asked, Raw, Stride, Strode
from freehold.core.task_events import HoldReported, RunEnded, TurnGiven, TurnOver, TurnSlow, TurnWanted
from freehold.core.values import Description, Payload, Want

# ------------------------------------------------------------------ a task comes


def accept(worker: Books, e: TaskQuery, base: int) -> Strode | None:
    """A task without references, whose function is here, begins at once, or waits for its turn."""
    if len(e.lent) != 1 or e.stacked or e.task in worker.running or e.lent[0] != e.description.function:
        return None
    function, d = e.lent[0], e.description
    held, copy, seat = worker.ownership.get(function), worker.resolution.get(function), worker.desk.get(0) or DESK
    if held is None or copy is None or held.state not in ownership.HELD or d.slots or d.payload.refs:
        return None
    if copy.state not in READABLE or seat.state not in (FREE, BUSY) or owner_of(function) == worker.me:
        return None
    worker.ownership[function] = replace(held, pins=held.pins + 1)
    if copy.state is not CACHED:
        unread = copy.unread if 0 in copy.unread else (*copy.unread, 0)
        worker.resolution[function] = replace(copy, state=LOCAL, unused=False, unread=unread)
    worker.counter = attempt = worker.counter + 1
    states = held.state, copy.state, seat.state
    facts = (e.task, e.attempt, e.caller, function, d.name, d.payload.nbytes, d.returns, *states)
    if seat.state is FREE:
        worker.desk[0] = replace(seat, state=BUSY, turns=seat.turns + 1, stack=(*seat.stack, e.task))
        worker.running[e.task] = Run_(e.task, RUNNING, attempt, e)
        return [(base + 6, Run(e.task, attempt, d))], 6, facts
    worker.running[e.task] = Run_(e.task, READY, 0, e)
    queue = (*seat.queue, e.task)
    if seat.timed:
        worker.counter -= 1
        worker.desk[0] = replace(seat, queue=queue)
        return [], 5, facts
    worker.desk[0] = replace(seat, queue=queue, timed=True, attempt=attempt, timed_turn=seat.turns)
    return [(base + 5, SetTimer(attempt, worker.policy.slow_seconds, TurnSlow(attempt)))], 5, facts


DESK = Desk()
READABLE = (LOCAL, IDLE, CACHED)


def unfold_accept(
    base: int,
    cause: int,
    at: float,
    task: int,
    attempt: int,
    caller: int,
    function: int,
    name: str,
    nbytes: int,
    returns: int,
    held: Any,
    copy: Any,
    seat: Any,
) -> list[Raw]:
    """Tell the arrival of a task in steps."""
    description = Description(task, function, name, Payload(nbytes), (), returns)
    query = TaskQuery(task, attempt, caller, description, (function,))
    read = LOCAL if copy is IDLE else copy
    told = [
        (base + 1, cause, at, task, Run_, running.ABSENT, FETCHING, query),
        (base + 2, base + 1, at, function, Ownership, held, held, Pinned(function)),
        (base + 3, base + 1, at, function, Resolution, copy, read, CopyWanted(function, task, Want.RUN)),
        (base + 4, base + 3, at, task, Run_, FETCHING, READY, ArgumentReady(task, function)),
        (base + 5, base + 4, at, 0, Desk, seat, BUSY, TurnWanted(task)),
    ]
    if seat is FREE:
        told.append((base + 6, base + 5, at, task, Run_, READY, RUNNING, TurnGiven(task)))
    return told


# ------------------------------------------------------------------ a task is over


def finish(worker: Books, e: RunEnded, base: int) -> Strode | None:
    """A task whose returns are small is over: the next one has its turn, and the reply goes out."""
    task = e.task
    r, seat = worker.running.get(task), worker.desk.get(0)
    if r is None or seat is None or r.state is not RUNNING or r.attempt != e.attempt or r.query is None:
        return None
    query = r.query
    if r.blocked or len(query.lent) != 1 or query.caller == worker.me or not all_small(e, worker):
        return None
    held = worker.ownership[query.lent[0]]
    after = replace(held, pins=held.pins - 1)
    if seat.state is not BUSY or seat.lends or seat.stack != (task,) or not known_to_owner(held, after):
        return None
    worker.ownership[query.lent[0]] = after
    del worker.running[task]
    asked: Asked = []
    following = seat.queue[0] if seat.queue else 0
    if following:
        asked = seat_next(worker, seat, following, base)
    else:
        worker.desk[0] = replace(seat, state=FREE, stack=())
    last = base + 5 if following else base + 4
    message = TaskReply(task, query.attempt, worker.me, e.outcomes, (), e.seconds)
    asked.append((last, Send(query.caller, message)))
    sizes = tuple([outcome.nbytes for outcome in e.outcomes])  # type: ignore[union-attr]
    return asked, last - base, (task, e.attempt, sizes, e.seconds, query.lent[0], held.state, following)


def all_small(e: RunEnded, worker: Books) -> bool:
    """Tell whether what a task returned can travel in its reply, and brings no references along."""
    inlined = 0
    for outcome in e.outcomes:
        if type(outcome) is not Payload or outcome.refs:
            return False
        inlined += outcome.nbytes
        if outcome.nbytes > worker.policy.inline_bytes_max or inlined > INLINED_BYTES_MAX:
            return False
    return True


def known_to_owner(held: Ownership, after: Ownership) -> bool:
    """Tell whether a function is still held when a task that used it is over, and its owner need not be told."""
    return held.state is not BORROWED and held.state in ownership.HELD and ownership.is_held(after)


def seat_next(worker: Books, seat: Desk, task: int, base: int) -> Asked:
    """Give the thread to the first in the queue."""
    asked: Asked = []
    queue = seat.queue[1:]
    seat = replace(seat, turns=seat.turns + 1, stack=(task,), queue=queue)
    if queue and not seat.timed:
        worker.counter = timer = worker.counter + 1
        asked.append((base + 2, SetTimer(timer, worker.policy.slow_seconds, TurnSlow(timer))))
        seat = replace(seat, timed=True, attempt=timer, timed_turn=seat.turns)
    worker.desk[0] = seat
    waiting = worker.running[task]
    assert waiting.query is not None
    worker.counter = attempt = worker.counter + 1
    worker.running[task] = replace(waiting, state=RUNNING, attempt=attempt)
    asked.append((base + 4, Run(task, attempt, waiting.query.description)))
    return asked


def unfold_finish(
    base: int,
    cause: int,
    at: float,
    task: int,
    attempt: int,
    sizes: tuple[int, ...],
    seconds: float,
    function: int,
    held: Any,
    following: int,
) -> list[Raw]:
    """Tell the end of a task in steps."""
    ended = RunEnded(task, attempt, tuple([Payload(nbytes) for nbytes in sizes]), seconds)
    last = base + 5 if following else base + 4
    told = [
        (base + 1, cause, at, task, Run_, RUNNING, REPORTING, ended),
        (base + 2, base + 1, at, 0, Desk, BUSY, BUSY if following else FREE, TurnOver(task)),
        (base + 3, base + 1, at, function, Ownership, held, held, ReportWanted(function, task)),
        (last, base + 3, at, task, Run_, REPORTING, None, HoldReported(task, function, False, ())),
    ]
    if following:
        told.insert(3, (base + 4, base + 2, at, following, Run_, READY, RUNNING, TurnGiven(following)))
    return told


STRIDES: dict[type[Event], Stride] = {
    TaskQuery: Stride(accept, unfold_accept),
    RunEnded: Stride(finish, unfold_finish),
}
