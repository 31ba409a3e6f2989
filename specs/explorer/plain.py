"""A search for models whose states are plain values: small ones, in which nothing need be numbered or left out.

Refuses to know what is modelled.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator
from typing import Any, NamedTuple, Protocol, TypeVar

State = TypeVar("State", bound=Hashable)


class Model(Protocol[State]):
    """What can be searched."""

    def first(self) -> State:
        """Return the state in which it begins."""
        ...

    def moves(self, state: State) -> Iterator[tuple[str, State]]:
        """Yield what may happen next, in words, and the state after it."""
        ...

    def wrong(self, state: State) -> str:
        """Return what is wrong in a state, "" if nothing is."""
        ...


class Outcome(NamedTuple):
    """What a search has found."""

    states: int
    transitions: int
    depth: int
    seconds: float
    wrong: str  # the first thing that is wrong, "" if nothing is
    way: list[str]  # to the state in which it is, one of the shortest


def gone_through(model: Model[State], seconds_max: float = float("inf")) -> Outcome:
    """Visit all states, nearest first, until one is wrong or so much time has passed."""
    start, transitions, depth = time.perf_counter(), 0, 0
    came: dict[State, tuple[State | None, str]] = {model.first(): (None, "")}
    layer = [model.first()]
    while layer and time.perf_counter() - start < seconds_max:
        for state in layer:
            if what := model.wrong(state):
                return Outcome(len(came), transitions, depth, time.perf_counter() - start, what, way_to(state, came))
        following = []
        for state in layer:
            for what, after in model.moves(state):
                transitions += 1
                if after not in came:
                    came[after] = state, what
                    following.append(after)
        layer, depth = following, depth + bool(following)
    return Outcome(len(came), transitions, depth, time.perf_counter() - start, "", [])


def way_to(state: State, came: dict[State, tuple[State | None, str]]) -> list[str]:
    """Return what has happened until a state."""
    way, at = list[str](), came[state]
    while at[0] is not None:
        way.append(at[1])
        at = came[at[0]]
    return way[::-1]


# ------------------------------------------------------------------ for those who write a model


def put(items: tuple[Any, ...], index: int, item: Any) -> tuple[Any, ...]:
    """Return a tuple with one item changed."""
    return (*items[:index], item, *items[index + 1 :])


def spent(state: Any, what: int) -> Any:
    """Return a state with one less ``left`` of what may still happen."""
    return state._replace(left=put(state.left, what, state.left[what] - 1))
