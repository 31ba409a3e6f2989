"""Small systems to try the search on, and the plainest way to enumerate their states."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from itertools import product
from typing import Any

import numpy as np

from freehold.specs.automata import Act, Delivery, Facts, Step
from freehold.specs.search import Moves, Rows

State = tuple[Any, ...]  # the parties' states, the messages on each channel, budgets, the doomed


def naive(parties: Any) -> tuple[set[State], set[str]]:
    """Return all states of a system, and what is wrong in some."""
    pairs = [(a, b) for a in range(parties.count) for b in range(parties.count) if a != b]

    def deaths(state: State, one: int) -> Iterator[State]:
        alive, wires, left, doomed = state
        if one not in doomed:
            return
        wires = {pair: () if one == pair[1] else wires[pair] for pair in pairs}
        fates = [range(len(wires[one, b]) + 1) if alive[b] is not None else range(1) for a, b in pairs if a == one]
        for fate in product(*fates):
            after = dict(wires)
            for (_, b), count in zip([pair for pair in pairs if pair[0] == one], fate, strict=True):
                told = (parties.lost(one),) if alive[b] is not None and parties.knows(b, one) else ()
                after[one, b] = wires[one, b][:count] + told
            yield (*alive[:one], None, *alive[one + 1 :]), after, left, doomed - {one}

    def stepped(state: State, one: int, told: Any) -> State:
        alive, wires, left, doomed = state
        step, wires = parties.step(one, alive[one], told), dict(wires)
        for target, message in step.sent:
            if alive[target] is not None:
                wires[one, target] += (message,)
            elif parties.lost(target) not in wires[target, one]:
                wires[target, one] += (parties.lost(target),)
        return (*alive[:one], step.after, *alive[one + 1 :]), wires, left, doomed

    def after(state: State) -> Iterator[State]:
        alive, wires, left, doomed = state
        for (a, b), waiting in wires.items():
            if waiting:
                rest = {**wires, (a, b): waiting[1:]}
                yield (done := stepped((alive, rest, left, doomed), b, Delivery(a, waiting[0])))
                yield from deaths(done, b)
        for one, own in enumerate(alive):
            for act in parties.may_do(one, own) if own is not None else ():
                if all(cost <= budget for cost, budget in zip(act.cost, left, strict=True)):
                    paid = tuple(budget - cost for cost, budget in zip(act.cost, left, strict=True))
                    yield (done := stepped((alive, wires, paid, doomed), one, act))
                    yield from deaths(done, one)

    def frozen(state: State) -> State:
        alive, wires, left, doomed = state
        return alive, tuple(wires[pair] for pair in pairs), left, doomed

    todo = [(tuple(parties.first()), dict.fromkeys(pairs, ()), parties.budgets, frozenset(d)) for d in parties.dooms]
    for one in range(parties.count):
        todo += [dead for state in todo for dead in deaths(state, one)]
    seen, wrong = {frozen(state) for state in todo}, set[str]()
    while todo:
        for state in after(todo.pop()):
            if frozen(state) not in seen:
                seen.add(frozen(state))
                todo.append(state)
                wrong |= {parties.complaint(state[0])} - {""}
    return seen, wrong


class Toy:
    """What small systems share: parties whose states are tuples, all of whom know each other."""

    count = 2
    budgets: tuple[int, ...] = (0,)
    dooms: list[tuple[int, ...]] = [()]
    begin: tuple[Hashable, ...] = ()

    def first(self) -> list[Hashable]:
        return list(self.begin)

    def step(self, party: int, before: Any, told: Delivery | Act) -> Step:
        raise NotImplementedError

    def may_do(self, party: int, state: Any) -> list[Act]:
        return []

    def facts(self, party: int, state: Any) -> Facts:
        return Facts()

    def complaint(self, states: Any) -> str:
        return ""

    def lost(self, party: int) -> Hashable:
        return ("lost", party)

    def knows(self, party: int, other: int) -> bool:
        return True


class Counters(Toy):
    """Each sends numbers to all others, who add them up: everything commutes."""

    count, begin = 3, (0, 0, 0)
    budgets: tuple[int, ...] = (3,)

    def step(self, party: int, before: int, told: Delivery | Act) -> Step:
        if isinstance(told, Act):
            return Step(before, tuple([(other, party + 1) for other in range(3) if other != party]))
        assert isinstance(told.message, int)
        return Step(before + told.message)

    def may_do(self, party: int, state: Any) -> list[Act]:
        return [Act("send", (1,))]


class Registers(Toy):
    """Each writes its name to all others, who keep the last: nothing commutes."""

    count, begin = 3, (-1, -1, -1)
    budgets: tuple[int, ...] = (3,)

    def step(self, party: int, before: int, told: Delivery | Act) -> Step:
        if isinstance(told, Act):
            return Step(party, tuple([(other, party) for other in range(3) if other != party]))
        return Step(told.message)

    def may_do(self, party: int, state: Any) -> list[Act]:
        return [Act("write", (1,))]


class Lock(Toy):
    """Party 0 lends a lock to two others; a wrong one forgets to whom."""

    count = 3
    budgets: tuple[int, ...] = (4,)

    def __init__(self, forgets: bool) -> None:
        self.forgets, self.begin = forgets, ((0, ()), "out", "out")  # who has it, and who waits

    def step(self, party: int, before: Any, told: Delivery | Act) -> Step:
        if party:
            if isinstance(told, Act):
                return Step("waits" if told.what == "ask" else "out", ((0, told.what),))
            return Step("in")
        assert isinstance(told, Delivery)
        holder, queue = before
        queue = (*queue, told.source) if told.message == "ask" else queue
        holder = 0 if told.message == "leave" or self.forgets else holder
        if holder or not queue:
            return Step((holder, queue))
        return Step((queue[0], queue[1:]), ((queue[0], "yours"),))

    def may_do(self, party: int, state: Any) -> list[Act]:
        return [Act({"out": "ask", "in": "leave"}[state], (1,))] if state in ("out", "in") else []

    def facts(self, party: int, state: Any) -> Facts:
        inside = int(state == "in")
        return Facts(has=inside * (party == 1), gone=inside * (party == 2))

    def complaint(self, states: Any) -> str:
        return "both are in" if states[1:] == ("in", "in") or [*states[1:]] == ["in", "in"] else ""


class Mortals(Toy):
    """Two pass a ball, a third hears of each pass and of deaths; one of the two may die."""

    count, begin, dooms = 3, (1, 0, ()), [(0,), (1,)]
    budgets: tuple[int, ...] = (3,)

    def step(self, party: int, before: Any, told: Delivery | Act) -> Step:
        if party == 2:
            assert isinstance(told, Delivery)
            return Step((*before, (told.source, told.message)))
        if isinstance(told, Act):
            return Step(0, ((1 - party, "ball"), (2, "passed")))
        return Step(1 if told.message == "ball" else before)

    def may_do(self, party: int, state: Any) -> list[Act]:
        return [Act("pass", (1,))] if party < 2 and state else []


class PingPong(Toy):
    """Two send a ball to and fro for ever: there is never a choice, and never an end."""

    begin = (1, 0)
    budgets: tuple[int, ...] = (1,)

    def step(self, party: int, before: Any, told: Delivery | Act) -> Step:
        return Step(0, ((1 - party, "ball"),))

    def may_do(self, party: int, state: Any) -> list[Act]:
        return [Act("serve", (1,))] if state else []


class TwoPhaseCommit:
    """Gray and Lamport's two-phase commit (2006), whose messages are never taken away: a model of another kind.

    A row has a number for each resource manager (its state; whether its word was sent, and heard), then the state of
    the transaction manager, and whether it has said commit, or abort.
    """

    WORKING, PREPARED, COMMITTED, ABORTED = range(4)

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
