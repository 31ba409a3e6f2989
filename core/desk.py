"""The desk table: the one thread on which a worker runs its tasks.

Nothing waits behind a task that blocks or that takes long: what has not begun is handed back to its owner, so
that another worker may run it.  On top of a task that waits, the thread may run one for which that task waits, when
no node has a worker left for it; never another: it might come to wait for a task beneath it.

This file refuses to know what tasks do.
"""

from __future__ import annotations

import msgspec
from immutables import Map

from freehold.core.effects import Send, SetTimer
from freehold.core.machine import Here, Out, State, Table, replace
from freehold.core.node_messages import BlockedNotice, ResumedNotice
from freehold.core.task_events import (
    DeskBlocked,
    DeskResumed,
    DeskWaits,
    TurnDropped,
    TurnGiven,
    TurnLost,
    TurnOver,
    TurnSlow,
    TurnWanted,
)


class Sitting(State):
    """Who has the worker's thread."""

    FREE = "nobody"
    BUSY = "a task"
    CLOSED = "a task that waits, or takes long: nobody may queue behind it"


FREE, BUSY, CLOSED = Sitting


class Desk(msgspec.Struct, frozen=True, gc=False):
    """The thread on which a worker runs its tasks, one at a time; on top of one that waits, one that it waits for."""

    state: Sitting = FREE
    turns: int = 0  # counts turns, so that a timer knows whose it was
    stack: tuple[int, ...] = ()  # tasks that have begun and are not over; the last one runs, or waits
    waiting: Map[int, tuple[int, ...]] = Map()  # of them, those whose wait is not over -> the objects
    lends: bool = False  # the CPU is lent to others meanwhile
    queue: tuple[int, ...] = ()  # tasks that wait for their turn
    timed: bool = False  # a timer is running
    attempt: int = 0  # of the timer
    timed_turn: int = 0  # the turn for which it was set


TABLE = Table(
    "desk",
    Sitting,
    (TurnWanted, TurnOver, TurnSlow, TurnDropped, DeskBlocked, DeskResumed),
)


def watch(r: Desk, here: Here) -> tuple[Desk, Out]:
    """See to it that the running task does not keep others waiting for long."""
    if r.timed or not r.queue:
        return r, ()
    attempt = here.mint()
    timer = SetTimer(attempt, here.policy.slow_seconds, TurnSlow(attempt))
    return replace(r, timed=True, attempt=attempt, timed_turn=r.turns), (timer,)


def close(r: Desk) -> tuple[Desk, Out]:
    """Hand back everything that has not begun."""
    return replace(r, state=CLOSED, queue=()), tuple([TurnLost(task) for task in r.queue])


def seat(r: Desk, task: int, state: Sitting) -> tuple[Desk, Out]:
    """Give a task the thread."""
    return replace(r, state=state, turns=r.turns + 1, stack=(*r.stack, task)), (TurnGiven(task),)


def waits(r: Desk) -> bool:
    """Tell whether the thread waits: the task on top of its stack does."""
    return bool(r.stack) and r.stack[-1] in r.waiting


@TABLE.on(FREE, event=TurnWanted, to=(BUSY,))
def sit_down(r: Desk, e: TurnWanted, here: Here) -> tuple[Desk, Out]:
    """The desk is free; but a task that came for a thread that waited goes back, for it waits no more."""
    return (r, (TurnLost(e.task),)) if e.stacked else seat(r, e.task, BUSY)


@TABLE.on(BUSY, event=TurnWanted)
def queue_up(r: Desk, e: TurnWanted, here: Here) -> tuple[Desk, Out]:
    """Wait in line, but not for long."""
    if e.stacked:
        return r, (TurnLost(e.task),)
    return watch(replace(r, queue=(*r.queue, e.task)), here)


@TABLE.on(CLOSED, event=TurnWanted)
def turn_away(r: Desk, e: TurnWanted, here: Here) -> tuple[Desk, Out]:
    """Go back to your owner: another worker will be found.  Unless you are what the task on top waits for."""
    if waits(r) and e.stacked in r.waiting[r.stack[-1]]:
        return seat(r, e.task, CLOSED)
    return r, (TurnLost(e.task),)


@TABLE.on(BUSY, CLOSED, event=TurnOver, to={BUSY: (FREE,), CLOSED: (FREE, BUSY)})
def next_please(r: Desk, e: TurnOver, here: Here) -> tuple[Desk, Out]:
    """First come, first served; beneath a task that ran on another's stack, that other waits or goes on."""
    r = replace(r, stack=tuple([task for task in r.stack if task != e.task]))
    if waits(r):
        r, lent = lend(replace(r, state=CLOSED), here)
        return r, (*lent, DeskWaits(r.stack[-1]))
    if r.stack:
        return go_on(r, here)
    r, back = take_back(r, here)
    if not r.queue:
        return replace(r, state=FREE), back
    first = r.queue[0]
    r, given = seat(replace(r, queue=r.queue[1:]), first, BUSY)
    r, timer = watch(r, here)
    return r, (*back, *given, *timer)


TABLE.never(FREE, event=TurnOver, why="nobody had a turn")


@TABLE.on(BUSY, event=TurnSlow, to=(CLOSED,))
def too_slow(r: Desk, e: TurnSlow, here: Here) -> tuple[Desk, Out]:
    """The task for which the timer was set still runs; a later one gets its own time."""
    r = replace(r, timed=False)
    return close(r) if r.timed_turn == r.turns and r.queue else watch(r, here)


@TABLE.on(FREE, CLOSED, event=TurnSlow)
def slow_no_matter(r: Desk, e: TurnSlow, here: Here) -> tuple[Desk, Out]:
    """Nobody waits behind it."""
    return replace(r, timed=False), ()


@TABLE.on(BUSY, event=TurnDropped)
def leave_queue(r: Desk, e: TurnDropped, here: Here) -> tuple[Desk, Out]:
    """A cancelled task leaves the line."""
    return replace(r, queue=tuple([task for task in r.queue if task != e.task])), ()


TABLE.never(FREE, CLOSED, event=TurnDropped, why="nobody waits in line")


@TABLE.on(BUSY, CLOSED, event=DeskBlocked, to=(CLOSED,))
def block(r: Desk, e: DeskBlocked, here: Here) -> tuple[Desk, Out]:
    """Who waits behind a task that waits may be the one it waits for; and its CPU serves others."""
    awaited = (*r.waiting.get(e.task, ()), *e.objects)
    r, lost = close(replace(r, waiting=r.waiting.set(e.task, awaited)))
    r, lent = lend(r, here) if waits(r) else (r, ())
    return r, lost + lent


def lend(r: Desk, here: Here) -> tuple[Desk, Out]:
    """The thread waits: lend its CPU."""
    return replace(r, lends=True), () if r.lends else (Send(here.node, BlockedNotice(here.me)),)


def take_back(r: Desk, here: Here) -> tuple[Desk, Out]:
    """Take the CPU back that was lent."""
    return (replace(r, lends=False), (Send(here.node, ResumedNotice(here.me)),)) if r.lends else (r, ())


@TABLE.on(CLOSED, event=DeskResumed, to=(BUSY,))
def resume(r: Desk, e: DeskResumed, here: Here) -> tuple[Desk, Out]:
    """A wait is over; a task with others on top of it goes on when they are over."""
    if e.task not in r.waiting:
        return r, ()
    on_top = r.stack[-1] == e.task
    r = replace(r, waiting=r.waiting.delete(e.task))
    return go_on(r, here) if on_top else (r, ())


def go_on(r: Desk, here: Here) -> tuple[Desk, Out]:
    """The task on top of the stack runs again; others may queue behind it, if it is the only one."""
    r = replace(r, state=CLOSED if len(r.stack) > 1 else BUSY)
    return take_back(r, here) if here.policy.cpu_back == "resume" else (r, ())


TABLE.never(FREE, event=DeskBlocked, why="only a running task blocks")
TABLE.ignore(BUSY, FREE, event=DeskResumed, why="it is open")
