"""Which deliveries commute with all that may come: they need not be tried in every order.

A delivery to a party may be taken at once, and alone, if whatever else that party may be told or do before it, now or
later, can as well come after it: the same state and the same messages follow.  (It is a *persistent set* of one, after
Godefroid 1996, chapter 4; what happens at other parties commutes with it anyway, for they share nothing.)  What may
come is not known before all has been seen.  So a search takes for granted that everything commutes, as far as is
known: with every layer it is looked at what has come in which state.  If a delivery that was taken alone did not
commute with it, the search was in vain and is made again.  The last one has taken for granted only what is true:

- what may come in a state is what a search has seen come, for a delivery that waits is seen although another is taken;
- after a delivery was taken alone, something may be seen that could have come before it: so that may come before, too.
  (It need not be so: what has come already does not come again, but a state does not tell.  That only costs states.)

What is taken alone comes before whatever else happens, so it must not hide what would be wrong if it came later.
A message of one who may still die, or to such a one, is not taken alone, for it could be lost.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
from typing import Any

import numpy as np

from freehold.specs.explorer.automata import System, Taken
from freehold.specs.explorer.parties import Act, Facts, Wrong
from freehold.specs.explorer.search import Found, search

FAR_MAX = 6  # guessed steps in a row; a delivery that seems to commute with still more is held for racing


class Independence:
    """What is known of a system's deliveries.

    Args:
        system: whose; which of its deliveries race is kept up to date.
    """

    def __init__(self, system: System) -> None:
        self.system = system
        self.racing = system.racing
        self.guessed: dict[tuple[int, int], Taken] = {}  # steps that nobody has seen
        self.acts: dict[int, frozenset[int]] = {}  # state -> what its party may do of itself
        self.far: dict[int, int] = {}  # state that nobody has seen -> guessed steps to it from one that was
        self.may_come: dict[int, set[int]] = defaultdict(set)  # state -> what its party may be told or do
        self.watched: set[Taken] = set()  # deliveries of which it is to be found out
        self.trusted: set[Taken] = set()  # those that a search may have taken alone
        self.leaving: dict[int, list[Taken]] = defaultdict(list)  # state -> watched deliveries in it
        self.entering: dict[int, list[Taken]] = defaultdict(list)  # state -> watched deliveries that lead to it
        self.earlier: dict[Taken, set[Taken]] = defaultdict(set)  # a delivery -> it in earlier states
        self.todo: deque[tuple[Taken, int]] = deque()  # a delivery, and what may come before it
        self.looked_at = 0  # steps of the system
        self.in_vain = False  # whether something was taken alone that must not be
        system.judge = self.learn

    def explore(self, **how: Any) -> Found:
        """Search with ever more acts, since what fewer teach is had for less; see ``explore_with``."""
        for acts in range(self.system.parties.budgets[0] + 1):
            found = self.explore_with(acts, **how)
            if found.violations or not found.exhausted:
                break
        return found

    def explore_with(self, acts: int, *, seconds_max: float = float("inf"), **how: Any) -> Found:
        """Search with so many acts until nothing was taken for granted that is not true.

        Args:
            acts: of users, in all.
            seconds_max: of all searches together.
            how: see ``search``.
        """
        self.system.granted = (acts, *self.system.parties.budgets[1:])
        end = time.perf_counter() + seconds_max
        while True:
            self.in_vain, struck = False, self.system.fates.struck.copy()
            found = search(self.system, seconds_max=end - time.perf_counter(), **how)
            self.learn()
            self.in_vain = self.in_vain or (struck != self.system.fates.struck).any()
            if found.violations or not found.exhausted or not self.in_vain:
                return found

    def learn(self) -> None:
        """Look at what has come since; note whether a delivery that was held for calm is none."""
        seen = self.system.steps[self.looked_at :]
        self.looked_at += len(seen)
        for step in seen:
            self.far[step.before] = self.far[step.after] = 0
        for step in seen:
            self.note(step.before, step.told)
            if self.source(step.told) >= 0:
                self.watch(step)
        while self.todo:
            self.look(*self.todo.popleft())
        self.trusted.update(step for step in seen if step not in self.racing)

    def note(self, state: int, told: int) -> None:
        """What is told, or done, may come in a state; and under other names in the state with these."""
        noted = [(state, told)]  # it goes back along ways of any length
        while noted:
            state, told = noted.pop()
            if told not in self.may_come[state]:
                self.may_come[state].add(told)
                for renaming in self.system.symmetry.renamings:
                    noted.append((renaming.state.of(state), renaming.event.of(told)))
                self.todo += [(step, told) for step in self.leaving[state]]
                noted += [(step.before, told) for step in self.entering[state] if self.comes_before(step, told)]

    def watch(self, step: Taken) -> None:
        """Find out whether a delivery commutes with all that may come before it."""
        if step not in self.watched:
            self.watched.add(step)
            if self.hides(step):
                self.race(step)
            self.leaving[step.before].append(step)
            self.entering[step.after].append(step)
            self.todo += [(step, told) for told in self.may_come[step.before]]
            for told in [*self.may_come[step.after]]:
                if self.comes_before(step, told):
                    self.note(step.before, told)

    def comes_before(self, step: Taken, told: int) -> bool:
        """Tell whether what has come after a delivery that was taken alone may come before it, too."""
        if step in self.racing or self.source(told) == self.source(step.told):
            return False
        if not self.may_come_in(step.before, told):
            return False
        if self.is_wrong(self.step(step.before, told)):  # it follows from the delivery, or must not be left out
            self.race(step)
            return False
        return True

    def look(self, step: Taken, told: int) -> None:
        """See whether a delivery commutes with something that may come before it."""
        source = self.source(told)
        if step in self.racing or source == self.source(step.told):  # of one sender's messages none overtakes
            return
        if source < 0 and not self.may_do(step.after, told):
            return self.race(step)
        first, second = self.step(step.before, told), self.step(step.after, told)
        last = self.step(first.after, step.told)
        same = last.after == second.after and self.sent(step, second) == self.sent(first, last)
        same = same and max(first.ends, second.ends, last.ends) < 0  # the death of another commutes with little
        same = same and not self.crosses(step, first) and not self.crosses(first, step)
        same = same and self.acts_in(first.after) <= self.acts_in(second.after)  # what comes after both is seen anyway
        if not same or last in self.racing or self.far[first.after] > FAR_MAX:
            self.race(step)
        else:
            self.earlier[last].add(step)
            self.watch(last)

    def hides(self, step: Taken) -> bool:
        """Tell whether what is wrong in a system before a step may not be wrong after it."""
        before, after = (Facts(*fact) for fact in self.system.facts[np.array([step.before, step.after])].tolist())
        lost = before.has & ~after.has | before.gone & ~after.gone | before.reads & ~after.reads
        return bool(lost | before.keeps & ~after.keeps | after.lends & ~before.lends)

    def crosses(self, step: Taken, other: Taken) -> bool:
        """Tell whether one is the news of a death and the other sends to the dead: then there is news again."""
        system, told = self.system, self.system.told
        return step.told in told and any(system.target[column] == told.index(step.told) for column, _ in other.sent)

    def race(self, step: Taken) -> None:
        """A delivery does not commute with all that may come before it; nor do those that lead to it."""
        found = [step]
        while found:
            step = found.pop()
            if step not in self.racing:
                self.system.race(step)
                self.in_vain = self.in_vain or step in self.trusted
                found += self.earlier[step]

    # ------------------------------------------------------------------ steps, seen or not

    def step(self, before: int, told: int) -> Taken:
        """Return a step."""
        number = self.system.step.known_of(before, told)
        if number is not None:
            return self.system.steps[number]
        step = self.guessed.get((before, told))
        if step is None:
            step = self.guessed[before, told] = self.system.take(before, told)
            self.far.setdefault(step.after, self.far[before] + 1)
        return step

    def acts_in(self, state: int) -> frozenset[int]:
        """Return what a party may do of itself in a state."""
        known = self.acts.get(state)
        if known is None:
            known = self.acts[state] = frozenset(self.system.may_do(self.system.states.values[state]))
        return known

    def may_do(self, state: int, act: int) -> bool:
        """Tell whether a party may do something of itself in a state."""
        return act in self.acts_in(state)

    def may_come_in(self, state: int, told: int) -> bool:
        """Tell whether it is not plain that something cannot be told a party, or done by it, in a state."""
        event, (party, own) = self.system.events.values[told], self.system.states.values[state]
        if isinstance(event, Act):
            return self.may_do(state, told)
        return isinstance(own, Wrong) or self.system.parties.may_hear(party, own, event.message)

    def is_wrong(self, step: Taken) -> bool:
        """Tell whether a party does by a step what it must not."""
        return isinstance(self.system.states.values[step.after][1], Wrong)

    def source(self, told: int) -> int:
        """Return who has sent what is delivered, -1 for an act."""
        event = self.system.events.values[told]
        return -1 if isinstance(event, Act) else event.source

    def sent(self, *steps: Taken) -> dict[int, tuple[int, ...]]:
        """Return what steps send on each channel."""
        found: dict[int, tuple[int, ...]] = {}
        for step in steps:
            for column, word in step.sent:
                found[column] = found.get(column, ()) + self.system.words.values[word]
        return found
