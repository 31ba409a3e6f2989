"""Random walks over real parties: whatever users, the network, timers and deaths do, the properties hold.

A walk that fails names its seed: ``freehold.specs.walks.walk.walk(seed, 300, ...)`` takes it again.
"""

from collections.abc import Iterator

import pytest

from freehold.core.tables import TABLES
from freehold.specs.promises import SOMETIMES
from freehold.specs.walks.walk import WORLDS, walk

HAPPENED = set[str]()  # rows that walks have taken, and where they led


@pytest.fixture
def happened() -> Iterator[set[str]]:
    """Add to these what tables do meanwhile."""
    before = {table.name: set(table.taken) for table in TABLES}
    for table in TABLES:
        table.taken.clear()
    yield HAPPENED
    for table in TABLES:
        for state, event, after in table.taken:
            row = f"{table.name}.{state.name}.{event.__name__}"
            HAPPENED.update((row, f"{row} {after.name}"))
        table.taken |= before[table.name]


@pytest.mark.parametrize(
    ("first", "count"),
    [(0, 24), pytest.param(24, 66, marks=pytest.mark.soak), pytest.param(90, 60, marks=pytest.mark.soak)],
)
@pytest.mark.parametrize("kind", WORLDS)
@pytest.mark.usefixtures("happened")
def test_a_walk_keeps_the_properties_and_comes_to_rest(kind: str, first: int, count: int) -> None:
    for seed in range(first, first + count):
        taken = walk(seed, 300, **WORLDS[kind])
        assert not taken.deadlocked() or WORLDS[kind].get("tight"), seed


@pytest.mark.parametrize("situation", SOMETIMES)
def test_what_is_interesting_happens(situation: str) -> None:
    """Walks on which nothing was wrong say nothing if nothing happened there."""
    if not HAPPENED:
        pytest.skip("no walk was taken")
    assert HAPPENED & {*SOMETIMES[situation]}


FOUND = (  # walks on which something was wrong once
    ("cut links", 1068),  # the news of an owner's death came twice, and what is inside its value was pinned twice
    ("deaths and cut links", 1220),
    # the check: an owner had lost the node of its primary copy, which had not heard
    ("full stores and cut links", 503),
)


@pytest.mark.parametrize(("kind", "seed"), FOUND)
def test_a_walk_that_once_found_something(kind: str, seed: int) -> None:
    walk(seed, 300, **WORLDS[kind])


def test_the_same_seed_takes_the_same_walk() -> None:
    again = [[party.steps for party in walk(7, 300, deaths=1).parties.values()] for _ in range(2)]
    assert again[0] == again[1] and sum(again[0]) > 0
