"""Values that may be written to: a private copy, whatever they are inside of; the object itself is unharmed."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import freehold

pytestmark = pytest.mark.nodes(1, 3)
LARGE = 200_000
Pair = namedtuple("Pair", ("left", "right"))


@freehold.remote
def make(number: int) -> Any:
    return np.arange(number)


@freehold.remote
def change_inside(box: list[Any]) -> int:
    values = freehold.get(box[0], writable=True)
    values[:] = -1
    return int(freehold.get(box[0])[1])


@pytest.fixture(autouse=True)
def clean(world: Any) -> Iterator[None]:
    world.start()
    yield
    world.assert_clean("writable")


@pytest.mark.parametrize("number", [10, LARGE])
def test_an_array_is_a_private_copy(number: int) -> None:
    for ref in (freehold.put(np.arange(number)), make.remote(number)):
        mine = freehold.get(ref, writable=True)
        assert mine.flags.writeable and mine.flags.owndata is False and (mine == np.arange(number)).all()
        mine[:] = -1
        other = freehold.get(ref, writable=True)
        assert (other == np.arange(number)).all() and not np.shares_memory(mine, other)
        assert not freehold.get(ref).flags.writeable and (freehold.get(ref) == np.arange(number)).all()
        del mine, other


@pytest.mark.parametrize("number", [10, LARGE])
def test_arrays_inside_of_values(number: int) -> None:
    value: dict[str, Any] = {
        "list": [np.zeros(number), (np.ones(number, "f4"),)],
        "pair": Pair(np.zeros((number, 2), order="F"), bytearray(b"x" * number)),
        "strided": np.arange(2 * number)[::2],
        "dates": np.zeros(number, "M8[s]"),
        "records": np.zeros(number, [("a", "i4"), ("b", "f8")]).view(np.recarray),
        "objects": np.array([None, [1]], dtype=object),
        "bytes": b"x" * number,
        "empty": np.zeros(0),
    }
    ref = freehold.put(value)
    mine = freehold.get(ref, writable=True)
    arrays = [mine["list"][0], mine["list"][1][0], mine["pair"].left, mine["strided"], mine["dates"], mine["records"]]
    for array in [*arrays, mine["objects"]]:
        assert array.flags.writeable
        array[:1] = array[1:2]
    mine["pair"].left[0, 0] = 7
    mine["strided"][0] = 7
    mine["pair"].right[0] = 7
    assert mine["bytes"] == value["bytes"] and mine["pair"].left.flags.f_contiguous
    again = freehold.get(ref)
    assert again["pair"].left[0, 0] == 0 and again["strided"][0] == 0 and again["pair"].right[0] == ord("x")
    del mine, again, arrays, array


def test_a_list_with_duplicates() -> None:
    ref = freehold.put(np.arange(LARGE))
    one, two = freehold.get([ref, ref], writable=True)
    one[0] = 9
    assert two[0] == 0
    del one, two


def test_no_hold_is_kept(world: Any) -> None:
    """The copy outlives its object, and its node's bytes."""
    ref = freehold.put(np.arange(LARGE))
    mine = freehold.get(ref, writable=True)
    del ref
    world.assert_clean("writable, with the copy alive")
    assert mine.sum() == LARGE * (LARGE - 1) // 2


def test_at_a_borrower() -> None:
    ref = freehold.put(np.arange(LARGE))
    assert freehold.get(change_inside.remote([ref])) == 1
    assert freehold.get(ref)[1] == 1


def test_references_inside_arrive() -> None:
    inner = freehold.put(1)
    box: list[Any] = [np.zeros(LARGE), [inner]]
    value, (again,) = freehold.get(freehold.put(box), writable=True)
    value[0] = 1
    assert again is inner and freehold.get(again) == 1
    del value, again


def test_survives_the_cluster(world: Any) -> None:
    mine = freehold.get(freehold.put(np.arange(LARGE)), writable=True)
    world.stop()
    mine[0] = 5
    assert mine[:2].tolist() == [5, 1]
    world.start()
