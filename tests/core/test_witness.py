"""The witness: every object of a question is looked at, and all are answered for at once."""

from __future__ import annotations

from typing import Any

import pytest

from freehold.core.effects import Send
from freehold.core.ids import HEAD, object_id, worker_id
from freehold.core.inquest_events import HoldingAsked, HoldingTold
from freehold.core.messages import HoldersQuery, HoldersReply
from freehold.core.witness import TESTIFYING, Witness

ME, OWNER = worker_id(HEAD, 1), worker_id(HEAD, 2)
X, Y = object_id(OWNER, 7), object_id(OWNER, 8)
ASKED = (OWNER, 5)

Case = tuple[str, Witness, Any, Witness | None, Any]
CASES: list[Case] = [
    (
        "every object is looked at",
        Witness(ASKED),
        HoldersQuery(ASKED, 3, (X, Y)),
        Witness(ASKED, TESTIFYING, 3, 2),
        (HoldingAsked(X, ASKED), HoldingAsked(Y, ASKED)),
    ),
    (
        "whether the news has come",
        Witness(ASKED),
        HoldersQuery(ASKED, 3, ()),
        None,
        (Send(HEAD, HoldersReply(ASKED, 3, ME)),),
    ),
    (
        "one is held",
        Witness(ASKED, TESTIFYING, 3, 2),
        HoldingTold(ASKED, X, True),
        Witness(ASKED, TESTIFYING, 3, 1, ((X, ME),)),
        (),
    ),
    (
        "the last is not",
        Witness(ASKED, TESTIFYING, 3, 1, ((X, ME),)),
        HoldingTold(ASKED, Y, False),
        None,
        (Send(HEAD, HoldersReply(ASKED, 3, ME, ((X, ME),))),),
    ),
]


@pytest.mark.parametrize(("before", "event", "after", "out"), [pytest.param(*case, id=name) for name, *case in CASES])
def test_a_row(step: Any, before: Witness, event: Any, after: Witness | None, out: Any) -> None:
    assert step(before, event) == (after, out)
