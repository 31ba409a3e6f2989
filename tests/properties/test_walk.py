"""Random walks over real parties: whatever users, the network, timers and deaths do, the properties hold.

A walk that fails names its seed: ``freehold.specs.walk.walk(seed, 300, ...)`` takes it again.
"""

import pytest

from freehold.specs.walk import WORLDS, walk

MARKS = {50: pytest.mark.slow, 100: pytest.mark.soak}  # the first seeds every time, the last in make prove only


@pytest.mark.parametrize("first", [0, *[pytest.param(seed, marks=mark) for seed, mark in MARKS.items()]])
@pytest.mark.parametrize("kind", WORLDS)
def test_a_walk_keeps_the_properties_and_comes_to_rest(kind: str, first: int) -> None:
    for seed in range(first, first + 50):
        taken = walk(seed, 300, **WORLDS[kind])
        assert not taken.deadlocked() or WORLDS[kind].get("tight"), seed


FOUND = (  # walks on which something was wrong once
    ("cut links", 1068),  # the news of an owner's death came twice, and what is inside its value was pinned twice
    ("deaths and cut links", 1220),
)


@pytest.mark.parametrize(("kind", "seed"), FOUND)
def test_a_walk_that_once_found_something(kind: str, seed: int) -> None:
    walk(seed, 300, **WORLDS[kind])


def test_the_same_seed_takes_the_same_walk() -> None:
    again = [[party.steps for party in walk(7, 300, deaths=1).parties.values()] for _ in range(2)]
    assert again[0] == again[1] and sum(again[0]) > 0
