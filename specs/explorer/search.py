"""The search: all states of a model, nearest first, so that the first counterexample is one of the fewest choices.

A state is a row of small numbers and a layer of the search an array of rows, so that millions of states are stepped
and compared at once.  Of a state that has been left only a hash of 64 bits is kept, and how it was reached; and of one
from which only one way leads on, not even that: it is gone through as often as it is come to.

Refuses to know what is modelled.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int32]  # states x columns
Numbers = NDArray[np.int64]
Hashes = NDArray[np.uint64]
ROWS_MAX = 1 << 17  # stepped at once
TOLD_MAX = 100  # of the wrong states of a layer, of which the nearest is told
STEPS_MAX = 1000  # in a row without a choice; where they end they are taken to go on for ever
ENDLESS = f"messages go on for ever: {STEPS_MAX:,} have come, one after the other, and nothing else makes a difference"
MIX = np.uint64(0x9E3779B97F4A7C15)  # an odd number near 2^64 / golden ratio: consecutive numbers are spread by it


class Moves(NamedTuple):
    """What may happen next in some states."""

    origin: Numbers  # which of the states
    action: Numbers  # what happens; another number for each move of a state
    rows: Rows  # the state after it


class Model(Protocol):
    """What can be searched."""

    lessons: int  # how often it has learned that from some states more ways lead on than it took for true

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
        if len(hashes):
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


class Visited:
    """What a search has come to."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.known = Known()
        self.ways: list[tuple[Numbers, Numbers]] = []  # of each layer, from which state of the last, and by what action
        self.transitions = 0
        self.wrong: list[tuple[str, tuple[list[int], int]]] = []  # what; which choices lead there, and what is behind

    def leave(self, rows: Rows) -> Iterator[Moves]:
        """Yield what may happen next in the states of a layer."""
        for begin in range(0, len(rows), ROWS_MAX):
            moves = self.model.moves(rows[begin : begin + ROWS_MAX])
            self.transitions += len(moves.rows)
            yield Moves(moves.origin + begin, moves.action, self.model.same(moves.rows))

    def arrive(self, moves: Iterable[Moves]) -> Rows:
        """Come to a layer; return its states."""
        origin, action, rows = joined([self.take(some) for some in moves])
        self.ways.append((origin.astype(np.int32), action))
        return rows

    def take(self, moves: Moves) -> Moves:
        """Return the moves to states that are new and have a choice, each once; what is wrong in one is noted."""
        moves, parts = self.fresh(moves), list[Moves]()
        while len(moves.rows):
            endless = [(0, ENDLESS)] if len(parts) == STEPS_MAX else []
            for index, what in [*self.model.wrong(moves.rows), *endless]:
                choices = [*way_to(self.ways, int(moves.origin[index])), int(moves.action[index])]
                self.wrong.append((what, (choices, len(parts))))
            if endless:
                parts.append(moves)
                break
            next = self.model.only(moves.rows)
            self.transitions += len(next.rows)
            choice = np.ones(len(moves.rows), bool)
            choice[next.origin] = False
            parts.append(Moves(moves.origin[choice], moves.action[choice], moves.rows[choice]))
            rows = self.model.same(next.rows) if len(next.rows) else next.rows
            moves = Moves(moves.origin[next.origin], moves.action[next.origin], rows)
        moves = self.fresh(joined(parts or [moves]))
        self.known.add(np.sort(hashed(moves.rows)))
        return moves

    def fresh(self, moves: Moves) -> Moves:
        """Return the moves to states that are not known, each once."""
        hashes, at = np.unique(hashed(moves.rows), return_index=True)
        at = np.sort(at[self.known.fresh(hashes)])
        return Moves(moves.origin[at], moves.action[at], moves.rows[at])


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
    start, lessons, again = time.perf_counter(), -1, False
    while lessons != model.lessons:  # what is wrong is to be found again by what was learned, or the way there is lost
        lessons, come = model.lessons, Visited(model)
        first = model.same(model.first())
        rows = come.arrive([Moves(np.arange(len(first)), np.arange(len(first)), first)])
        depth, enough = 0, False
        while len(rows) and not enough:
            rows = come.arrive(come.leave(rows))
            depth += 1
            each_layer(depth, len(come.known))
            late = time.perf_counter() - start > seconds_max or len(come.known) >= states_max
            enough = len(come.wrong) >= violations_max or (late and not again)
        again = bool(come.wrong)
        if not again:
            break
    some = come.wrong[: max(TOLD_MAX, violations_max)]
    violations = sorted([(what, whole(model, *where)) for what, where in some], key=lambda one: len(one[1]))
    seconds = time.perf_counter() - start
    return Found(len(come.known), come.transitions, depth, seconds, not len(rows), violations[:violations_max])


def joined(moves: Iterable[Moves]) -> Moves:
    """Return all moves together."""
    return Moves(*(np.concatenate(some) for some in zip(*moves, strict=True)))


def chosen(moves: Moves, which: NDArray[Any]) -> Moves:
    """Return some of the moves."""
    return Moves(moves.origin[which], moves.action[which], moves.rows[which])


def whole(model: Model, choices: list[int], behind: int) -> list[int]:
    """Return the number of a first state and the actions from there, with those between choices.

    Args:
        model: what was searched.
        choices: the first state, and the actions where there was a choice.
        behind: how many actions follow behind the last of these.
    """
    begin, *actions = choices
    row, way = model.same(model.first())[begin : begin + 1], [begin]
    for index in range(len(choices)):
        if index:
            moves = model.moves(row)
            at = int(np.flatnonzero(moves.action == actions[index - 1])[0])
            row = model.same(moves.rows[at : at + 1])
            way.append(actions[index - 1])
        left = behind if index == len(actions) else STEPS_MAX
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
