"""What a model of some parties is: what each does when it is told something, and what matters of it.

Refuses to know how behaviours are gone through.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from freehold.specs.explorer.fates import Fate
    from freehold.specs.explorer.symmetry import Permutation


class Delivery(NamedTuple):
    """A message arrives."""

    source: int
    message: Hashable

    def renamed(self, parties: Parties, permutation: Permutation) -> Delivery:
        """Return it with other names of parties."""
        return Delivery(permutation[self.source], parties.renamed(self.message, permutation))


class Act(NamedTuple):
    """What a party may do of itself."""

    what: Any  # hashable
    cost: tuple[int, ...]  # of each budget

    def renamed(self, parties: Parties, permutation: Permutation) -> Act:
        """Return it with other names of parties."""
        return Act(parties.renamed(self.what, permutation), self.cost)


class Step(NamedTuple):
    """What a party makes of what it is told."""

    after: Hashable  # its state; a Wrong if it must not do so
    sent: tuple[tuple[int, Hashable], ...] = ()  # to whom, and which message
    ends: int = -1  # whom it puts to death, if anybody
    doubt: str = ""  # why it must not do so, unless somebody has died or a link has broken


class Wrong(NamedTuple):
    """The state of a party that has done what it must not."""

    what: str


class Facts(NamedTuple):
    """What matters of a party's state to what must be true in a system."""

    has: int = 0  # objects to which its user has a reference, a bit for each
    gone: int = 0  # objects that it owned and has released
    reads: int = 0  # copies that it may read where they lie
    lends: int = 0  # copies that it lets one read, a bit for each copy and reader
    borrowed: int = 0  # what it holds of what others lend it, a bit for each thing and how much of it
    lent: int = 0  # what others hold of it, in the same way
    keeps: int = 0  # objects of which it has the copy that is not to be evicted
    runs: bool = False  # a task of a user runs, or a value is read
    waits: bool = False  # something that is not to stay once nothing is on its way
    left: bool = False  # something that is not to stay once nobody has a reference, either
    mourns: int = 0  # parties that it knows to be dead, a bit for each


class Parties(Protocol):
    """What the automata are."""

    count: int
    budgets: tuple[int, ...]  # how much all may do of themselves
    fates: list[Fate]  # one of which may happen, or some of it
    alike: list[Permutation]  # which change nothing but names, beside that of who dies

    def first(self) -> list[Hashable]:
        """Return the state in which each party begins."""
        ...

    def late(self) -> list[tuple[int, Delivery]]:
        """Return what is on its way then, and to whom."""
        ...

    def step(self, party: int, before: Any, told: Delivery | Act) -> Step:
        """Let a party do or be told something."""
        ...

    def may_do(self, party: int, state: Any) -> list[Act]:
        """Return what a party may do of itself."""
        ...

    def facts(self, party: int, state: Any) -> Facts:
        """Return what matters of a party's state to what must be true."""
        ...

    def complaint(self, states: list[Any]) -> str:
        """Return what is wrong in a state of all parties."""
        ...

    def renamed(self, thing: Any, permutation: Permutation) -> Any:
        """Return a state of a party, a message or an act with other names of parties in it."""
        ...

    def disagreement(self, one: int, state: Any, other: int, state_of_other: Any) -> str:
        """Return in what two parties do not agree, "" if in nothing; nothing is on its way between them."""
        ...

    def may_hear(self, party: int, state: Any, message: Any) -> bool:
        """Tell whether a message can reach a party in a state: not if the party does first what it follows from."""
        ...

    def lost(self, party: int) -> Hashable:
        """Return the message that tells of the end of a connection with a party."""
        ...

    def minds(self, party: int, other: int) -> bool:
        """Tell whether it matters that a party hears of the death of another, with which it has a connection.

        It does to whoever knows already that the other is dead: it may wait for an answer all the same.
        """
        ...
