"""What lies beside the parties is searched by itself: the threads of a process, and a link that loses frames."""

from __future__ import annotations

from typing import Any

import pytest

from freehold.core import handover, link
from freehold.core.link import FrameCame, Link, MessageDue, ResendDue
from freehold.core.machine import replace
from freehold.specs.explorer.beside import QUICK, HandOver, Lossy, Wire
from freehold.specs.explorer.plain import gone_through


@pytest.mark.parametrize("name", QUICK)
def test_nothing_is_wrong(name: str) -> None:
    model: Any = QUICK[name]
    outcome = gone_through(model)
    assert (outcome.wrong, outcome.way) == ("", []) and outcome.states > 100


def test_the_states_of_one_thread_can_be_counted_by_hand() -> None:
    """It is away, leads, or leads and has been served."""
    outcome = gone_through(HandOver(1))
    assert (outcome.states, outcome.depth, outcome.wrong) == (3, 2, "")


def leads_alone(r: Any, e: Any, here: Any) -> Any:
    """The lead is not passed on."""
    return handover.Handover(), ()


def wakes_nobody(r: Any, e: Any, here: Any) -> Any:
    """Who is served is not told."""
    after, _ = handover.serve(r, e, here)
    return after, ()


def wakes_again(r: Any, e: Any, here: Any) -> Any:
    """Who was served stays in the line."""
    _, out = handover.serve(r, e, here)
    return r, out


@pytest.mark.parametrize(
    ("event", "run", "said"),
    [
        (handover.ThreadLeft, leads_alone, "nobody leads"),
        (handover.ThreadServed, wakes_nobody, "nobody tells them"),
        (handover.ThreadServed, wakes_again, ""),
    ],
)
def test_a_broken_hand_over_is_found(event: Any, run: Any, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(handover.LED.rows, event, run)
    outcome = gone_through(HandOver(3))
    assert outcome.wrong and said in outcome.wrong and outcome.way


def hands_on_at_once(r: Link, e: FrameCame, here: Any) -> Any:
    """Whatever comes is handed on."""
    after, out = link.hear(r, e, here)
    return replace(after, heard=e.number), (link.Heard(r.peer, e.message),) if e.number else out


def forgets(r: Link, e: ResendDue, here: Any) -> Any:
    """Nothing is sent again."""
    return replace(r, state=link.CLEAR, open=()), ()


def believes(r: Link, e: MessageDue, here: Any) -> Any:
    """What was sent is taken for heard."""
    after, out = link.number(r, e, here)
    return replace(after, open=after.open[-1:]), out


@pytest.mark.parametrize(
    ("state", "event", "run"),
    [
        (link.CLEAR, FrameCame, hands_on_at_once),
        (link.SENDING, ResendDue, forgets),
        (link.SENDING, MessageDue, believes),
    ],
)
def test_a_broken_link_is_found(state: Any, event: Any, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(state.rows, event, run)
    outcome = gone_through(Lossy(3))
    assert outcome.wrong and outcome.way


def test_what_is_lost_is_sent_again_and_a_link_is_cut() -> None:
    """The interesting things really happen."""
    seen = set[str]()

    class Watched(Lossy):
        def wrong(self, state: Wire) -> str:
            seen.update(end.state.name for end in state.ends)
            seen.update("early" for end in state.ends if end.early)
            seen.update(
                "all heard, with a loss" for _ in state.heard[0] if len(state.heard[0]) == 2 and not state.left[1]
            )
            return super().wrong(state)

    gone_through(Watched(2, tries=link.TRIES_MAX - 1))
    gone_through(Watched(2))
    assert seen == {"CLEAR", "SENDING", "CUT", "early", "all heard, with a loss"}
