"""The inquest: one question for all that a death concerns; the dead are let go when those who were found are known."""

from __future__ import annotations

from typing import Any

import pytest
from immutables import Map

from freehold.core.effects import Send
from freehold.core.events import Lent
from freehold.core.ids import HEAD, object_id, worker_id
from freehold.core.inquest import ASKING, PAIRS_MAX, QUIET, Inquest
from freehold.core.inquest_events import InquestDue, InquestOver, InquestWanted
from freehold.core.messages import InquestQuery, InquestReply

ME, B, C, D = [worker_id(HEAD, number) for number in (1, 2, 3, 4)]
X, Y = object_id(ME, 7), object_id(ME, 8)
NEW = 101  # what the party mints


def pairs(*some: tuple[int, int]) -> Map[tuple[int, int], bool]:
    return Map(dict.fromkeys(some, True))


def next_about(*some: tuple[int, int]) -> Inquest:
    return Inquest(following=pairs(*some))


OPEN = Inquest(ASKING, 5, pairs((X, B), (Y, B)))

Case = tuple[str, Inquest, Any, Inquest | None, Any]
CASES: list[Case] = [
    ("the first", Inquest(), InquestWanted(X, B), next_about((X, B)), (InquestDue(),)),
    ("another", next_about((X, B)), InquestWanted(Y, B), next_about((X, B), (Y, B)), ()),
    ("the same", next_about((X, B)), InquestWanted(X, B), next_about((X, B)), ()),
    ("while a question is open", OPEN, InquestWanted(X, C), Inquest(ASKING, 5, OPEN.pairs, pairs((X, C))), ()),
    ("while it is asked already", OPEN, InquestWanted(X, B), Inquest(ASKING, 5, OPEN.pairs, pairs((X, B))), ()),
    (
        "the question: each object once",
        next_about((X, B), (X, C), (Y, B)),
        InquestDue(),
        Inquest(ASKING, NEW, pairs((X, B), (X, C), (Y, B))),
        (Send(HEAD, InquestQuery((ME, NEW), (X, Y))),),
    ),
    ("nobody else holds them", OPEN, InquestReply(5, ()), None, (InquestOver(X, B), InquestOver(Y, B))),
    (
        "somebody was found",
        OPEN,
        InquestReply(5, ((Y, D),)),
        None,
        (Lent(Y, (D,)), InquestOver(X, B), InquestOver(Y, B)),
    ),
    (
        "there was another death meanwhile",
        Inquest(ASKING, 5, pairs((X, B)), pairs((X, C))),
        InquestReply(5, ()),
        Inquest(QUIET, following=pairs((X, C))),
        (InquestOver(X, B), InquestDue()),
    ),
    (
        "there was more to it",
        Inquest(ASKING, 5, pairs((X, B), (Y, B)), pairs((X, B))),
        InquestReply(5, ()),
        next_about((X, B)),
        (InquestOver(Y, B), InquestDue()),
    ),
    ("the answer to another question", OPEN, InquestReply(4, ()), OPEN, ()),
]


@pytest.mark.parametrize(("before", "event", "after", "out"), [pytest.param(*case, id=name) for name, *case in CASES])
def test_a_row(step: Any, before: Inquest, event: Any, after: Inquest | None, out: Any) -> None:
    assert step(before, event) == (after, out)


def test_what_does_not_fit_into_one_question_goes_into_the_next(step: Any) -> None:
    *some, last = [(object_id(ME, number), B) for number in range(PAIRS_MAX + 1)]
    after, (sent,) = step(next_about(last, *some), InquestDue())
    assert (after.pairs, after.following) == (pairs(*some), pairs(last)) and len(sent.message.objects) == PAIRS_MAX
