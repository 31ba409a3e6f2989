"""The search: all states of a model, nearest first, so that the first counterexample is one of the fewest choices.

A state is a row of small numbers and a layer of the search an array of rows, so that millions of states are stepped
and compared at once.  Of a state that has been left only a hash of 64 bits is kept, and how it was reached; and of one
from which only one way leads on, not even that: it is gone through as often as it is come to.

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
TOLD_MAX = 100  # of the wrong states of a layer, of which the nearest is told
STEPS_MAX = 1 << 20  # without a choice
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

    def only(self, rows: Rows) -> Moves:
        """Return what happens next in those states from which only one way leads on."""
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

    states: int  # different ones in which there was a choice
    transitions: int
    depth: int  # choices
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
    wrong: list[tuple[str, list[int], int]] = []  # what, the choices that lead there, and how far behind the last

    def take(rows: Rows, origin: Numbers, action: Numbers) -> tuple[Rows, Numbers, Numbers]:
        """Return the states that are new and have a choice; what is wrong in one is noted with the way there."""
        nonlocal transitions
        parts, behind = list[tuple[Rows, Numbers, Numbers]](), 0
        rows, origin, action = fresh(known, rows, origin, action)
        while len(rows):
            for index, what in model.wrong(rows):
                wrong.append((what, [*way_to(ways, int(origin[index])), int(action[index])], behind))
            next = model.only(rows)
            transitions, behind = transitions + len(next.rows), behind + 1
            choice = np.ones(len(rows), bool)
            choice[next.origin] = False
            parts.append((rows[choice], origin[choice], action[choice]))
            rows, origin, action = next.rows, origin[next.origin], action[next.origin]
            rows = model.same(rows) if len(rows) else rows
        if parts:
            rows, origin, action = fresh(known, *joined(parts))
            known.add(np.sort(hashed(rows)))
        return rows, origin, action

    first = model.same(model.first())
    rows, *way = take(first, np.arange(len(first)), np.arange(len(first)))
    ways.append((way[0], way[1]))
    depth, enough = 0, False
    while len(rows) and not enough:
        layer = []
        for begin in range(0, len(rows), ROWS_MAX):
            moves = model.moves(rows[begin : begin + ROWS_MAX])
            transitions += len(moves.rows)
            layer.append(take(model.same(moves.rows), moves.origin + begin, moves.action))
        rows, origin, action = joined(layer)
        ways.append((origin.astype(np.int32), action))
        depth += 1
        each_layer(depth, len(known))
        late = time.perf_counter() - start > seconds_max
        enough = len(wrong) >= violations_max or len(known) >= states_max or late
    found = [(what, whole(model, choices, behind)) for what, choices, behind in wrong[:TOLD_MAX]]
    found.sort(key=lambda one: len(one[1]))
    seconds = time.perf_counter() - start
    return Found(len(known), transitions, depth, seconds, not len(rows), found[:violations_max])


def joined(parts: list[tuple[Rows, Numbers, Numbers]]) -> tuple[Rows, Numbers, Numbers]:
    """Return states, and how each was reached, as one."""
    rows, origin, action = (np.concatenate(some) for some in zip(*parts, strict=True))
    return rows, origin, action


def fresh(known: Known, rows: Rows, origin: Numbers, action: Numbers) -> tuple[Rows, Numbers, Numbers]:
    """Return those states that are not known, each once."""
    hashes, at = np.unique(hashed(rows), return_index=True)
    at = np.sort(at[known.fresh(hashes)])
    return rows[at], origin[at], action[at]


def whole(model: Model, choices: list[int], behind: int) -> list[int]:
    """Return the number of a first state and the actions from there, with those between choices.

    Args:
        model: what was searched.
        choices: the first state, and the actions where there was a choice.
        behind: how many actions follow behind the last of these.
    """
    begin, *chosen = choices
    row, way = model.same(model.first())[begin : begin + 1], [begin]
    for index in range(len(choices)):
        if index:
            moves = model.moves(row)
            at = int(np.flatnonzero(moves.action == chosen[index - 1])[0])
            row = model.same(moves.rows[at : at + 1])
            way.append(chosen[index - 1])
        left = behind if index == len(chosen) else STEPS_MAX
        while left and len((next := model.only(row)).rows):
            row, left = model.same(next.rows), left - 1
            way.append(int(next.action[0]))
    return way


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
