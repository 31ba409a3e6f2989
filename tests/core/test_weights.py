"""How large messages are on the wire: by the values in them, wherever these are."""

from __future__ import annotations

import pytest

from freehold.core.ids import HEAD, worker_id
from freehold.core.messages import AnyMessage, LocateReply, ReleaseReply, TaskQuery, TaskReply
from freehold.core.values import Description, Payload, Placed, Slot
from freehold.core.weights import HEADER, nbytes_of

ME = worker_id(HEAD, 1)
VALUE, OTHER = Payload(1000, (), b"x" * 1000), Payload(50, (), b"y" * 50)


def task() -> Description:
    return Description(7, 8, "f", OTHER, (Slot(9, value=VALUE), Slot(10)), 1)


@pytest.mark.parametrize(
    ("message", "values"),
    [
        (ReleaseReply(7, 1, ME), 0),
        (LocateReply(7, 1, VALUE), 1000),
        (LocateReply(7, 1, Placed(1000, (HEAD,))), 0),
        (TaskQuery(7, 1, ME, task(), ()), 1050),
        (TaskReply(7, 1, ME, (VALUE, OTHER, Placed(5000, (HEAD,))), (), 0.1), 1050),
        (TaskReply(7, 1, ME, (Payload(9000),), (), 0.1), 0),  # a large one that its worker has placed itself
    ],
)
def test_values_weigh_what_they_are(message: AnyMessage, values: int) -> None:
    assert nbytes_of(message) == HEADER + values
