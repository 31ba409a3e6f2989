"""The link, row by row: in this record, this event gives this record and asks for this."""

from __future__ import annotations

from typing import Any

import pytest
from immutables import Map

from freehold.core.effects import CancelTimer, SetTimer
from freehold.core.ids import HEAD, node_id
from freehold.core.link import (
    CLEAR,
    CLOSED,
    CUT,
    EARLY_MAX,
    RESEND_SECONDS,
    SENDING,
    TRIES_MAX,
    Broken,
    Frame,
    FrameCame,
    Heard,
    Link,
    MessageDue,
    ResendDue,
)

PEER, NEW = node_id(1), 101  # what the party mints
assert PEER != HEAD


def sending(*numbers: int, **fields: Any) -> Link:
    """A link on which these messages are open."""
    messages = tuple([(number, f"m{number}") for number in numbers])
    return Link(PEER, SENDING, numbers[-1], messages, **{"attempt": 5, **fields})


def frame(number: int, heard: int = 0) -> Frame:
    return Frame(PEER, number, f"m{number}" if number > 0 else None, heard)


def came(number: int, heard: int = 0) -> FrameCame:
    return FrameCame(PEER, number, f"m{number}" if number > 0 else None, heard)


def timer(tries: int = 0) -> SetTimer:
    return SetTimer(NEW, RESEND_SECONDS * 2**tries, ResendDue(PEER, NEW))


STOP, LOST, DUE = CancelTimer(5), Broken(PEER), ResendDue(PEER, 5)
HANDED = [Heard(PEER, f"m{number}") for number in range(4)]
NONE, GONE = Link(PEER), Link(PEER, CUT)
ROWS: dict[str, list[tuple[str, Link, Any, Link, Any]]] = {
    "sent": [
        ("the first", NONE, MessageDue(PEER, "m1"), sending(1, attempt=NEW), (frame(1), timer())),
        ("another", sending(1, heard=3), MessageDue(PEER, "m2"), sending(1, 2, heard=3), (frame(2, 3),)),
        ("to the lost", GONE, MessageDue(PEER, "m1"), GONE, (LOST,)),
    ],
    "acknowledged": [
        ("all", sending(1, 2, tries=3), came(0, 2), Link(PEER, sent=2), (STOP,)),
        ("a part", sending(1, 2, tries=3), came(0, 1), sending(2), ()),
        ("nothing new", sending(1, 2, tries=3), came(0, 0), sending(1, 2, tries=3), ()),
        ("too late", Link(PEER, sent=2), came(0, 1), Link(PEER, sent=2), ()),
    ],
    "came": [
        ("in order", NONE, came(1), Link(PEER, heard=1), (HANDED[1], frame(0, 1))),
        ("early", NONE, came(2), Link(PEER, early=Map({2: "m2"})), (frame(0, 0),)),
        (
            "what was missing",
            Link(PEER, early=Map({2: "m2"})),
            came(1),
            Link(PEER, heard=2),
            (HANDED[1], HANDED[2], frame(0, 2)),
        ),
        ("once more", Link(PEER, heard=1), came(1), Link(PEER, heard=1), (frame(0, 1),)),
        ("far too early", NONE, came(EARLY_MAX + 1), NONE, (frame(0, 0),)),
        (
            "with an acknowledgement",
            sending(1),
            came(1, 1),
            Link(PEER, sent=1, heard=1),
            (HANDED[1], frame(0, 1), STOP),
        ),
        ("from the lost", GONE, came(1), GONE, (frame(CLOSED),)),
    ],
    "not acknowledged in time": [
        ("sent again", sending(1, 2), DUE, sending(1, 2, tries=1, attempt=NEW), (frame(1), frame(2), timer(1))),
        ("in vain too often", sending(1, tries=TRIES_MAX - 1), DUE, Link(PEER, CUT, 1), (frame(CLOSED), STOP, LOST)),
        ("of another timer", sending(1, attempt=6), DUE, sending(1, attempt=6), ()),
    ],
    "the peer has given up": [
        ("while all is clear", NONE, came(CLOSED), GONE, (LOST,)),
        ("while something is open", sending(1, heard=2), came(CLOSED), Link(PEER, CUT, 1, heard=2), (STOP, LOST)),
        ("and so have we", GONE, came(CLOSED), GONE, ()),
    ],
}


@pytest.mark.parametrize(
    ("before", "event", "after", "out"),
    [pytest.param(*case, id=f"{section}: {name}") for section, cases in ROWS.items() for name, *case in cases],
)
def test_a_row(step: Any, before: Link, event: Any, after: Link, out: Any) -> None:
    assert step(before, event) == (after, out)


def test_a_clear_link_has_no_timer() -> None:
    assert NONE.state is CLEAR and NONE.attempt == 0
