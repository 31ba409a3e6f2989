"""The desk, row by row: in this record, this event gives this record and asks for this."""

from __future__ import annotations

from typing import Any

import pytest
from immutables import Map

from freehold.core.desk import BUSY, CLOSED, FREE, Desk, Sitting
from freehold.core.effects import Send, SetTimer
from freehold.core.ids import HEAD, object_id, worker_id
from freehold.core.node_messages import BlockedNotice, ResumedNotice
from freehold.core.policies import DEFAULT, Policy
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

ME = worker_id(HEAD, 1)
A, B, C = (object_id(ME, number) for number in range(1, 4))  # tasks
X, Y, Z = (object_id(ME, number) for number in range(4, 7))  # objects that tasks wait for
NEW = 101  # what the party mints
TIMER = SetTimer(NEW, DEFAULT.slow_seconds, TurnSlow(NEW))
TIMED: dict[str, Any] = {"timed": True, "attempt": 7}  # a timer runs, for turn 1 unless the case says more
LENT, BACK = Send(HEAD, BlockedNotice(ME)), Send(HEAD, ResumedNotice(ME))

Case = tuple[str, Desk, Any, Desk, Any]


def busy(*stack: int, turns: int = 1, **fields: Any) -> Desk:
    return Desk(BUSY, turns, stack or (A,), **fields)


def closed(*stack: int, turns: int = 1, **fields: Any) -> Desk:
    return Desk(CLOSED, turns, stack or (A,), **fields)


def on(**tasks: tuple[int, ...]) -> dict[str, Any]:
    """Tasks wait for objects, and the CPU is lent."""
    return {"waiting": Map({{"a": A, "b": B}[name]: objects for name, objects in tasks.items()}), "lends": True}


WAITING, BENEATH = closed(**on(a=(X,))), closed(A, B, **on(a=(X,)))  # A waits; B runs on top of it


def line(*queue: int, timed_turn: int = 1, **fields: Any) -> Desk:
    """Tasks wait behind A, and the timer runs."""
    return busy(queue=queue, timed_turn=timed_turn, **{**TIMED, **fields})


WANTED: list[Case] = [
    ("the desk is free", Desk(), TurnWanted(A), busy(), (TurnGiven(A),)),
    ("free, for one that came for a thread that waits", Desk(), TurnWanted(B, X), Desk(), (TurnLost(B),)),
    (
        "behind another: a timer is set",
        busy(),
        TurnWanted(B),
        busy(queue=(B,), timed=True, attempt=NEW, timed_turn=1),
        (TIMER,),
    ),
    ("behind two others: the timer runs", line(B), TurnWanted(C), line(B, C), ()),
    ("the thread that was to wait goes on", busy(), TurnWanted(B, X), busy(), (TurnLost(B),)),
    ("behind a task that takes long", closed(), TurnWanted(B), closed(), (TurnLost(B),)),
    ("a task that takes long does not wait", closed(), TurnWanted(B, X), closed(), (TurnLost(B),)),
    ("behind a task that waits", WAITING, TurnWanted(B), WAITING, (TurnLost(B),)),
    ("it waits for another object", WAITING, TurnWanted(B, Y), WAITING, (TurnLost(B),)),
    (
        "it waits for this one, among others: on top of it",
        closed(**on(a=(Y, X))),
        TurnWanted(B, X),
        closed(A, B, turns=2, **on(a=(Y, X))),
        (TurnGiven(B),),
    ),
    ("another runs there already", BENEATH, TurnWanted(C, X), BENEATH, (TurnLost(C),)),
]

OVER: list[Case] = [
    ("nobody waits in line", busy(), TurnOver(A), Desk(turns=1), ()),
    ("it took long", closed(), TurnOver(A), Desk(turns=1), ()),
    ("the only one in line", line(B), TurnOver(A), busy(B, turns=2, timed_turn=1, **TIMED), (TurnGiven(B),)),
    (
        "the next one has others behind it: its time begins",
        busy(queue=(B, C)),
        TurnOver(A),
        busy(B, turns=2, queue=(C,), timed=True, attempt=NEW, timed_turn=2),
        (TurnGiven(B), TIMER),
    ),
    ("beneath it another waits, and may be helped once more", BENEATH, TurnOver(B), WAITING, (DeskWaits(A),)),
    (
        "beneath it another waits, which has taken its CPU back for a while",
        closed(A, B, waiting=Map({A: (X,)})),
        TurnOver(B),
        WAITING,
        (LENT, DeskWaits(A)),
    ),
    ("beneath it another goes on, with its CPU", closed(A, B, lends=True), TurnOver(B), busy(), (BACK,)),
    ("beneath it two are left", closed(A, B, C), TurnOver(C), closed(A, B), ()),
]

SLOW: list[Case] = [
    (
        "who waits behind it is handed back",
        line(B, C),
        TurnSlow(7),
        closed(attempt=7, timed_turn=1),
        (TurnLost(B), TurnLost(C)),
    ),
    (
        "the timer was for an earlier task",
        line(B, turns=2),
        TurnSlow(7),
        busy(turns=2, queue=(B,), timed=True, attempt=NEW, timed_turn=2),
        (TIMER,),
    ),
    ("nobody waits behind it any more", line(), TurnSlow(7), busy(attempt=7, timed_turn=1), ()),
    ("another timer", line(B), TurnSlow(6), line(B), ()),
    ("the desk is free", Desk(timed=True, attempt=7), TurnSlow(7), Desk(attempt=7), ()),
    ("the desk is closed already", closed(**TIMED), TurnSlow(7), closed(attempt=7), ()),
    ("a cancelled task leaves the line", line(B, C), TurnDropped(B), line(C), ()),
]

WAITS: list[Case] = [
    ("its CPU is lent", busy(), DeskBlocked(A, (X,)), WAITING, (LENT,)),
    (
        "who waits behind it is handed back",
        line(B),
        DeskBlocked(A, (X,)),
        closed(timed_turn=1, **TIMED, **on(a=(X,))),
        (TurnLost(B), LENT),
    ),
    ("after it took long", closed(), DeskBlocked(A, (X,)), WAITING, (LENT,)),
    ("another thread of it, for more", WAITING, DeskBlocked(A, (Y, Z)), closed(**on(a=(X, Y, Z))), ()),
    (
        "on top of another that waits: the CPU is lent already",
        BENEATH,
        DeskBlocked(B, (Y,)),
        closed(A, B, **on(a=(X,), b=(Y,))),
        (),
    ),
    (
        "beneath another: a thread of its own waits, not this one",
        closed(A, B),
        DeskBlocked(A, (X,)),
        closed(A, B, waiting=Map({A: (X,)})),
        (),
    ),
    ("it goes on", WAITING, DeskResumed(A), busy(), (BACK,)),
    ("it goes on, on top of another", closed(A, B, **on(b=(X,))), DeskResumed(B), closed(A, B), (BACK,)),
    ("its wait is over, but another is on top of it", BENEATH, DeskResumed(A), closed(A, B, lends=True), ()),
    ("it did not wait", WAITING, DeskResumed(B), WAITING, ()),
]

ROWS = {"turn wanted": WANTED, "turn over": OVER, "time": SLOW, "wait": WAITS}


@pytest.mark.parametrize(
    ("before", "event", "after", "out"),
    [pytest.param(*case, id=f"{section}: {name}") for section, cases in ROWS.items() for name, *case in cases],
)
def test_a_row(step: Any, before: Desk, event: Any, after: Desk, out: Any) -> None:
    assert step(before, event) == (after, out)


def test_where_all_tasks_share_one_stack_the_cpu_comes_back_at_the_end(step: Any) -> None:
    policy = Policy(cpu_back="end")
    assert step(WAITING, DeskResumed(A), policy=policy) == (busy(lends=True), ())
    assert step(busy(lends=True), TurnOver(A), policy=policy) == (Desk(turns=1), (BACK,))


@pytest.mark.parametrize("state", [BUSY, FREE], ids=lambda state: state.name)
def test_nothing_changes(step: Any, state: Sitting) -> None:
    before = Desk(state)
    assert step(before, DeskResumed(A)) == (before, ())
