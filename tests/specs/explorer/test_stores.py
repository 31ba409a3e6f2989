"""The room of one store is searched by itself, with copies that do as they like."""

from __future__ import annotations

from typing import Any

import pytest

from freehold.core import room
from freehold.core.machine import replace
from freehold.core.node_events import CopyBusy, CopyIdle, Reserved, ReserveFailed, RoomFreed, RoomOverdue
from freehold.specs.explorer.plain import gone_through
from freehold.specs.explorer.stores import Store, Storing


def not_asked_back(r: Any, e: CopyBusy, here: Any) -> Any:
    """A hold that is granted while somebody waits for room is kept."""
    return room.must_stay(r, e, here)


def gives_back_last(r: Any, e: Reserved, here: Any) -> Any:
    """Bytes that nobody wants any more are given back after the next are asked for."""
    after, out = room.reserved(r, e, here)
    return after, tuple(reversed(out)) if r.reserving not in r.queue else out


def evicts_the_last(r: Any, e: ReserveFailed, here: Any) -> Any:
    """Not the copy that has been idle longest goes."""
    return room.make_room(replace(r, idle=r.idle.update({object: -since for object, since in r.idle.items()})), e, here)


def waits_on(r: Any, e: RoomOverdue, here: Any) -> Any:
    """Whoever has waited for long enough waits on."""
    return replace(r, overdue=0), ()


def forgets_to_try(r: Any, e: RoomFreed, here: Any) -> Any:
    """What comes back while the driver is asked is not heeded."""
    after, out = room.freed(r, e, here)
    return replace(after, eased=False), out


@pytest.mark.parametrize(
    ("state", "event", "run", "said"),
    [
        (room.AWAITING, CopyBusy, not_asked_back, "nobody has asked for the holds on"),
        (room.RESERVING, Reserved, gives_back_last, "waits, and there is room for it"),
        (room.RESERVING, ReserveFailed, evicts_the_last, "is evicted, and"),
        (room.AWAITING, RoomOverdue, waits_on, "goes on to wait"),
        (room.RESERVING, RoomFreed, forgets_to_try, "waits, and there is room for it"),
    ],
)
def test_a_broken_row_is_found(state: Any, event: Any, run: Any, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(state.rows, event, run)
    outcome = gone_through(Store(2, (1, 1, 2), acts=5))
    assert said in outcome.wrong and outcome.way


def test_the_interesting_things_happen() -> None:
    seen = set[str]()

    class Watched(Store):
        def wrong(self, state: Storing) -> str:
            r = state.record
            seen.add(r.state.name)
            seen.update(["throttled"] if r.state is room.OPEN and r.queue else [])
            seen.update(["asked back"] if state.asked_back else [])
            seen.update(["two idle"] if len(state.idle) > 1 else [])
            return super().wrong(state)

    assert gone_through(Watched(2, (1, 1, 2), acts=5)).wrong == ""
    assert seen == {"OPEN", "RESERVING", "AWAITING", "throttled", "asked back", "two idle"}
    assert CopyIdle in room.AWAITING.rows
