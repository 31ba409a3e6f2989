"""Two-phase commit, of which others have counted the states: the search is held to their counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from freehold.specs.explorer.search import Found, Moves, Rows, search


class TwoPhaseCommit:
    """Gray and Lamport's two-phase commit (2006), whose messages are never taken away: a model of another kind.

    A row has a number for each resource manager (its state; whether its word was sent, and heard), then the state of
    the transaction manager, and whether it has said commit, or abort.
    """

    WORKING, PREPARED, COMMITTED, ABORTED = range(4)
    lessons = 0

    def __init__(self, managers: int, alike: bool = False) -> None:
        self.managers, self.alike = managers, alike

    def first(self) -> Rows:
        return np.zeros((1, 3 * self.managers + 3), np.int32)

    def same(self, rows: Rows) -> Rows:
        if not self.alike:
            return rows
        each = rows[:, :-3].reshape(len(rows), self.managers, 3)
        codes = np.sort(each @ np.array([4, 2, 1]), axis=1)  # a multiset of managers
        split = np.stack([codes >> 2, codes >> 1 & 1, codes & 1], axis=2)
        return np.concatenate([split.reshape(len(rows), -1), rows[:, -3:]], axis=1).astype(np.int32)

    def moves(self, rows: Rows) -> Moves:
        found: list[tuple[Any, int, Rows]] = []

        def rule(when: Any, *changes: tuple[int, int]) -> None:
            after = rows[when].copy()
            for column, value in changes:
                after[:, column] = value
            found.append((np.flatnonzero(when), len(found), after))

        tm, commit, abort = rows[:, -3], rows[:, -2], rows[:, -1]
        heard = rows[:, 2:-3:3]
        rule((tm == 0) & heard.all(axis=1), (-3, self.COMMITTED), (-2, 1))
        rule(tm == 0, (-3, self.ABORTED), (-1, 1))
        for manager in range(0, 3 * self.managers, 3):
            state, sent = rows[:, manager], rows[:, manager + 1]
            rule((tm == 0) & (sent == 1), (manager + 2, 1))
            rule(state == self.WORKING, (manager, self.PREPARED), (manager + 1, 1))
            rule(state == self.WORKING, (manager, self.ABORTED))
            rule(commit == 1, (manager, self.COMMITTED))
            rule(abort == 1, (manager, self.ABORTED))
        origin = np.concatenate([at for at, _, _ in found])
        action = np.concatenate([np.full(len(at), number) for at, number, _ in found])
        return Moves(origin, action, np.concatenate([after for _, _, after in found]))

    def only(self, rows: Rows) -> Moves:
        return Moves(np.zeros(0, np.int64), np.zeros(0, np.int64), rows[:0])

    def weight(self, actions: Any) -> Any:
        return np.ones(len(actions))

    def wrong(self, rows: Rows) -> Iterator[tuple[int, str]]:
        states = rows[:, 0:-3:3]
        both = (states == self.COMMITTED).any(axis=1) & (states == self.ABORTED).any(axis=1)
        yield from ((int(index), "one has committed and another aborted") for index in np.flatnonzero(both))


class Counted(NamedTuple):
    """A count that is known, and what the search has found."""

    name: str
    known: int
    found: Found


COUNTS = {(3, False): 288, (5, False): 8_832, (3, True): 80, (5, True): 314}  # resource managers, alike -> states


def counted() -> Iterator[Counted]:
    """Search each, and yield what was found.

    288 and 8,832 are published with the rules (Gray and Lamport 2006; the TLA+ examples); 80 is the number of
    multisets of three managers' states that can be reached, which can be counted by hand, 314 that of five.
    """
    for (managers, alike), known in COUNTS.items():
        name = f"two-phase commit of {managers}{', in any order' * alike}"
        yield Counted(name, known, search(TwoPhaseCommit(managers, alike)))
