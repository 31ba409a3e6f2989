"""The search: all states of a model, nearest first, so that the first counterexample is a shortest one.

A state is a row of small numbers and a layer of the search an array of rows, so that millions of states are stepped
and compared at once.  Of a state that has been left only a hash of 64 bits is kept, and how it was reached.

Refuses to know what is modelled.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int32]  # states x columns
Numbers = NDArray[np.int64]
Hashes = NDArray[np.uint64]
ROWS_MAX = 1 << 17  # stepped at once
MIX = np.uint64(0x9E3779B97F4A7C15)  # an odd number near 2^64 / golden ratio: consecutive numbers are spread by it


class Moves(NamedTuple):
    """What may happen next in some states."""

    origin: Numbers  # which of the states
    action: Numbers  # what happens; another number for each move of a state
    rows: Rows  # the state after it


class Model(Protocol):
    """What can be searched."""

    def first(self) -> Rows:
        """Return the states in which it may begin."""
        ...

    def moves(self, rows: Rows) -> Moves:
        """Return all that may happen next in some states."""
        ...

    def same(self, rows: Rows) -> Rows:
        """Return, for each state, the one that stands for all that differ from it in nothing of interest."""
        ...

    def weight(self, actions: Numbers) -> NDArray[np.float64]:
        """Return how likely actions are, compared with each other, when chance decides."""
        ...

    def wrong(self, rows: Rows) -> Iterator[tuple[int, str]]:
        """Yield which of the states are wrong, and what is wrong in them."""
        ...


class Found(NamedTuple):
    """What a search has found."""

    states: int
    transitions: int
    depth: int
    seconds: float
    exhausted: bool  # every state that can be reached was visited
    violations: list[tuple[str, list[int]]]  # what is wrong; the number of the first state, and the actions from there


class Known:
    """A set of hashes: sorted arrays, each at least twice as long as the next."""

    def __init__(self) -> None:
        self.runs: list[Hashes] = []

    def __len__(self) -> int:
        return sum(map(len, self.runs))

    def fresh(self, hashes: Hashes) -> NDArray[np.bool_]:
        """Tell which are not in the set."""
        new = np.ones(len(hashes), bool)
        for run in self.runs:
            at = np.searchsorted(run, hashes)
            at[at == len(run)] = 0
            new &= run[at] != hashes
        return new

    def add(self, hashes: Hashes) -> None:
        """Add sorted hashes that are not in the set."""
        self.runs.append(hashes)
        while len(self.runs) > 1 and len(self.runs[-2]) < 2 * len(self.runs[-1]):
            last = self.runs.pop()
            self.runs[-1] = np.sort(np.concatenate([self.runs[-1], last]), kind="stable")


def hashed(rows: Rows) -> Hashes:
    """Return a hash of each row."""
    total = np.zeros(len(rows), np.uint64)
    for column in rows.T:
        total = (total ^ column.astype(np.uint64)) * MIX
        total ^= total >> np.uint64(29)
    return total


def search(
    model: Model,
    *,
    states_max: int = 1 << 40,
    seconds_max: float = float("inf"),
    violations_max: int = 1,
    each_layer: Callable[[int, int], Any] = lambda depth, states: None,
) -> Found:
    """Visit all states, nearest first, until all are known or enough is.

    Args:
        model: what is searched.
        states_max: stop after the layer that has so many.
        seconds_max: stop after the layer in which so much time has passed.
        violations_max: be content with so many.
        each_layer: called with the depth that is finished and the states known.
    """
    start = time.perf_counter()
    known, ways, transitions = Known(), list[tuple[Numbers, Numbers]](), 0
    violations: list[tuple[str, list[int]]] = []

    def take(rows: Rows, origin: Numbers, action: Numbers, into: list[tuple[Rows, Numbers, Numbers]]) -> None:
        """Keep the states that are new; what is wrong in one is noted with the way there."""
        hashes, at = np.unique(hashed(rows), return_index=True)
        new = known.fresh(hashes)
        known.add(hashes[new])
        at = np.sort(at[new])
        into.append((rows[at], origin[at], action[at]))
        for index, what in model.wrong(rows[at]):
            violations.append((what, [*way_to(ways, int(origin[at][index])), int(action[at][index])]))

    first = model.same(model.first())
    layer: list[tuple[Rows, Numbers, Numbers]] = []
    take(first, np.arange(len(first)), np.arange(len(first)), layer)
    rows, depth = layer[0][0], 0
    ways.append(layer[0][1:])
    enough = False
    while len(rows) and not enough:
        layer = []
        for begin in range(0, len(rows), ROWS_MAX):
            moves = model.moves(rows[begin : begin + ROWS_MAX])
            transitions += len(moves.rows)
            take(model.same(moves.rows), moves.origin + begin, moves.action, layer)
        rows, origin, action = (np.concatenate(parts) for parts in zip(*layer, strict=True))
        ways.append((origin.astype(np.int32), action))
        depth += 1
        each_layer(depth, len(known))
        late = time.perf_counter() - start > seconds_max
        enough = len(violations) >= violations_max or len(known) >= states_max or late
    seconds = time.perf_counter() - start
    return Found(len(known), transitions, depth, seconds, not len(rows), violations[:violations_max])


def way_to(ways: list[tuple[Numbers, Numbers]], index: int) -> list[int]:
    """Return the number of the first state and the actions that lead to a state of the last layer."""
    actions: list[int] = []
    for origin, action in reversed(ways):
        actions.append(int(action[index]))
        index = int(origin[index])
    return actions[::-1]


def wander(model: Model, *, seed: int, walkers: int, steps_max: int) -> Found:
    """Walk by chance, to places for which ``search`` is too slow: on each walk some things take a hundred times longer.

    Args:
        model: what is walked through.
        seed: of the chances.
        walkers: how many walk at once.
        steps_max: of each.
    """
    start, chance = time.perf_counter(), np.random.default_rng(seed)
    first = model.first()
    at = chance.integers(len(first), size=walkers)
    rows, walker = first[at], np.arange(walkers)
    ways: list[tuple[Numbers, Numbers]] = [(walker, at)]
    depth = transitions = 0
    while len(rows) and depth < steps_max:
        moves = model.moves(rows)
        slow = hashed(np.stack([walker[moves.origin], moves.action], axis=1)) % np.uint64(3) == 0
        wait = chance.exponential(size=len(slow)) / model.weight(moves.action) * np.where(slow, 100.0, 1.0)
        order = np.lexsort((wait, moves.origin))
        origin, index = np.unique(moves.origin[order], return_index=True)
        soonest = order[index]
        rows, walker = moves.rows[soonest], walker[origin]
        transitions, depth = transitions + len(rows), depth + 1
        ways.append((origin, moves.action[soonest]))
        for wrong, what in model.wrong(rows):
            found = [(what, way_to(ways, wrong))]
            return Found(0, transitions, depth, time.perf_counter() - start, False, found)
    return Found(0, transitions, depth, time.perf_counter() - start, False, [])
