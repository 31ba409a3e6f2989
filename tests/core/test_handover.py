"""The hand-over, row by row: in this record, this event gives this record and asks for this."""

from __future__ import annotations

from typing import Any

import pytest

from freehold.core.handover import FREE, LED, Handover, Lead, ThreadCame, ThreadLeft, ThreadServed, Wake

A, B, C, STRANGER = range(1, 5)  # threads


def led(leader: int, *followers: int) -> Handover:
    return Handover(LED, leader, followers)


NOBODY = Handover(FREE)
ROWS: list[tuple[str, Handover, Any, Handover, Any]] = [
    ("the first to wait leads", NOBODY, ThreadCame(A), led(A), (Lead(A),)),
    ("others follow", led(A), ThreadCame(B), led(A, B), ()),
    ("in the order in which they come", led(A, B), ThreadCame(C), led(A, B, C), ()),
    ("a follower is served", led(A, B, C), ThreadServed(B), led(A, C), (Wake(B),)),
    ("it is woken once", led(A, C), ThreadServed(B), led(A, C), ()),
    ("the leader looks for itself", led(A, B), ThreadServed(A), led(A, B), ()),
    ("the leader goes, nobody waits", led(A), ThreadLeft(A), NOBODY, ()),
    ("the leader goes: who has waited longest leads", led(A, B, C), ThreadLeft(A), led(B, C), (Lead(B),)),
    ("a follower goes", led(A, B, C), ThreadLeft(B), led(A, C), ()),
    ("one that was served goes", led(A, C), ThreadLeft(B), led(A, C), ()),
    ("one that was served goes, nobody waits", NOBODY, ThreadLeft(A), NOBODY, ()),
    ("one is served that does not wait", NOBODY, ThreadServed(STRANGER), NOBODY, ()),
]


@pytest.mark.parametrize(("before", "event", "after", "out"), [pytest.param(*case, id=name) for name, *case in ROWS])
def test_a_row(step: Any, before: Handover, event: Any, after: Handover, out: Any) -> None:
    assert step(before, event) == (after, out)
