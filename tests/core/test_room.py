"""Room, row by row: in this record, this event gives this record and asks for this."""

from __future__ import annotations

from typing import Any

import pytest
from immutables import Map

from freehold.core.copy import CREATE
from freehold.core.effects import CancelTimer, Release, Reserve, SetTimer
from freehold.core.ids import HEAD, object_id, object_name, worker_id
from freehold.core.node import Node
from freehold.core.node_events import (
    CopyBusy,
    CopyEvicted,
    CopyIdle,
    HoldsRecalled,
    PullOver,
    Reserved,
    ReserveFailed,
    RoomDenied,
    RoomFreed,
    RoomGranted,
    RoomOverdue,
    RoomWanted,
)
from freehold.core.policies import Policy
from freehold.core.room import AWAITING, OPEN, RESERVING, Ask, Room, Rooming
from freehold.core.values import Failure, Want

A, B, C, D = (object_id(worker_id(HEAD, 1), number) for number in range(1, 5))
CAPACITY, PLACE = 1000, 64
POLICY = Policy(store_wait=2.0, pull_share=0.5)
NEW, TIMER = 101, 9  # what the party mints; a timer that runs

Case = tuple[str, Room, Any, Room, Any]


def room(state: Rooming, *queue: Ask, **fields: Any) -> Room:
    """The store asks for the first in the queue, unless the case says for whom; maps are given as dictionaries."""
    if state is RESERVING:
        fields = {"attempt": 7, "reserving": queue[0] if queue else None, **fields}
    maps = {name: Map(value) for name, value in fields.items() if isinstance(value, dict)}
    return Room(CAPACITY, state, queue=queue, **(fields | maps))


def asking(*queue: Ask, **fields: Any) -> Room:
    """The driver has just been asked, for the first in the queue."""
    return room(RESERVING, *queue, attempt=NEW, **fields)


def reserve(ask: Ask) -> Reserve:
    return Reserve(ask.object, NEW, ask.nbytes)


def wanted(ask: Ask) -> RoomWanted:
    return RoomWanted(ask.object, ask.nbytes, ask.want)


def full(ask: Ask, used: str = "used 0 B; largest: nothing") -> RoomDenied:
    text = f"asked {ask.nbytes:,} B; capacity 1,000 B; {used}"
    return RoomDenied(ask.object, Failure("full", ask.object, 0, text))


PUT, GET = Ask(A, 100, CREATE), Ask(B, 200, Want.GET)
WAIT, RUN = Ask(C, 300, Want.WAIT), Ask(D, 400, Want.RUN)
SMALL_RUN = Ask(D, 200, Want.RUN)  # fits into the share of pulls beside WAIT
HUGE = Ask(A, 1001, Want.GET)
PULLED: dict[str, Any] = {"sizes": {B: 250}, "pulls": {B: 250}}  # half of what pulls may have

ASKED: list[Case] = [
    ("the driver is asked", room(OPEN), wanted(PUT), asking(PUT), (reserve(PUT),)),
    (
        "it can never fit",
        room(OPEN, sizes={C: 300, D: 400}),
        wanted(HUGE),
        room(OPEN, sizes={C: 300, D: 400}),
        (full(HUGE, f"used 700 B; largest: {object_name(D)} 400 B, {object_name(C)} 300 B"),),
    ),
    (
        "a pull for a wait, while pulls have their share",
        room(OPEN, **PULLED),
        wanted(WAIT),
        room(OPEN, WAIT, **PULLED),
        (),
    ),
    (
        "a pull for a task that fits into the share",
        room(OPEN, **PULLED),
        wanted(SMALL_RUN),
        asking(SMALL_RUN, **PULLED),
        (reserve(SMALL_RUN),),
    ),
    (
        "a single pull may be of any size",
        room(OPEN),
        wanted(Ask(D, 900, Want.RUN)),
        asking(Ask(D, 900, Want.RUN)),
        (Reserve(D, NEW, 900),),
    ),
    (
        "a get does not wait for pulls",
        room(OPEN, WAIT, **PULLED),
        wanted(PUT),
        asking(PUT, WAIT, **PULLED),
        (reserve(PUT),),
    ),
    ("by urgency, and then first come", room(RESERVING, GET, RUN), wanted(PUT), room(RESERVING, GET, PUT, RUN), ()),
    (
        "one that waits already becomes more urgent",
        room(RESERVING, PUT, WAIT, RUN),
        RoomWanted(D, 400, Want.GET),
        room(RESERVING, PUT, Ask(D, 400, Want.GET), WAIT),
        (),
    ),
    ("one that is being served", room(RESERVING, WAIT), RoomWanted(C, 300, Want.GET), room(RESERVING, WAIT), ()),
    (
        "one that was being served, and was withdrawn",
        room(RESERVING, GET, reserving=WAIT),
        RoomWanted(C, 300, Want.RUN),
        room(RESERVING, GET, Ask(C, 300, Want.RUN), reserving=WAIT),
        (),
    ),
    (
        "while room is waited for: it comes first, and is tried",
        room(AWAITING, RUN, overdue=TIMER),
        wanted(PUT),
        asking(PUT, RUN, overdue=TIMER),
        (reserve(PUT),),
    ),
    (
        "while room is waited for: a pull comes first, but must wait",
        room(AWAITING, SMALL_RUN, overdue=TIMER, **PULLED),
        wanted(WAIT),
        room(OPEN, WAIT, SMALL_RUN, overdue=TIMER, **PULLED),
        (),
    ),
    (
        "while room is waited for: it comes later",
        room(AWAITING, WAIT, overdue=TIMER),
        wanted(RUN),
        room(AWAITING, WAIT, RUN, overdue=TIMER),
        (),
    ),
    (
        "while room is waited for, it can never fit",
        room(AWAITING, RUN),
        wanted(HUGE),
        room(AWAITING, RUN),
        (full(HUGE),),
    ),
]

OURS = Reserved(7, PLACE)
ANSWERS: list[Case] = [
    (
        "it was the only one",
        room(RESERVING, PUT),
        OURS,
        room(OPEN, attempt=7, sizes={A: 100}),
        (RoomGranted(A, PLACE),),
    ),
    (
        "the next is asked for, and the timer is stopped",
        room(RESERVING, GET, WAIT, overdue=TIMER),
        OURS,
        asking(WAIT, sizes={B: 200}),
        (CancelTimer(TIMER), RoomGranted(B, PLACE), reserve(WAIT)),
    ),
    (
        "a pull counts, and the next must wait for it",
        room(RESERVING, WAIT, RUN),
        OURS,
        room(OPEN, RUN, attempt=7, sizes={C: 300}, pulls={C: 300}),
        (RoomGranted(C, PLACE),),
    ),
    (
        "nobody wants it any more",
        room(RESERVING, reserving=GET),
        OURS,
        room(OPEN, attempt=7),
        (Release(B, PLACE, 200),),
    ),
    (
        "somebody else does",
        room(RESERVING, WAIT, reserving=GET),
        OURS,
        asking(WAIT),
        (Release(B, PLACE, 200), reserve(WAIT)),
    ),
    ("of an earlier question", room(RESERVING, PUT), Reserved(6, PLACE), room(RESERVING, PUT), ()),
    (
        "no range: what has been idle longest goes",
        room(RESERVING, PUT, sizes={B: 200, C: 300}, idle={B: 4, C: 3}),
        ReserveFailed(7),
        room(AWAITING, PUT, attempt=7, sizes={B: 200, C: 300}, idle={B: 4, C: 3}),
        (CopyEvicted(C),),
    ),
    (
        "no range, nothing idle: holds are asked back, and a time is set",
        room(RESERVING, PUT, sizes={C: 300, B: 200}),
        ReserveFailed(7),
        room(AWAITING, PUT, attempt=7, sizes={C: 300, B: 200}, overdue=NEW),
        (SetTimer(NEW, 2.0, RoomOverdue(A, NEW)), HoldsRecalled(B), HoldsRecalled(C)),
    ),
    (
        "once more: the time runs",
        room(RESERVING, PUT, sizes={B: 200}, overdue=TIMER),
        ReserveFailed(7),
        room(AWAITING, PUT, attempt=7, sizes={B: 200}, overdue=TIMER),
        (HoldsRecalled(B),),
    ),
    ("something was freed meanwhile", room(RESERVING, PUT, eased=True), ReserveFailed(7), asking(PUT), (reserve(PUT),)),
    (
        "nobody waits any more",
        room(RESERVING, reserving=PUT, overdue=TIMER),
        ReserveFailed(7),
        room(OPEN, attempt=7),
        (CancelTimer(TIMER),),
    ),
    ("of an earlier question: no range", room(RESERVING, PUT), ReserveFailed(6), room(RESERVING, PUT), ()),
]

LATE, UNTIMED = RoomOverdue(C, TIMER), RoomOverdue(C, 8)
OVERDUE: list[Case] = [
    ("the only one", room(AWAITING, WAIT, overdue=TIMER), LATE, room(OPEN), (full(WAIT),)),
    ("others wait", room(AWAITING, WAIT, RUN, overdue=TIMER), LATE, asking(RUN), (full(WAIT), reserve(RUN))),
    (
        "it was withdrawn: the first has a time of its own",
        room(AWAITING, RUN, overdue=TIMER),
        LATE,
        asking(RUN),
        (reserve(RUN),),
    ),
    (
        "the driver is asked for it again",
        room(RESERVING, WAIT, RUN, overdue=TIMER),
        LATE,
        room(RESERVING, RUN, reserving=WAIT),
        (full(WAIT),),
    ),
    ("it was withdrawn, another is served", room(RESERVING, GET, overdue=TIMER), LATE, room(RESERVING, GET), ()),
    (
        "behind a pull that must wait",
        room(OPEN, WAIT, RUN, overdue=TIMER, **PULLED),
        RoomOverdue(D, TIMER),
        room(OPEN, WAIT, **PULLED),
        (full(RUN, f"used 250 B; largest: {object_name(B)} 250 B"),),
    ),
    (
        "it was withdrawn, pulls must wait",
        room(OPEN, RUN, overdue=TIMER, **PULLED),
        LATE,
        room(OPEN, RUN, **PULLED),
        (),
    ),
    *[
        (f"an earlier time ({state.name})", r, UNTIMED, r, ())
        for state in Rooming
        for r in [room(state, WAIT, overdue=TIMER, **PULLED)]
    ],
]

FREED: list[Case] = [
    (
        "a copy, idle or pulled",
        room(OPEN, sizes={A: 100, B: 200}, pulls={B: 200}, idle={B: 1}),
        RoomFreed(B, 200, True),
        room(OPEN, sizes={A: 100}),
        (),
    ),
    (
        "a pull: the next may begin",
        room(OPEN, WAIT, **PULLED),
        RoomFreed(B, 250, True),
        asking(WAIT, sizes={}, pulls={}),
        (reserve(WAIT),),
    ),
    (
        "room is waited for: try again",
        room(AWAITING, PUT, overdue=TIMER, sizes={B: 200}),
        RoomFreed(B, 200),
        asking(PUT, overdue=TIMER),
        (reserve(PUT),),
    ),
    (
        "who waited wants none any more",
        room(AWAITING, PUT, overdue=TIMER),
        RoomFreed(A, 0),
        room(OPEN),
        (CancelTimer(TIMER),),
    ),
    (
        "while the driver is asked",
        room(RESERVING, PUT, sizes={B: 200}),
        RoomFreed(B, 200),
        room(RESERVING, PUT, eased=True),
        (),
    ),
    (
        "who is asked for wants none any more",
        room(RESERVING, PUT, GET),
        RoomFreed(A, 0),
        room(RESERVING, GET, reserving=PUT, eased=True),
        (),
    ),
    (
        "a pull is over: the next may begin",
        room(OPEN, WAIT, **PULLED),
        PullOver(B),
        asking(WAIT, sizes={B: 250}),
        (reserve(WAIT),),
    ),
    ("a pull is over, nobody waits", room(OPEN, **PULLED), PullOver(B), room(OPEN, sizes={B: 250}), ()),
    (
        "a pull for a get is over: it did not count",
        room(OPEN, WAIT, **PULLED),
        PullOver(A),
        room(OPEN, WAIT, **PULLED),
        (),
    ),
    *[
        (
            f"a pull is over ({state.name})",
            room(state, PUT, **PULLED),
            PullOver(B),
            room(state, PUT, sizes={B: 250}),
            (),
        )
        for state in (RESERVING, AWAITING)
    ],
]

IDLE: list[Case] = [
    (
        "it may go after the others",
        room(OPEN, idle={A: 3}, clock=4),
        CopyIdle(B),
        room(OPEN, idle={A: 3, B: 4}, clock=5, eased=True),
        (),
    ),
    (
        "while the driver is asked",
        room(RESERVING, GET),
        CopyIdle(A),
        room(RESERVING, GET, idle={A: 0}, clock=1, eased=True),
        (),
    ),
    (
        "room is waited for: try again",
        room(AWAITING, GET, overdue=TIMER),
        CopyIdle(A),
        asking(GET, overdue=TIMER, idle={A: 0}, clock=1),
        (reserve(GET),),
    ),
    (
        "room is waited for, but the first, which came meanwhile, must wait for a pull",
        room(AWAITING, WAIT, SMALL_RUN, **PULLED),
        CopyIdle(A),
        room(OPEN, WAIT, SMALL_RUN, idle={A: 0}, clock=1, **PULLED),
        (),
    ),
    *[
        (
            f"held again ({state.name})",
            room(state, *queue, idle={A: 3, B: 4}),
            CopyBusy(A),
            room(state, *queue, idle={B: 4}),
            (HoldsRecalled(A),) if state is AWAITING else (),
        )
        for state, queue in ((OPEN, ()), (RESERVING, (PUT,)), (AWAITING, (PUT,)))
    ],
    ("held by one more", room(OPEN, idle={B: 4}), CopyBusy(A), room(OPEN, idle={B: 4}), ()),
]

ROWS = {"wanted": ASKED, "answer": ANSWERS, "overdue": OVERDUE, "freed": FREED, "idle": IDLE}


@pytest.mark.parametrize(
    ("before", "event", "after", "out"),
    [pytest.param(*case, id=f"{section}: {name}") for section, cases in ROWS.items() for name, *case in cases],
)
def test_a_row(step: Any, before: Room, event: Any, after: Room, out: Any) -> None:
    assert step(before, event, Node(HEAD, CAPACITY, (), POLICY)) == (after, out)
