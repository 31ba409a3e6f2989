"""The plainest way to enumerate the states of a system, with deaths and broken links."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations, product
from typing import Any

from freehold.specs.explorer.parties import Delivery

State = tuple[Any, ...]  # the parties' states, the messages on each channel, budgets, the doomed, the link, if broken


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
        wires: dict[Any, tuple[Any, ...]] = dict.fromkeys(self.pairs, ())
        for target, told in parties.late():
            wires[told.source, target] += (told.message,)
        begin = tuple(parties.first()), wires, parties.budgets
        for fate in parties.fates:
            doomed = frozenset(one for group in fate.doomed for one in group)
            some: list[State] = [(*begin, doomed, fate.link or (), False)]
            for one, *_ in fate.doomed:
                some += [dead for state in some for dead in self.deaths(state, one)]
            found += [*some, *[cut for state in some for cut in self.breaks(state)]]
        return found

    def frozen(self, state: State) -> State:
        alive, wires, *rest = state
        return alive, tuple(wires[pair] for pair in self.pairs), *rest

    def renamed(self, state: State, names: Any) -> State:
        """Return a state, frozen, in which the parties have other names."""
        alive, wires, left, doomed, link, broken = state

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
        return *every, left, frozenset(names[one] for one in doomed), link, broken

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
        alive, wires, left, doomed, link, broken = state
        step, wires = self.parties.step(one, alive[one], told), dict(wires)
        for target, message in step.sent:
            if alive[target] is not None and not (broken and {one, target} == {*link}):
                wires[one, target] += (message,)
            else:
                wires[target, one] = heard(wires[target, one], self.parties.lost(target))
        done: State = (*alive[:one], step.after, *alive[one + 1 :]), wires, left, doomed, link, broken
        if step.ends >= 0 and alive[step.ends] is not None:  # who does so does not die at once, unless all arrives
            yield from (self.buried(done, (step.ends,), keep) for keep in self.leaving(done, (step.ends,)))
            done = self.buried(done, (step.ends,), {})
        yield done
        yield from self.deaths(done, one)
        if any({one, target} == {*link} for target, _ in step.sent):
            yield from self.breaks(done)

    def deaths(self, state: State, one: int) -> Iterator[State]:
        for group in {group for fate in self.parties.fates for group in fate.doomed if one in group}:
            if state[3].intersection(group):
                yield from (self.buried(state, group, keep) for keep in self.leaving(state, group))

    def leaving(self, state: State, group: tuple[int, ...]) -> Iterator[dict[Any, int]]:
        live, broken = [one for one in self.every if state[0][one] is not None], {*state[4]} if state[5] else {}
        ways = [(a, b) for a, b in self.pairs if a in group and b not in group and {a, b} <= {*live}]
        return kept(state, [way for way in ways if {*way} != broken])  # on which nothing waits but the news of that

    def breaks(self, state: State) -> Iterator[State]:
        alive, wires, left, doomed, link, broken = state
        if link and not broken:
            for keep in kept(state, [link, link[::-1]]):
                ends = {way: heard(wires[way][:count], self.parties.lost(way[0])) for way, count in keep.items()}
                yield alive, {**wires, **ends}, left, doomed, link, True

    def buried(self, state: State, group: tuple[int, ...], keep: dict[Any, int]) -> State:
        alive, wires, left, doomed, link, broken = state
        group = tuple(one for one in group if alive[one] is not None)
        alive, after = [None if one in group else alive[one] for one in self.every], dict(wires)
        for a, b in self.pairs:
            if b in group or (a in group and alive[b] is None):
                after[a, b] = ()
            elif a in group:
                news = self.parties.minds(b, a) and not (broken and {a, b} == {*link})
                after[a, b] = heard(wires[a, b][: keep.get((a, b), 99)], self.parties.lost(a) if news else None)
        link = link if {*link}.isdisjoint(group) else ()
        return tuple(alive), after, left, doomed - {*group}, link, broken and bool(link)
