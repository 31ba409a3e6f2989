"""Other rows in place of those of the tables, for a while: for every party that runs in this process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from freehold.core.events import Event
from freehold.core.machine import Handler, State

Cell = tuple[State, type[Event]]


def rows(cells: Iterable[Cell]) -> dict[Cell, Handler]:
    """Return the functions that run in cells now."""
    return {(state, event): state.rows[event] for state, event in cells if event in state.rows}


@contextmanager
def instead(handlers: Mapping[Cell, Handler]) -> Iterator[None]:
    """Let other functions run in some cells."""
    true = rows(handlers)
    for (state, event), run in handlers.items():
        state.rows[event] = run
    try:
        yield
    finally:
        for (state, event), run in true.items():
            state.rows[event] = run
