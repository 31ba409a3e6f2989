"""What may go wrong between automata: parties die, and links break, and a part of what is on its way is lost.

The doomed die right behind one of their steps, a link breaks right behind a message that was sent on it: if it happened
later, and nothing was done or sent meanwhile, nobody would see a difference.  What is lost is the end of what waits.
Those hear of a death for whom it makes a difference, and who know already that the other is dead.

Refuses to know why anything happens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from freehold.specs.explorer.parties import Facts
from freehold.specs.explorer.search import Moves, Numbers, Rows, chosen, joined

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from freehold.specs.explorer.automata import System

DEAD = 0  # the number of the state of a party that is no more
NOTHING = 0  # the number of the word without messages
EVENT_BITS, PARTY_BITS, ARRIVAL_BITS = 24, 4, 3  # of an action: what is told, to whom; how much of a word still arrives
TOLD_BITS = EVENT_BITS + PARTY_BITS
MOURNS = Facts._fields.index("mourns")
DEATH, BREAK, STRIKE = 1, 2, 3  # what has gone wrong by an action, before the numbers of those that arrive


class Fate(NamedTuple):
    """What may go wrong in a system."""

    doomed: tuple[tuple[int, ...], ...] = ()  # who may die; each of these groups at once
    link: tuple[int, int] | None = None  # that may break; nothing passes between its ends then any more


class Fates:
    """Deaths and broken links, as states after states.

    Args:
        system: whose.
        fates: one of which may happen, or a part of it.
    """

    def __init__(self, system: System, fates: list[Fate]) -> None:
        self.system = system
        self.groups = sorted({group for fate in fates for group in fate.doomed})
        self.links = sorted({system.column[fate.link] for fate in fates if fate.link is not None})
        self.struck = np.zeros(system.count, bool)  # who has been put to death although no link could break any more
        ends = zip(system.source.tolist(), system.target.tolist(), strict=True)
        self.minds = np.array([system.parties.minds(target, source) for source, target in ends])  # of each channel's
        bits = 2 + ARRIVAL_BITS * max([len(list(self.leaving(group))) for group in self.groups], default=2)
        if TOLD_BITS + bits > 63:
            raise OverflowError(
                f"the deaths of {system.count} parties do not fit into a number; make the model smaller"
            )

    def first(self, row: Rows, fate: Fate) -> Rows:
        """Return the states in which a system may begin: some of the doomed do nothing at all."""
        system = self.system
        row[0, system.doomed] = sum(1 << party for group in fate.doomed for party in group)
        row[0, system.link] = 0 if fate.link is None else system.column[fate.link]
        moves = Moves(np.zeros(1, np.int64), np.zeros(1, np.int64), row.copy())
        for group in fate.doomed:
            moves = joined([moves, self.dying(moves, group)])
        return joined([moves, *[self.breaking(moves, link) for link in self.links]]).rows

    def after(self, moves: Moves, party: Numbers, used: NDArray[np.bool_]) -> Moves:
        """Return moves, and those that end with a death or a broken link.

        Args:
            moves: steps.
            party: whose.
            used: whether something was sent on the link that may break.
        """
        deaths = [self.dying(chosen(moves, np.isin(party, group)), group) for group in self.groups]
        return joined([moves, *deaths, *[self.breaking(chosen(moves, used), link) for link in self.links]])

    def may_be_lost(self, doomed: NDArray[Any], link: NDArray[Any], channel: Numbers) -> NDArray[np.bool_]:
        """Tell of messages whether they may still be lost, because one of those between whom they are may die.

        Who has lost a link may be put to death for it; that others may be is learned when they are.

        Args:
            doomed: the column of the doomed in the state in which each waits.
            link: and that of the link.
            channel: where it waits.
        """
        system, ends = self.system, np.abs(link)
        lost = np.zeros(len(channel), bool)
        for one in (system.source[channel], system.target[channel]):
            lost |= (doomed >> one & 1 == 1) | self.struck[one]
            lost |= self.is_end(ends, one)
        return lost

    def is_end(self, link: NDArray[Any], party: Any) -> NDArray[np.bool_]:
        """Tell whether a party is at one of the ends of the link, if there is one."""
        found: NDArray[np.bool_] = (link > 0) & (
            (self.system.source[link] == party) | (self.system.target[link] == party)
        )
        return found

    def is_on_link(self, link: NDArray[Any], channel: Numbers) -> NDArray[np.bool_]:
        """Tell of channels whether they belong to the link that may break, or has broken."""
        link = np.abs(link)
        found: NDArray[np.bool_] = (link > 0) & ((channel == link) | (self.system.reverse[channel] == link))
        return found

    def at_stake(self, rows: Rows) -> NDArray[np.bool_]:
        """Tell of each party in each state whether it has lost another one, and it is not decided yet who has to go.

        Until then it is promised nothing: what one had sent to the other may come after it was taken for dead.
        """
        link = rows[:, self.system.link]
        found = np.zeros((len(rows), self.system.count), bool)
        for party in range(self.system.count if self.links else 0):
            found[:, party] = (link < 0) & self.is_end(-link, party)
        return found

    # ------------------------------------------------------------------ what goes wrong

    def dying(self, moves: Moves, group: Iterable[int]) -> Moves:
        """Return the states after the death of some where they are doomed; so much of what they have sent arrives."""
        moves = chosen(moves, moves.rows[:, self.system.doomed] & sum(1 << one for one in group) != 0)
        moves = self.shortened(moves, DEATH, [column for column, _, _ in self.leaving(group)])
        self.bury(moves.rows, group)
        return moves

    def striking(self, moves: Moves, which: NDArray[np.bool_], party: int) -> Moves:
        """Return the states in which less arrives of what a party had sent that some moves put to death.

        These moves become such that all of it arrives; only if it does, whoever has done so may die right behind that.
        """
        system, at = self.system, np.flatnonzero(which & (moves.rows[:, party] != DEAD))
        found = chosen(moves, at)
        if not self.struck[party] and not self.is_end(np.abs(found.rows[:, system.link]), party).all():
            self.struck[party] = True
            system.lessons += 1
        rows = found.rows.copy()
        self.bury(rows, [party])
        moves.rows[at] = rows
        found = self.shortened(found, STRIKE, [column for column, _, _ in self.leaving([party])])
        self.bury(found.rows, [party])
        return found

    def breaking(self, moves: Moves, link: int) -> Moves:
        """Return the states after the end of a link, where it may break; so much of what is on its way arrives."""
        system = self.system
        moves = chosen(moves, moves.rows[:, system.link] == link)
        ways = (link, int(system.reverse[link]))
        moves = self.shortened(moves, BREAK, ways)
        for way in ways:
            told = np.full(len(moves.rows), system.told[system.source[way]])
            moves.rows[:, way] = system.joined_once(moves.rows[:, way], told)
        moves.rows[:, system.link] = -link
        return moves

    # ------------------------------------------------------------------ in steps

    def leaving(self, group: Iterable[int]) -> Iterator[tuple[int, int, int]]:
        """Yield the channels on which some send to others: column, source, target."""
        group = [*group]
        for source, target in product(group, range(self.system.count)):
            if target not in group:
                yield self.system.column[source, target], source, target

    def bury(self, rows: Rows, group: Iterable[int]) -> None:
        """Let some be no more; others hear of it, and nothing is on its way to the dead any more."""
        system = self.system
        self.tell(rows, group)
        for one in group:
            rows[:, one] = DEAD
            rows[:, system.doomed] &= ~(1 << one)
            rows[:, [system.column[other, one] for other in range(system.count)]] = NOTHING
        for column, _, target in self.leaving(group):
            rows[rows[:, target] == DEAD, column] = NOTHING

    def shortened(self, moves: Moves, what: int, columns: Iterable[int]) -> Moves:
        """Return the states with as much of what waits on some channels as may still arrive, in all ways."""
        system, (origin, action, rows) = self.system, moves
        wrong = np.full(len(rows), what)
        for column in columns:
            length = system.length[rows[:, column]]
            if length.max(initial=0) >> ARRIVAL_BITS:
                raise OverflowError(f"{length.max()} messages wait on a channel; make the model smaller")
            link = rows[:, system.link]  # on one that is broken nothing waits but the news of that
            whole = (link < 0) & self.is_on_link(link, np.full(len(rows), column))
            whole |= rows[:, system.source[column]] == DEAD  # they are dead already
            least = np.where(whole, length, 0)
            some = [
                np.flatnonzero((least <= count) & (count <= length)) for count in range(int(length.max(initial=0)) + 1)
            ]
            counts = np.repeat(np.arange(len(some)), [len(at) for at in some])
            at = np.concatenate(some)
            rows, origin, action = rows[at], origin[at], action[at]
            wrong = wrong[at] << ARRIVAL_BITS | counts
            rows[:, column] = system.kept(rows[:, column], counts)
        return Moves(origin, action | wrong << TOLD_BITS, rows)

    def tell(self, rows: Rows, group: Iterable[int]) -> None:
        """Let others hear of the end of some, behind what still arrives of them; a broken link is no news."""
        system = self.system
        for column, source, target in self.leaving(group):
            link = rows[:, system.link]
            broken = (link < 0) & self.is_on_link(link, np.full(len(rows), column))
            mourns = system.facts[rows[:, target]][:, MOURNS] >> source & 1 == 1
            hears = (mourns | self.minds[column]) & (rows[:, source] != DEAD) & (rows[:, target] != DEAD) & ~broken
            told = np.full(int(hears.sum()), system.told[source])
            rows[hears, column] = system.joined_once(rows[hears, column], told)
        for each in self.links:
            if not {*group}.isdisjoint((system.source[each], system.target[each])):
                rows[np.abs(rows[:, system.link]) == each, system.link] = 0


def decoded(action: int) -> tuple[int, int, int, tuple[int, ...]]:
    """Return what an action's number stands for: an event, whom it is told, what has gone wrong, and what arrives.

    The last are numbers of messages: of those to each of the others for a death, of those each way for a link.
    """
    told, party = action & ((1 << EVENT_BITS) - 1), action >> EVENT_BITS & ((1 << PARTY_BITS) - 1)
    arrive, rest = list[int](), action >> TOLD_BITS
    while rest > STRIKE:
        arrive.append(rest & ((1 << ARRIVAL_BITS) - 1))
        rest >>= ARRIVAL_BITS
    return told, party, rest, tuple(reversed(arrive))
