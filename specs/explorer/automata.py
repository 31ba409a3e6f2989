"""A system of communicating automata: parties with numbered states, and the messages on their way between them.

A party is an automaton: in this state, told this, it is in that state and has sent those messages.  What a party does
is asked for once and kept, so that a state of the whole system, a row of small numbers, is stepped by looking up.
Between two parties messages arrive in order, everything else may overtake; what a party does of itself costs some of
a budget; what may go wrong, deaths and broken links, is told in ``fates``.

Deliveries of which ``independence`` says that they commute with all that may come are taken at once, and alone.

Refuses to know what the parties are and what is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import combinations, product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from freehold.specs.explorer.fates import DEAD, EVENT_BITS, TOLD_BITS, Fate, Fates
from freehold.specs.explorer.numbering import Column, Lookup, Numbering
from freehold.specs.explorer.parties import Act, Delivery, Facts, Parties, Step, Wrong
from freehold.specs.explorer.search import Moves, Numbers, Rows, joined
from freehold.specs.explorer.symmetry import Symmetry


class Taken(NamedTuple):
    """A step of a party, by numbers."""

    party: int
    before: int
    told: int
    after: int
    sent: tuple[tuple[int, int], ...]  # (the column of a channel, a word)
    ends: int
    doubt: int  # its state instead if nobody has died and no link has broken, -1: the same


class Next(NamedTuple):
    """What may happen next in some states."""

    origin: Numbers  # which state
    party: Numbers
    told: Numbers
    step: Numbers
    channel: Numbers  # -1 for an act

    def some(self, which: NDArray[Any]) -> Next:
        """Return some of it."""
        return Next(*(column[which] for column in self))


HAS = Facts._fields.index("has")


class System:
    """All behaviours of some parties: a model to search.

    A row has a column for the state of each party, one for the word on each channel, one for what is left of each
    budget; then one for the parties that are doomed, a bit for each; and the last for the link that may break: the
    column of one of its channels, less than 0 if it has broken.

    Args:
        parties: whose.
        fate: what may go wrong, if it is only one of the fates of ``parties``.
    """

    def __init__(self, parties: Parties, fate: Fate | None = None) -> None:
        self.parties = parties
        self.granted = parties.budgets  # for now
        count = self.count = parties.count
        self.channels = list(product(range(count), repeat=2))  # to itself: what a party's driver has still to answer
        self.column = {pair: count + index for index, pair in enumerate(self.channels)}
        self.budgets = count + len(self.channels)  # the first of their columns
        self.doomed = self.budgets + len(parties.budgets)
        self.link = self.doomed + 1
        ends = [*[(0, 0)] * count, *self.channels]
        self.source, self.target = (np.array(side) for side in zip(*ends, strict=True))
        self.reverse = np.array([self.column.get((target, source), 0) for source, target in ends])
        self.states: Numbering[Any] = Numbering(None)  # (party, its state)
        self.events: Numbering[Delivery | Act] = Numbering()
        self.words: Numbering[tuple[int, ...]] = Numbering(())  # events that are deliveries
        self.steps: list[Taken] = []
        self.told = [self.events(Delivery(party, parties.lost(party))) for party in range(count)]  # of each one's death
        self.alone = True  # whether deliveries that commute with all that may come are taken alone
        self.racing: set[Taken] = set()  # deliveries that do not commute with all that may come; see independence
        self.fated = parties.fates if fate is None else [fate]
        self.fates = Fates(self, self.fated)
        couples = [] if self.fates.links else combinations(range(count), 2)  # who have lost each other do not agree
        self.couples = [(one, other, self.column[one, other], self.column[other, one]) for one, other in couples]
        self.symmetry = Symmetry(self)
        self.lessons = 0
        self.judge: Callable[[], None] = lambda: None  # called before it is decided what is taken alone
        self.look_up()

    def look_up(self) -> None:
        """Make the tables in which whole arrays of numbers are looked up."""
        words, states, events, steps = self.words.values, self.states.values, self.events.values, self.steps
        self.step = Lookup(self.new_step)
        self.joined = Lookup(lambda word, more: self.words(words[word] + words[more]))
        self.joined_once = Lookup(lambda word, told: self.words((*words[word], *{told}.difference(words[word]))))
        self.kept = Lookup(lambda word, length: self.words(words[word][:length]))
        self.head = Column(words, lambda word: word[0] if word else -1)
        self.tail = Column(words, lambda word: self.words(word[1:]))
        self.length = Column(words, len)
        self.after = Column(steps, lambda step: step.after)
        self.ends = Column(steps, lambda step: step.ends)
        self.doubt = Column(steps, lambda step: step.doubt)
        self.races = Column(steps, self.racing.__contains__)
        self.sends: list[tuple[Column[Taken], Column[Taken]]] = []  # what a step sends first, second...: where, a word
        self.options: list[int] = []  # what may be done in a state, one state behind the other
        self.option = Column(self.options, int)
        self.offers = Column(states, self.list_options, 2)
        self.facts = Column(states, self.facts_of, len(Facts._fields))
        self.apart = Lookup(lambda one, other: int(bool(self.disagreement(one, other))))
        self.broken = Column(states, lambda state: state is not None and isinstance(state[1], Wrong))
        self.cost = [Column(events, partial(cost_of, nth)) for nth in range(len(self.parties.budgets))]

    # ------------------------------------------------------------------ one party

    def may_do(self, state: Any) -> list[int]:
        """Return what a party may do of itself in a state."""
        if state is None or isinstance(state[1], Wrong):
            return []
        return [self.events(act) for act in self.parties.may_do(*state)]

    def list_options(self, state: Any) -> tuple[int, int]:
        """Append what may be done in a state to the list; return where it begins, and how much it is."""
        start, some = len(self.options), self.may_do(state)
        self.options += some
        return start, len(some)

    def new_step(self, before: int, told: int) -> int:
        """Have a party take a step for the first time; return the step's number."""
        step = self.take(before, told)
        self.steps.append(step)
        if step.ends >= 0:
            self.racing.add(step)  # with all that the other may do
        while len(self.sends) < len(step.sent):
            self.sends.append((self.sent(len(self.sends), 0), self.sent(len(self.sends), 1)))
        return len(self.steps) - 1

    def take(self, before: int, told: int) -> Taken:
        """Have a party take a step."""
        party, state = self.states.values[before]
        step = Step(state) if isinstance(state, Wrong) else self.parties.step(party, state, self.events.values[told])
        words: dict[int, tuple[int, ...]] = {}
        for target, message in step.sent:
            column = self.column[party, target]
            words[column] = (*words.get(column, ()), self.events(Delivery(party, message)))
        sent = tuple([(column, self.words(word)) for column, word in words.items()])
        doubt = self.states((party, Wrong(step.doubt))) if step.doubt else -1
        return Taken(party, before, told, self.states((party, step.after)), sent, step.ends, doubt)

    def race(self, step: Taken) -> None:
        """A delivery does not commute with all that may come."""
        self.racing.add(step)
        self.lessons += 1
        number = self.step.known_of(step.before, step.told)
        if number is not None:
            self.races.put(number, 1)

    def sent(self, index: int, side: int) -> Column[Taken]:
        """Return on which channel (side 0), or what (1), each step sends as its first, second, ..."""
        return Column(self.steps, lambda step: step.sent[index][side] if index < len(step.sent) else -1)

    def facts_of(self, state: Any) -> Facts:
        """Return the facts about a state."""
        return Facts() if state is None or isinstance(state[1], Wrong) else self.parties.facts(*state)

    def disagreement(self, one: int, other: int) -> str:
        """Return in what two parties in these states do not agree, nothing being on its way between them."""
        (a, before), (b, after) = self.states.values[one], self.states.values[other]
        wrong = isinstance(before, Wrong) or isinstance(after, Wrong)
        return "" if wrong else self.parties.disagreement(a, before, b, after)

    def costs(self, told: Numbers) -> NDArray[np.int32]:
        """Return what events take of each budget."""
        return np.stack([column[told] for column in self.cost], axis=1).astype(np.int32)

    # ------------------------------------------------------------------ all parties

    def first(self) -> Rows:
        """Return the first state, once for each fate, and for each part of it that happens before anything else."""
        row = np.zeros((1, self.link + 1), np.int32)
        for party, state in enumerate(self.parties.first()):
            row[0, party] = self.states((party, state))
        for target, told in self.parties.late():
            column = self.column[told.source, target]
            row[0, column] = self.words((*self.words.values[row[0, column]], self.events(told)))
        row[0, self.budgets : self.doomed] = self.granted
        return np.concatenate([self.fates.first(row, fate) for fate in self.fated])

    def same(self, rows: Rows) -> Rows:
        """Return, for each state, the one that stands for all that differ from it in names only."""
        return self.symmetry.same(rows)

    def moves(self, rows: Rows) -> Moves:
        """Return all that may happen next in some states."""
        both = zip(self.waiting(rows), self.acting(rows), strict=True)
        return self.taking(rows, Next(*(np.concatenate(parts) for parts in both)))

    def only(self, rows: Rows) -> Moves:
        """Return the deliveries that are taken alone, one for each state in which there is such a one."""
        waiting = self.waiting(rows)
        self.acting(
            rows[waiting.origin[self.alone_in(rows, waiting)]]
        )  # what else could be done the judge wants to know
        self.judge()
        return self.taking(rows, waiting.some(self.alone_in(rows, waiting)))

    def waiting(self, rows: Rows) -> Next:
        """Return what may be delivered."""
        origin, channel = np.nonzero(rows[:, self.count : self.budgets])
        channel += self.count
        told, party = self.head[rows[origin, channel]], self.target[channel]
        return Next(origin, party, told, self.step(rows[origin, party], told), channel)

    def alone_in(self, rows: Rows, waiting: Next) -> Numbers:
        """Return which deliveries are taken alone: for each state one that commutes with all, if there is one."""
        doomed, link = rows[waiting.origin, self.doomed], rows[waiting.origin, self.link]
        sure = ~self.fates.may_be_lost(doomed, link, waiting.channel)
        calm = np.flatnonzero(self.alone & (self.races[waiting.step] == 0) & sure)
        _, first = np.unique(waiting.origin[calm], return_index=True)
        return calm[first]

    def acting(self, rows: Rows) -> Next:
        """Return what parties may do of themselves."""
        found = []
        for party in range(self.count):
            state = rows[:, party]
            start, count = self.offers[state].T
            each = np.repeat(np.arange(len(rows)), count)
            nth = np.arange(len(each)) - np.repeat(np.cumsum(count) - count, count)
            told = self.option[start[each] + nth]
            paid = (self.costs(told) <= rows[each, self.budgets : self.doomed]).all(axis=1)
            each, told = each[paid], told[paid]
            own = np.full(len(each), party), told, self.step(state[each], told), np.full(len(each), -1)
            found.append((each, *own))
        return Next(*(np.concatenate(parts) for parts in zip(*found, strict=True)))

    def taking(self, rows: Rows, next: Next) -> Moves:
        """Return the states after steps."""
        origin, party, told, step, channel = next
        new, every = rows[origin], np.arange(len(origin))
        calm = (rows[:, : self.count] != DEAD).all(axis=1) & (rows[:, self.link] >= 0)
        doubt = self.doubt[step]
        new[every, party] = np.where(calm[origin] & (doubt >= 0), doubt, self.after[step])
        new[:, self.budgets : self.doomed] -= self.costs(told)
        at = np.flatnonzero(channel >= 0)
        new[at, channel[at]] = self.tail[new[at, channel[at]]]
        link = new[:, self.link]
        used = self.uses_link(link, step)
        for columns, words in self.sends:
            column = columns[step]
            at = np.flatnonzero(column >= 0)
            target = self.target[column[at]]
            dead = new[at, target] == DEAD
            if self.fates.links:
                dead |= (link[at] < 0) & self.fates.is_on_link(link[at], column[at])
            live, lost, told_of = at[~dead], at[dead], np.array(self.told)[target[dead]]
            new[live, column[live]] = self.joined(new[live, column[live]], words[step[live]])
            back = self.reverse[column[lost]]  # the connection is no more, which the sender hears once
            new[lost, back] = self.joined_once(new[lost, back], told_of)
        moves, ends = Moves(origin, told | party << EVENT_BITS, new), self.ends[step]
        struck = [self.fates.striking(moves, ends == one, one) for one in {*ends.tolist()} - {-1}]
        return joined([self.fates.after(moves, party, used), *struck])

    def uses_link(self, link: NDArray[Any], step: Numbers) -> NDArray[np.bool_]:
        """Tell of steps whether they send something on a link that may still break."""
        used = np.zeros(len(link), bool)
        for columns, _ in self.sends if self.fates.links else ():
            column = columns[step]
            used |= (column >= 0) & (link > 0) & self.fates.is_on_link(link, column)
        return used

    def weight(self, actions: Numbers) -> NDArray[np.float64]:
        """Return how likely actions are: it is seldom that something goes wrong."""
        return np.where(actions >> TOLD_BITS, 0.02, 1.0)

    # ------------------------------------------------------------------ what must be true

    def wrong(self, rows: Rows) -> Iterator[tuple[int, str]]:
        """Yield which states are wrong, and what is wrong in them."""
        states = rows[:, : self.count]
        each = self.facts[states]
        has, gone, reads, lends, borrowed, lent, keeps, runs, waits, left, _ = np.bitwise_or.reduce(each, axis=1).T
        safe = np.bitwise_or.reduce(np.where(self.fates.at_stake(rows), 0, each[:, :, HAS]), axis=1)
        twice = each[:, :, Facts._fields.index("keeps")].sum(axis=1) != keeps
        broken = self.broken[states].any(axis=1)
        still = ~rows[:, self.count : self.budgets].any(axis=1)
        quiet = still & (runs == 0)
        bad = (
            broken
            | (safe & gone != 0)
            | (reads & ~lends != 0)
            | twice
            | still & (borrowed != lent)
            | quiet & ((waits != 0) | (left != 0) & (has == 0))
        )
        for index in np.flatnonzero(bad):
            values = [self.states.values[number] for number in states[index]]
            yield int(index), self.parties.complaint([value and value[1] for value in values])
        for one, other, there, back in self.couples:
            silent = (rows[:, [there, back]] == 0).all(axis=1) & (states[:, [one, other]] != DEAD).all(axis=1)
            at = np.flatnonzero(silent)
            at = at[self.apart(states[at, one], states[at, other]) != 0]
            yield from [(index, self.disagreement(*states[index, [one, other]].tolist())) for index in at.tolist()]


def cost_of(nth: int, event: Delivery | Act) -> int:
    """Return what an event takes of a budget."""
    return event.cost[nth] if isinstance(event, Act) else 0
