"""Parties that differ in name only: of states that are the same but for such names, one stands for all.

Refuses to know where in a party's state there are names; parties rename what is theirs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from freehold.specs.explorer.numbering import Column
from freehold.specs.explorer.search import Rows

if TYPE_CHECKING:
    from freehold.specs.explorer.automata import System
    from freehold.specs.explorer.fates import Fate
    from freehold.specs.explorer.parties import Act, Delivery

Permutation = tuple[int, ...]  # of parties: which one takes the part of each


class Symmetry:
    """The permutations of a system's parties that change nothing but names.

    Args:
        system: whose.
    """

    def __init__(self, system: System) -> None:
        fates = {under(fate, range(system.count)) for fate in system.fated}
        kept = [each for each in system.parties.alike if {under(fate, each) for fate in system.fated} == fates]
        self.renamings = [Renaming(system, permutation) for permutation in kept]

    def same(self, rows: Rows) -> Rows:
        """Return for each state the one that stands for all that differ from it in names only."""
        best = rows
        for renaming in self.renamings:
            other = renaming(rows)
            each, first = np.arange(len(rows)), (other != best).argmax(axis=1)
            best = np.where((other[each, first] < best[each, first])[:, None], other, best)
        return best


class Renaming:
    """A system's parties under other names.

    Args:
        system: whose.
        permutation: the party whose name each one gets.
    """

    def __init__(self, system: System, permutation: Permutation) -> None:
        self.system, self.permutation = system, permutation
        self.state = Column(system.states.values, self.renamed_state)
        self.event = Column(system.events.values, self.renamed_event)
        self.word = Column(system.words.values, self.renamed_word)
        self.column = np.arange(system.link + 1)  # where each of a row goes
        self.column[: system.count] = permutation
        for (source, target), column in system.column.items():
            self.column[column] = system.column[permutation[source], permutation[target]]
        self.mortals = [(one, permutation[one]) for group in system.fates.groups for one in group]
        self.links = np.arange(system.budgets)
        for link in system.fates.links:
            to = self.column[link]
            self.links[link] = to if to in system.fates.links else system.reverse[to]

    def __call__(self, rows: Rows) -> Rows:
        """Return states with other names."""
        system, new = self.system, np.empty_like(rows)
        new[:, self.column] = rows
        new[:, self.column[: system.count]] = self.state[rows[:, : system.count]]
        new[:, self.column[system.count : system.budgets]] = self.word[rows[:, system.count : system.budgets]]
        new[:, system.doomed] = sum((rows[:, system.doomed] >> one & 1) << other for one, other in self.mortals)
        link = rows[:, system.link]
        new[:, system.link] = self.links[np.abs(link)] * np.sign(link)
        return new

    def renamed_state(self, state: Any) -> int:
        """Return the number of a party's state with other names."""
        if state is None:
            return self.system.states(None)
        party, own = state
        return self.system.states((self.permutation[party], self.system.parties.renamed(own, self.permutation)))

    def renamed_event(self, event: Delivery | Act) -> int:
        """Return the number of an event with other names."""
        return self.system.events(event.renamed(self.system.parties, self.permutation))

    def renamed_word(self, word: tuple[int, ...]) -> int:
        """Return the number of a word with other names."""
        return self.system.words(tuple([self.event.of(told) for told in word]))


def under(fate: Fate, permutation: Iterable[int]) -> Any:
    """Return a fate of parties under other names, in whatever order it is told."""
    names = [*permutation]
    groups = frozenset(frozenset(names[one] for one in group) for group in fate.doomed)
    return groups, frozenset(names[end] for end in fate.link or ())
