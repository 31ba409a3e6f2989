"""Which deliveries commute with all that may come: they need not be tried in every order.

A delivery to a party may be taken at once, and alone, if whatever else that party may be told or do before it, now or
later, can as well come after it: the same state and the same messages follow.  (It is a *persistent set* of one, after
Godefroid 1996, chapter 4; what happens at other parties commutes with it anyway, for they share nothing.)  What may
come is not known before all has been seen.  So a search takes for granted that everything commutes, as far as is
known; afterwards it is looked at what has come in which state, and if a delivery that was taken alone did not commute
with it, the search was in vain and is made again.  The last one has taken for granted only what is true:

- what may come in a state is what a search has seen come, for a delivery that waits is seen although another is taken;
- after a delivery was taken alone, something may be seen that could have come before it: so that may come before, too.

A message of one who may still die is not taken alone, for it could be lost.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from freehold.specs.automata import Act, System, Taken, Wrong
from freehold.specs.search import Found, search


class Independence:
    """What is known of a system's deliveries.

    Args:
        system: whose; ``racing`` is kept up to date.
    """

    def __init__(self, system: System) -> None:
        self.system = system
        self.guessed: dict[tuple[int, int], Taken] = {}  # steps that nobody has seen
        self.may_come: dict[int, set[int]] = defaultdict(set)  # state -> deliveries
        self.looked_at = 0  # steps of the system

    def explore(self, **how: Any) -> Found:
        """Search until nothing was taken for granted that is not true."""
        while True:
            found = search(self.system, **how)
            if found.violations or not self.learn():
                return found

    def learn(self) -> bool:
        """Look at what has come; tell whether a delivery that was held for calm is none."""
        steps, racing = self.system.steps, self.system.racing
        for step in steps[self.looked_at :]:
            self.may_come[step.before].add(step.told)
        self.looked_at = len(steps)
        deliveries = [step for step in steps if self.source(step.told) >= 0]
        while self.put_before(deliveries):
            pass
        calm = self.calm([step for step in deliveries if step not in racing])
        before = len(racing)
        racing.update([step for step in deliveries if step not in calm])
        self.system.forget_races()
        return len(racing) > before

    def step(self, before: int, told: int) -> Taken:
        """Return a step, seen or not."""
        number = self.system.step.known.get(before << 32 | told)
        if number is not None:
            return self.system.steps[number]
        step = self.guessed.get((before, told))
        if step is None:
            step = self.guessed[before, told] = self.system.take(before, told)
        return step

    def can_come(self, state: int, told: int) -> bool:
        """Tell whether a party can be told this, or do it, in a state; if not, it follows from something."""
        if self.source(told) < 0:
            return told in self.system.may_do(self.system.states.values[state])
        return not isinstance(self.system.states.values[self.step(state, told).after][1], Wrong)

    def source(self, told: int) -> int:
        """Return who has sent what is delivered, -1 for an act."""
        event = self.system.events.values[told]
        return -1 if isinstance(event, Act) else event.source

    def put_before(self, deliveries: list[Taken]) -> bool:
        """Note that what has come after a delivery taken alone may come before it; tell whether that is news."""
        news = False
        for step in deliveries:
            if step in self.system.racing:
                continue
            for told in self.may_come[step.after] - self.may_come[step.before]:
                if self.source(told) != self.source(step.told) and self.can_come(step.before, told):
                    self.may_come[step.before].add(told)
                    news = True
        return news

    def calm(self, candidates: list[Taken]) -> set[Taken]:
        """Return those among deliveries that commute with all that may come before them."""
        after: dict[Taken, list[Taken]] = {}  # a delivery -> the same in the states to which others lead
        before: dict[Taken, list[Taken]] = defaultdict(list)
        found = list(candidates)
        failed: list[Taken] = []
        while found:
            step = found.pop()
            if step in after:
                continue
            try:
                after[step] = list(self.commuted(step))
            except Races:
                after[step] = []
                failed.append(step)
            for later in after[step]:
                before[later].append(step)
            found += after[step]
        calm = after.keys() - set(failed)
        while failed:
            for step in before[failed.pop()]:
                if step in calm:
                    calm.discard(step)
                    failed.append(step)
        return calm

    def commuted(self, step: Taken) -> Iterator[Taken]:
        """Yield a delivery in each state to which something else leads that may come before it; raise if it races."""
        acts = {*self.system.may_do(self.system.states.values[step.after])}
        for told in self.may_come[step.before]:
            source = self.source(told)
            if source == self.source(step.told):
                continue  # it cannot overtake
            if source < 0 and told not in acts:
                raise Races
            first, second = self.step(step.before, told), self.step(step.after, told)
            last = self.step(first.after, step.told)
            if last.after != second.after or sent(self.system, step, second) != sent(self.system, first, last):
                raise Races
            yield last


class Races(Exception):
    """A delivery does not commute with something that may come before it."""


def sent(system: System, *steps: Taken) -> dict[int, tuple[int, ...]]:
    """Return what steps send on each channel."""
    found: dict[int, tuple[int, ...]] = {}
    for step in steps:
        for column, word in step.sent:
            found[column] = found.get(column, ()) + system.words.values[word]
    return found
