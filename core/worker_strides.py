"""The strides of a worker that runs tasks: it hears of the nodes when it is born, a task comes, and one is over.

Each is several steps of the tables in one function; ``strides.py`` says what that means and how it is checked.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from freehold.core import ownership, running
from freehold.core.books import Books
from freehold.core.desk import BUSY, FREE, Desk
from freehold.core.effects import Run, Send, SetTimer
from freehold.core.events import ArgumentReady, CopyWanted, Event, ObjectUnused, Pinned, ReportWanted
from freehold.core.ids import owner_of
from freehold.core.machine import replace
from freehold.core.membership import ALIVE, UNKNOWN, Member
from freehold.core.messages import TaskQuery, TaskReply
from freehold.core.node_events import NodeJoined
from freehold.core.node_messages import NodeNotice
from freehold.core.ownership import BORROWED, UNHELD, Ownership
from freehold.core.policies import INLINED_BYTES_MAX
from freehold.core.resolution import CACHED, IDLE, LOCAL, Resolution
from freehold.core.running import FETCHING, READY, REPORTING, RUNNING, Run_
from freehold.core.strides import NOTHING, Asked, Raw, Stride, Strode
from freehold.core.task_events import HoldReported, RunEnded, TurnGiven, TurnOver, TurnSlow, TurnWanted
from freehold.core.values import Description, Payload, Shape, Slot, Want

# ------------------------------------------------------------------ it is born


def meet(worker: Books, e: NodeNotice, base: int) -> Strode | None:
    """Nodes are heard of that are new here, before anybody has waited for one: as many steps as there are nodes."""
    new = worker.unknown(e.nodes)
    if not new or worker.pools:
        return None
    worker.members.join(new)
    return NOTHING, len(new), (new,)


def unfold_meet(base: int, cause: int, at: float, nodes: tuple[tuple[int, Shape], ...]) -> list[Raw]:
    """Tell it in steps."""
    return [
        (step, cause, at, node, Member, UNKNOWN, ALIVE, NodeJoined(node, resources))
        for step, (node, resources) in enumerate(nodes, base + 1)
    ]


# ------------------------------------------------------------------ a task comes


def accept(worker: Books, e: TaskQuery, base: int) -> Strode | None:
    """A task of which all that it needs is here begins at once, or waits for its turn."""
    d, needed = e.description, e.lent
    if e.stacked or e.due or e.task in worker.running or d.payload.refs or needed != needed_by(d):
        return None
    seat, copies = worker.desk.get(0) or DESK, []
    if seat.state is not FREE and seat.state is not BUSY:
        return None
    for ref in needed:
        held, copy = worker.ownership.get(ref), worker.resolution.get(ref)
        if copy is None or copy.state not in READABLE or copy.failure is not None or owner_of(ref) == worker.me:
            return None
        if held is not None and held.state not in ownership.HELD:
            return None
        copies.append((ref, held, copy))
    told = []
    for ref, held, copy in copies:
        pinned = Ownership(ref, BORROWED, pins=1) if held is None else replace(held, pins=held.pins + 1)
        worker.ownership[ref] = pinned
        if copy.state is not CACHED:
            unread = copy.unread if 0 in copy.unread else (*copy.unread, 0)
            worker.resolution[ref] = replace(copy, state=LOCAL, unused=False, unread=unread)
        told.append((ref, UNHELD if held is None else held.state, copy.state))
    asked, began = take_seat(worker, e, seat, base + 2 + 3 * len(needed))
    slots = tuple([(slot.object, slot.nodes, slot.nbytes) for slot in d.slots]) if d.slots else ()
    facts = (e.task, e.attempt, e.caller, d.name, d.payload.nbytes, d.returns, slots, tuple(told), seat.state)
    return asked, 2 + 3 * len(needed) + began, (*facts, bool(asked) and not began)


DESK = Desk()
READABLE = (LOCAL, IDLE, CACHED)


def needed_by(d: Description) -> tuple[int, ...] | None:
    """Return the function and the arguments given by reference, each once; None if anything else came along."""
    if not d.slots:
        return (d.function,)
    needed = {d.function: 0, **{slot.object: 0 for slot in d.slots}}
    if len(needed) != 1 + len(d.slots) or any([slot.value or slot.refs for slot in d.slots]):
        return None
    return tuple(needed)


def take_seat(worker: Books, e: TaskQuery, seat: Desk, step: int) -> tuple[Asked, bool]:
    """Give a task that is ready the thread, or a place in the line; tell whether it has begun."""
    if seat.state is FREE:
        attempt = worker.mint()
        worker.desk[0] = replace(seat, state=BUSY, turns=seat.turns + 1, stack=(*seat.stack, e.task))
        worker.running[e.task] = Run_(e.task, RUNNING, attempt, e)
        return [(step + 1, Run(e.task, attempt, e.description))], True
    worker.running[e.task] = Run_(e.task, READY, 0, e)
    seat = replace(seat, queue=(*seat.queue, e.task))
    if seat.timed:
        worker.desk[0] = seat
        return [], False
    attempt = worker.mint()
    worker.desk[0] = replace(seat, timed=True, attempt=attempt, timed_turn=seat.turns)
    return [(step, SetTimer(attempt, worker.policy.slow_seconds, TurnSlow(attempt)))], False


def unfold_accept(
    base: int,
    cause: int,
    at: float,
    task: int,
    attempt: int,
    caller: int,
    name: str,
    nbytes: int,
    returns: int,
    slots: tuple[tuple[int, tuple[int, ...], int], ...],
    needed: tuple[tuple[int, Any, Any], ...],
    seat: Any,
    timed: bool,
) -> list[Raw]:
    """Tell the arrival of a task in steps."""
    lent = tuple([ref for ref, _, _ in needed])
    holes = tuple([Slot(object, None, nodes, nbytes) for object, nodes, nbytes in slots])
    query = TaskQuery(task, attempt, caller, Description(task, lent[0], name, Payload(nbytes), holes, returns), lent)
    known = {slot.object: (slot.nodes, slot.nbytes) for slot in holes}
    count = len(needed)
    told: list[Raw] = [(base + 1, cause, at, task, Run_, running.ABSENT, FETCHING, query)]
    for step, (ref, held, _) in enumerate(needed, base + 2):
        told.append((step, base + 1, at, ref, Ownership, held, BORROWED if held is UNHELD else held, Pinned(ref)))
    for step, (ref, _, copy) in enumerate(needed, base + 2 + count):
        wanted = CopyWanted(ref, task, Want.RUN, *known.get(ref, ()))
        told.append((step, base + 1, at, ref, Resolution, copy, LOCAL if copy is IDLE else copy, wanted))
    for step, ref in enumerate(lent, base + 2 + 2 * count):
        after = READY if ref == lent[-1] else FETCHING
        told.append((step, step - count, at, task, Run_, FETCHING, after, ArgumentReady(task, ref)))
    turn = base + 2 + 3 * count
    timer = [(SetTimer,)] * timed
    told.append((turn, turn - 1, at, 0, Desk, seat, BUSY, TurnWanted(task), *timer))
    if seat is FREE:
        told.append((turn + 1, turn, at, task, Run_, READY, RUNNING, TurnGiven(task), (Run,)))
    return told


# ------------------------------------------------------------------ a task is over


def finish(worker: Books, e: RunEnded, base: int) -> Strode | None:
    """A task whose returns are small is over: the next one has its turn, and the reply goes out."""
    task = e.task
    r, seat = worker.running.get(task), worker.desk.get(0)
    if r is None or seat is None or r.state is not RUNNING or r.attempt != e.attempt or r.query is None:
        return None
    query = r.query
    if r.blocked or query.due or query.caller in (worker.me, 0) or not all_small(e, worker):
        return None
    if seat.state is not BUSY or seat.lends or seat.stack != (task,):
        return None
    kept = let_go(worker, query.lent)
    if kept is None:
        return None
    told: list[tuple[int, Any, Any]] = []
    dropped = 0
    for ref, before, after, copy in kept:
        if after is not None:
            worker.ownership[ref] = after
            told.append((ref, before.state, None))
            continue
        assert copy is not None
        del worker.ownership[ref]
        worker.resolution[ref] = replace(copy, state=IDLE, unused=True)
        told.append((ref, before.state, copy.state))
        dropped += 1
    del worker.running[task]
    asked: Asked = []
    following = seat.queue[0] if seat.queue else 0
    count = len(kept)
    if following:
        asked = seat_next(worker, seat, following, base + 2, base + 3 + count)
    else:
        worker.desk[0] = replace(seat, state=FREE, stack=())
    last = base + 2 + count + bool(following) + count + dropped
    message = TaskReply(task, query.attempt, worker.me, e.outcomes, (), e.seconds)
    asked.append((last if kept[-1][2] is not None else last - 1, Send(query.caller, message)))
    sizes = tuple(map(NBYTES, e.outcomes))
    timed = len(asked) > 2
    return asked, last - base, (task, e.attempt, sizes, e.seconds, tuple(told), query.caller, following, timed)


NBYTES = attrgetter("nbytes")
Kept = tuple[int, Ownership, Ownership | None, Resolution | None]  # reference, its record before and after, its copy


def let_go(worker: Books, lent: tuple[int, ...]) -> list[Kept] | None:
    """Return what becomes of the references that a task was lent, if its caller need hear nothing of any."""
    kept: list[Kept] = []
    for ref in lent:
        held = worker.ownership[ref]
        after = replace(held, pins=held.pins - 1)
        if ownership.is_held(after):
            if held.state is BORROWED:
                return None
            kept.append((ref, held, after, None))
            continue
        copy = worker.resolution.get(ref)
        if held.state is not BORROWED or held.lent or copy is None or copy.state is not LOCAL:
            return None
        if copy.views or copy.recalled or copy.released:
            return None
        kept.append((ref, held, None, copy))
    return kept


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


def seat_next(worker: Books, seat: Desk, task: int, over: int, step: int) -> Asked:
    """Give the thread to the first in the queue."""
    asked: Asked = []
    queue = seat.queue[1:]
    seat = replace(seat, turns=seat.turns + 1, stack=(task,), queue=queue)
    if queue and not seat.timed:
        timer = worker.mint()
        asked.append((over, SetTimer(timer, worker.policy.slow_seconds, TurnSlow(timer))))
        seat = replace(seat, timed=True, attempt=timer, timed_turn=seat.turns)
    worker.desk[0] = seat
    waiting = worker.running[task]
    assert waiting.query is not None
    attempt = worker.mint()
    worker.running[task] = replace(waiting, state=RUNNING, attempt=attempt)
    asked.append((step, Run(task, attempt, waiting.query.description)))
    return asked


def unfold_finish(
    base: int,
    cause: int,
    at: float,
    task: int,
    attempt: int,
    sizes: tuple[int, ...],
    seconds: float,
    lent: tuple[tuple[int, Any, Any], ...],
    caller: int,
    following: int,
    timed: bool,
) -> list[Raw]:
    """Tell the end of a task in steps."""
    ended = RunEnded(task, attempt, tuple([Payload(nbytes) for nbytes in sizes]), seconds)
    told: list[Raw] = [
        (base + 1, cause, at, task, Run_, RUNNING, REPORTING, ended),
        (base + 2, base + 1, at, 0, Desk, BUSY, BUSY if following else FREE, TurnOver(task), *[(SetTimer,)] * timed),
    ]
    for step, (ref, held, copy) in enumerate(lent, base + 3):
        after = held if copy is None else None
        told.append((step, base + 1, at, ref, Ownership, held, after, ReportWanted(ref, task)))
    if following:
        told.append((base + 1 + len(told), base + 2, at, following, Run_, READY, RUNNING, TurnGiven(following), (Run,)))
    for asker, (ref, _, copy) in enumerate(lent, base + 3):
        after = None if ref == lent[-1][0] else REPORTING
        reported = HoldReported(task, ref, False, ())
        replied = [] if after else [(TaskReply, caller)]
        told.append((base + 1 + len(told), asker, at, task, Run_, REPORTING, after, reported, *replied))
        if copy is not None:
            told.append((base + 1 + len(told), asker, at, ref, Resolution, copy, IDLE, ObjectUnused(ref)))
    return told


STRIDES: dict[type[Event], Stride] = {
    NodeNotice: Stride(meet, unfold_meet),
    TaskQuery: Stride(accept, unfold_accept),
    RunEnded: Stride(finish, unfold_finish),
}
