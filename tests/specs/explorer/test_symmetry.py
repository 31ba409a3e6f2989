"""Whoever is called what, the tables do the same: so of states that differ in names only, one is enough."""

from __future__ import annotations

from typing import Any

import pytest

from freehold.specs.explorer.automata import System
from freehold.specs.explorer.bounds import Bounds, permutations_of
from freehold.specs.explorer.search import search
from freehold.specs.explorer.sharing import Sharing

MODELS: dict[str, dict[str, Any]] = {
    "lend": {"acts": 4, "calls": 2},
    "return": {"acts": 3, "calls": 2, "returns": True},
    "nest": {"acts": 3, "calls": 2, "objects": 2},
    "die": {"acts": 2, "calls": 1, "deaths": 1},
    "node": {"acts": 3, "calls": 2, "nodes": 1},
    "four": {"processes": 4, "acts": 3, "calls": 2},
}


def owner_dies(name: str) -> System:
    """Return a model with its first fate: if anybody dies, it is the first process."""
    cluster = Sharing(Bounds(**MODELS[name]))
    return System(cluster, cluster.fates[0])


@pytest.mark.parametrize("name", MODELS)
def test_under_other_names_all_do_the_same(name: str) -> None:
    system = owner_dies(name)
    system.alone = False
    renamings = list(system.symmetry.renamings)
    system.symmetry.renamings.clear()
    search(system)
    assert renamings and system.steps
    for step in system.steps:
        for renaming in renamings:
            other = system.take(renaming.state.of(step.before), renaming.event.of(step.told))
            assert other.after == renaming.state.of(step.after)
            sent = {(int(renaming.column[column]), renaming.word.of(word)) for column, word in step.sent}
            assert {*other.sent} == sent


def test_renaming_there_and_back_changes_nothing() -> None:
    system = owner_dies("die")
    renaming = system.symmetry.renamings[0]
    rows = search_all(system)
    assert (renaming(renaming(rows)) == rows).all()
    assert (system.same(renaming(rows)) == system.same(rows)).all()
    assert (renaming(rows) != rows).any()


def search_all(system: System) -> Any:
    """Return the states with some acts."""
    rows = system.first()
    for _ in range(3):
        rows = system.moves(rows).rows
    return rows


def test_where_copies_are_read_names_are_not_exchanged() -> None:
    """Which of two copies is read goes by the names of their nodes."""
    assert Sharing(Bounds(gets=True)).alike == []
    assert Sharing(Bounds()).alike == [(0, 2, 1, 3, 5, 4)]


def test_who_lives_with_the_first_process_keeps_its_name() -> None:
    assert [*permutations_of(Bounds(processes=4, nodes=2))] == [(0, 3, 2, 1, 4, 5)]
    assert [*permutations_of(Bounds(processes=3, nodes=1))] == [(0, 2, 1, 3)]
    assert [*permutations_of(Bounds(processes=2))] == []
