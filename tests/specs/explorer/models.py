"""Small systems to try the search on, and the plainest way to enumerate their states."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from itertools import permutations, product
from typing import Any

import numpy as np

from freehold.specs.explorer.automata import Act, Delivery, Facts, Step
from freehold.specs.explorer.fates import Fate
from freehold.specs.explorer.search import Moves, Rows

State = tuple[
    Any, ...
]  # the parties' states, the messages on each channel, budgets, the doomed, the link, if broken, who has met


def naive(parties: Any) -> tuple[set[State], set[str]]:
    """Return all states of a system, and what is wrong in some."""
    plain = Plain(parties)
    todo = plain.first()
    seen, wrong = {plain.frozen(state) for state in todo}, set[str]()
    while todo:
        for state in plain.after(todo.pop()):
            if plain.frozen(state) not in seen:
                seen.add(plain.frozen(state))
                todo.append(state)
                wrong |= {parties.complaint(state[0])} - {""}
    return seen, wrong


def heard(waiting: tuple[Any, ...], told: Any) -> tuple[Any, ...]:
    """Return a channel with news that comes once, if there is any."""
    return waiting if told is None or told in waiting else (*waiting, told)


def kept(state: State, channels: list[Any]) -> Iterator[dict[Any, int]]:
    """Yield how much of what is on some channels may still arrive."""
    for counts in product(*[range(len(state[1][channel]) + 1) for channel in channels]):
        yield dict(zip(channels, counts, strict=True))


class Plain:
    """A system in the plainest way: dictionaries, and one state after the other."""

    def __init__(self, parties: Any) -> None:
        self.parties = parties
        self.every = range(parties.count)
        self.pairs = list(permutations(self.every, 2))

    def first(self) -> list[State]:
        found, parties = list[State](), self.parties
        begin = tuple(parties.first()), dict.fromkeys(self.pairs, ()), parties.budgets
        for fate in parties.fates:
            doomed = frozenset(one for group in fate.doomed for one in group)
            some: list[State] = [(*begin, doomed, fate.link or (), False, frozenset())]
            for one, *_ in fate.doomed:
                some += [dead for state in some for dead in self.deaths(state, one)]
            found += [*some, *[cut for state in some for cut in self.breaks(state)]]
        return found

    def frozen(self, state: State) -> State:
        alive, wires, *rest = state
        return alive, tuple(wires[pair] for pair in self.pairs), *rest

    def renamed(self, state: State, names: Any) -> State:
        """Return a state, frozen, in which the parties have other names."""
        alive, wires, left, doomed, link, broken, met = state

        def word(waiting: Any) -> Any:
            return tuple(self.parties.renamed(message, names) for message in waiting)

        own = {
            names[one]: value if value is None else self.parties.renamed(value, names)
            for one, value in enumerate(alive)
        }
        on = {(names[a], names[b]): word(waiting) for (a, b), waiting in zip(self.pairs, wires, strict=True)}
        link = tuple(names[end] for end in link)
        link = link if link in [(), *[fate.link for fate in self.parties.fates]] else link[::-1]
        every = tuple(own[one] for one in self.every), tuple(on[pair] for pair in self.pairs)
        met = frozenset(frozenset(names[one] for one in pair) for pair in met)
        return *every, left, frozenset(names[one] for one in doomed), link, broken, met

    def after(self, state: State) -> Iterator[State]:
        alive, wires, left, *fate = state
        for (a, b), waiting in wires.items():
            if waiting:
                rest = {**wires, (a, b): waiting[1:]}
                yield from self.stepped((alive, rest, left, *fate), b, Delivery(a, waiting[0]))
        for one, own in enumerate(alive):
            for act in self.parties.may_do(one, own) if own is not None else ():
                paid = tuple(budget - cost for cost, budget in zip(act.cost, left, strict=True))
                if min(paid) >= 0:
                    yield from self.stepped((alive, wires, paid, *fate), one, act)

    def stepped(self, state: State, one: int, told: Any) -> Iterator[State]:
        alive, wires, left, doomed, link, broken, met = state
        step, wires = self.parties.step(one, alive[one], told), dict(wires)
        for target, message in step.sent:
            if alive[target] is not None and not (broken and {one, target} == {*link}):
                wires[one, target] += (message,)
                met |= self.strangers(one, target, doomed | {*link})
            else:
                wires[target, one] = heard(wires[target, one], self.parties.lost(target))
        done: State = (*alive[:one], step.after, *alive[one + 1 :]), wires, left, doomed, link, broken, met
        done = self.buried(done, (step.ends,), {}) if step.ends >= 0 and alive[step.ends] is not None else done
        yield done
        yield from self.deaths(done, one)
        if any({one, target} == {*link} for target, _ in step.sent):
            yield from self.breaks(done)

    def deaths(self, state: State, one: int) -> Iterator[State]:
        for group in {group for fate in self.parties.fates for group in fate.doomed if one in group}:
            if one in state[3]:
                out = [(a, b) for a, b in self.pairs if a in group and b not in group and state[0][b] is not None]
                yield from (self.buried(state, group, keep) for keep in kept(state, out))

    def breaks(self, state: State) -> Iterator[State]:
        alive, wires, left, doomed, link, broken, met = state
        if link and not broken:
            for keep in kept(state, [link, link[::-1]]):
                ends = {way: heard(wires[way][:count], self.parties.lost(way[0])) for way, count in keep.items()}
                yield alive, {**wires, **ends}, left, doomed, link, True, met

    def buried(self, state: State, group: tuple[int, ...], keep: dict[Any, int]) -> State:
        alive, wires, left, doomed, link, broken, met = state
        alive, after = [None if one in group else alive[one] for one in self.every], dict(wires)
        for a, b in self.pairs:
            if b in group or (a in group and alive[b] is None):
                after[a, b] = ()
            elif a in group:
                news = (self.parties.knows(b, a) or {a, b} in met) and not (broken and {a, b} == {*link})
                after[a, b] = heard(wires[a, b][: keep.get((a, b), 99)], self.parties.lost(a) if news else None)
        link = link if {*link}.isdisjoint(group) else ()
        doomed, mortal = doomed - {*group}, doomed.union(link) - {*group}
        met = frozenset(pair for pair in met if pair & mortal)
        return tuple(alive), after, left, doomed, link, broken and bool(link), met

    def strangers(self, a: int, b: int, mortal: Any) -> set[frozenset[int]]:
        return set() if self.parties.knows(a, b) or mortal.isdisjoint({a, b}) else {frozenset({a, b})}


class Toy:
    """What small systems share: parties whose states are tuples, all of whom know each other."""

    count = 2
    budgets: tuple[int, ...] = (0,)
    fates: list[Fate] = [Fate()]
    alike: list[tuple[int, ...]] = []
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

    def renamed(self, thing: Any, names: Any, inside: bool = False) -> Any:
        """A number inside something is a name."""
        if isinstance(thing, tuple | frozenset):
            items = [self.renamed(item, names, True) for item in thing]
            return type(thing)(*items) if hasattr(thing, "_fields") else type(thing)(items)
        return names[thing] if inside and isinstance(thing, int) else thing


class Counters(Toy):
    """Each sends to all others, who count what comes: everything commutes."""

    count, begin, alike = 3, (0, 0, 0), [*permutations(range(3))][1:]
    budgets: tuple[int, ...] = (3,)

    def step(self, party: int, before: int, told: Delivery | Act) -> Step:
        if isinstance(told, Act):
            return Step(before, tuple([(other, 1) for other in range(3) if other != party]))
        assert isinstance(told.message, int)
        return Step(before + told.message)

    def may_do(self, party: int, state: Any) -> list[Act]:
        return [Act("send", (1,))]


class Registers(Toy):
    """Each writes its name to all others, who keep the last: nothing commutes."""

    count, begin, alike = 3, ((), (), ()), [*permutations(range(3))][1:]
    budgets: tuple[int, ...] = (3,)

    def step(self, party: int, before: int, told: Delivery | Act) -> Step:
        if isinstance(told, Act):
            return Step((party,), tuple([(other, (party,)) for other in range(3) if other != party]))
        return Step(told.message)

    def may_do(self, party: int, state: Any) -> list[Act]:
        return [Act("write", (1,))]


class Lock(Toy):
    """Party 0 lends a lock to two others; a wrong one forgets to whom."""

    count, alike = 3, [(0, 2, 1)]
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
        return "both are in" if [*states[1:]] == ["in", "in"] else ""


class Mortals(Toy):
    """Two pass a ball, a third hears of each pass and of deaths; one of the two may die."""

    count, begin, fates = 3, (1, 0, ()), [Fate(((0,),)), Fate(((1,),))]
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


class Together(Mortals):
    """The same; but who passes the ball dies with the third, or the link between the two that pass it breaks."""

    fates = [Fate(((0, 2),)), Fate(link=(0, 1)), Fate(((1,),), (1, 2))]


class Strangers(Toy):
    """One lets two others know at once, who are strangers; each of these greets the other, and one of them may die."""

    begin = (frozenset[Any](),) * 3
    fates = [Fate(((1,),)), Fate(((2,),))]
    alike = [(0, 2, 1)]
    count = 3
    budgets = (1,)

    def step(self, party: int, before: Any, told: Delivery | Act) -> Step:
        if isinstance(told, Act):
            return Step(before, ((1, "go"), (2, "go")))
        greeting = ((3 - party, "hello"),) if told.message == "go" else ()
        return Step(frozenset({*before, told}), greeting)

    def may_do(self, party: int, state: Any) -> list[Act]:
        return [Act("tell", (1,))] if party == 0 else []

    def knows(self, party: int, other: int) -> bool:
        return False


class Duel(Toy):
    """Two pass a ball; if they lose each other, a third puts to death of whom it hears that it was lost."""

    count, begin, fates, alike = 3, (0, 0, ()), [Fate(link=(1, 0))], [(1, 0, 2)]
    budgets: tuple[int, ...] = (2,)

    def step(self, party: int, before: Any, told: Delivery | Act) -> Step:
        if isinstance(told, Act):
            return Step(before, ((2, "passed"), (1 - party, "ball")))
        if party == 2:
            ends = 1 - told.source if told.message == "lost" else -1
            return Step((*before, (told.source, told.message)), ends=ends)
        lost = told.message != "ball"
        return Step(before + 1, ((2, "lost" if lost else "caught"),))

    def may_do(self, party: int, state: Any) -> list[Act]:
        return [Act("pass", (1,))] if party < 2 else []


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
