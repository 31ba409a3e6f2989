"""The search is itself checked: by counts that others have published, and by the plainest enumeration there is."""

from __future__ import annotations

import os
import signal
from typing import Any

import numpy as np
import pytest
from tests.specs.explorer import toys
from tests.specs.explorer.naive import Plain, naive

from freehold.specs.explorer import search as explorer_search
from freehold.specs.explorer.automata import System
from freehold.specs.explorer.independence import Independence
from freehold.specs.explorer.known import counted
from freehold.specs.explorer.models import Helper
from freehold.specs.explorer.parties import Act, Delivery, Step
from freehold.specs.explorer.search import ENDLESS, Known, Moves, search, wander

TOYS: dict[str, Any] = {
    "counters": toys.Counters(),
    "registers": toys.Registers(),
    "lock": toys.Lock(forgets=False),
    "a wrong lock": toys.Lock(forgets=True),
    "mortals": toys.Mortals(),
    "together": toys.Together(),
    "in flight": toys.InFlight(),
    "a duel": toys.Duel(),
    "answers": toys.Answers(),
    "hidden": toys.Hidden(),
    "unseen": toys.Unseen(),
    "again": toys.Again(),
    "struck": toys.Struck(),
    "half": toys.Half(),
    "greeted": toys.Greeted(),
    "ignored": toys.Ignored(),
}


def test_two_phase_commit_has_as_many_states_as_is_known() -> None:
    for name, known, found in counted():
        assert (found.states, found.exhausted, found.violations) == (known, True, []), name


def everything(toy: Any) -> System:
    """Return a system in which every order is tried."""
    system = System(toy)
    system.alone = False
    return system


@pytest.mark.parametrize("name", TOYS)
def test_all_states_are_found_and_no_others(name: str) -> None:
    toy = TOYS[name]
    states, wrong = naive(toy)
    system = everything(toy)
    system.symmetry.renamings.clear()
    found = search(system, violations_max=1 << 40)
    assert found.states == len(states)
    assert {what for what, _ in found.violations} == wrong


@pytest.mark.parametrize("name", ["counters", "registers", "lock", "a wrong lock", "a duel"])
def test_of_what_differs_in_names_only_one_is_visited(name: str) -> None:
    toy = TOYS[name]
    states, wrong = naive(toy)
    orbits = {frozenset([state, *[Plain(toy).renamed(state, names) for names in toy.alike]]) for state in states}
    found = search(everything(toy), violations_max=1 << 40)
    assert found.states == len(orbits) < len(states)
    assert {what for what, _ in found.violations} == wrong


@pytest.mark.parametrize("name", TOYS)
def test_with_some_left_out_the_verdict_is_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explorer_search, "STEPS_MAX", 50)  # what goes on for ever does so sooner
    toy = TOYS[name]
    states, wrong = naive(toy)
    found = Independence(System(toy)).explore()
    assert found.states <= len(states)
    assert bool(found.violations) is bool(wrong)


class Resting(System):
    """A system of which the states are kept in which nothing is on its way."""

    def __init__(self, parties: Any) -> None:
        super().__init__(parties)
        self.rest: set[bytes] = set()

    def wrong(self, rows: Any) -> Any:
        self.rest |= {row.tobytes() for row in rows[~rows[:, self.count : self.budgets].any(axis=1)]}
        return super().wrong(rows)


@pytest.mark.parametrize("name", [name for name in TOYS if name not in ("a wrong lock", "unseen", "ignored")])
def test_whatever_is_left_out_every_end_is_reached(name: str) -> None:
    system = Resting(TOYS[name])
    Independence(system).explore(violations_max=1 << 40)
    some, system.rest, system.alone = system.rest, set(), False
    search(system, violations_max=1 << 40)
    assert some >= system.rest  # of searches with fewer acts, too


def test_much_is_left_out_where_all_commutes_and_little_where_nothing_does() -> None:
    for toy, share in ((toys.Counters(), 0.5), (toys.Registers(), 0.9)):
        system = System(toy)
        some = Independence(system).explore().states
        system.alone = False
        assert (some < share * search(system).states) is (share == 0.5)


def test_an_answer_is_not_awaited_before_its_question() -> None:
    class Unsure(toys.Answers):
        """It does not say what cannot come."""

        def may_hear(self, party: int, state: Any, message: Any) -> bool:
            return True

        def step(self, party: int, before: Any, told: Delivery | Act) -> Step:
            return toys.Answers().step(party, before, told)

    sure = Independence(System(toys.Answers())).explore()
    unsure = Independence(System(Unsure())).explore()
    assert sure.states < unsure.states


def test_what_goes_on_for_ever_without_a_choice_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explorer_search, "STEPS_MAX", 50)
    toy = toys.PingPong()
    found = Independence(System(toy)).explore()
    ((what, way),) = found.violations
    assert what == ENDLESS and len(way) > 50
    assert found.states <= len(naive(toy)[0])


class Lesson:
    """From 0 on to 1, and to 2, which is wrong; that more leads on from 0 is learned on the way."""

    lessons = 0

    def first(self) -> Any:
        return np.zeros((1, 1), np.int32)

    def moves(self, rows: Any) -> Moves:
        self.lessons = max(self.lessons, int(rows.max()))
        ways = [(at, row + more) for at, row in enumerate(rows) for more in (1, 10, 20)[: 1 + 2 * self.lessons]]
        return Moves(np.array([at for at, _ in ways]), np.arange(len(ways)), np.array([row for _, row in ways]))

    def only(self, rows: Any) -> Moves:
        return Moves(np.zeros(0, np.int64), np.zeros(0, np.int64), rows[:0])

    def same(self, rows: Any) -> Any:
        return rows

    def weight(self, actions: Any) -> Any:
        return np.ones(len(actions))

    def wrong(self, rows: Any) -> Any:
        return [(int(at), "it is 2") for at in np.flatnonzero(rows[:, 0] == 2)]


def test_what_was_found_is_not_given_up_because_there_is_more_than_was_known() -> None:
    found = search(Lesson(), states_max=3)
    assert found.violations == [("it is 2", [0, 0, 0])]


class Raises:
    """A search that cannot be."""

    def explore(self, acts: int, **limits: Any) -> Any:
        raise OverflowError(f"{acts} acts are too many")


def test_a_helper_tells_what_went_wrong() -> None:
    some: Any = [Raises()]
    with Helper(some) as helper:
        helper.ask(3)
        with pytest.raises(OverflowError, match="3 acts are too many"):
            helper.answer()
        os.kill(helper.process.pid or 0, signal.SIGKILL)
        with pytest.raises(EOFError):
            helper.answer()


def test_walks_find_what_is_wrong() -> None:
    for forgets in (False, True):
        system = System(toys.Lock(forgets))
        system.alone = False
        found = wander(system, seed=1, walkers=200, steps_max=40)
        assert [what for what, _ in found.violations] == ["both are in"] * forgets


def test_known_hashes_are_known() -> None:
    known, chance = Known(), np.random.default_rng(3)
    everything = set[int]()
    for size in (5, 1, 300, 40, 2, 2, 1000):
        some = np.unique(chance.integers(0, 4000, size=size).astype(np.uint64))
        new = known.fresh(some)
        assert {*some[new].tolist()} == {*some.tolist()} - everything
        known.add(some[new])
        everything |= {*some.tolist()}
        assert len(known) == len(everything)
