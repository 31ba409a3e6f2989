"""Timers: each event that is set and not cancelled comes once, and never before its time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.backends.local import timers
from freehold.backends.local.timers import NEVER, Timers
from freehold.core.events import DeadlinePassed, Event

ACTS = st.one_of(
    st.tuples(st.just("set"), st.integers(0, 20), st.integers(0, 10)),
    st.tuples(st.just("cancel"), st.integers(0, 20), st.just(0)),
    st.tuples(st.just("pass"), st.just(0), st.integers(1, 5)),
)


@given(st.lists(ACTS, max_size=60))
def test_what_is_set_comes_in_its_time(acts: list[tuple[str, int, int]]) -> None:
    now, due, model, used = 0.0, Timers(), dict[int, float](), set[int]()  # a timer's number is never given again
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timers, "monotonic", lambda: now)
        patch.setattr(timers, "CANCELLED_MAX", 3)
        for act, timer, seconds in acts:
            if act == "set" and timer not in used:
                used.add(timer)
                first = due.set(timer, seconds, DeadlinePassed(timer))
                assert not first or all(now + seconds <= when for when in model.values())
                model[timer] = now + seconds
            elif act == "cancel":
                due.cancel(timer)
                model.pop(timer, None)
            elif act == "pass":
                now += seconds
                came = list[Event]()
                while (found := due.next())[0] is not None:
                    came.append(found[0])
                assert found[1] == min([when - now for when in model.values() if when > now], default=NEVER)
                assert sorted(came, key=repr) == sorted(
                    [DeadlinePassed(timer) for timer, when in model.items() if when <= now], key=repr
                )
                model = {timer: when for timer, when in model.items() if when > now}


def test_cleared_timers_never_come() -> None:
    due = Timers()
    due.set(1, 0.0, DeadlinePassed(1))
    due.clear()
    assert due.next() == (None, NEVER)
