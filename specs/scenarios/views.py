"""Arrays: what lies in the object store is read in place, and cannot be written."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from typing import Any

import numpy as np

import freehold
from freehold.specs.scenario import scenario


@scenario(returns=(False, 4950.0, True))
def large_array_is_read_only() -> Any:
    """A large array cannot be written to; a copy of it can, and the object is as before."""
    ref = freehold.put(np.tile(np.arange(100.0), 200))
    array = freehold.get(ref)
    try:
        array[0] = 1
    except ValueError:
        copy = array.copy()
        copy[0] = 1
        return array.flags.writeable, float(freehold.get(ref)[:100].sum()), bool(copy[0] == 1)
    return "it was written"


@scenario(returns=(False, "ValueError"))
def argument_array_is_read_only() -> Any:
    """A task writes into its large argument: it gets a ValueError, as the program would."""

    @freehold.remote
    def write(array: Any) -> Any:
        try:
            array[0] = 1
        except ValueError as error:
            return array.flags.writeable, type(error).__name__
        return "it was written"

    return freehold.get(write.remote(freehold.put(np.zeros(50_000))))


@scenario(returns=(50_000, 50_000, 7))
def view_outlives_its_reference() -> Any:
    """All references to an object are dropped while arrays that show it are alive, also a slice of a slice."""
    ref = freehold.put(np.full(50_000, 7.0))
    array, part = freehold.get(ref), freehold.get(ref)[10:][::2]
    del ref
    gc.collect()
    others = [freehold.put(np.zeros(50_000)) for _ in range(3)]
    assert all(not freehold.get(other).any() for other in others)
    return int((array == 7).sum()), int((part == 7).sum()) * 2 + 10, int(part[-1])


@scenario(returns=(10.0, True, False))
def arrays_in_values() -> Any:
    """Arrays lie in a dict and in a dataclass of the program; a task makes one from the other."""

    @dataclass
    class Pair:
        left: Any
        right: Any

    @freehold.remote
    def swap(pair: Any, more: dict[str, Any]) -> Any:
        return type(pair)(pair.right, {"sum": pair.left + more["array"]})

    pair = Pair(np.full(40_000, 4.0), np.zeros(40_000))
    swapped = freehold.get(swap.remote(pair, {"array": np.full(40_000, 6.0)}))
    return float(swapped.right["sum"].max()), isinstance(swapped, Pair), swapped.left.flags.writeable


@scenario()
def shapes_and_types_of_arrays() -> None:
    """Arrays of many shapes, orders and types come back equal, from put and from a task."""

    @freehold.remote
    def same(array: Any) -> Any:
        return array

    grid = np.arange(40_000.0).reshape(200, 200)
    arrays = [grid, grid.T, grid[::2, ::3], np.asfortranarray(grid), grid[:0], np.array(3), grid > 5, grid.astype("U")]
    arrays += [np.array([1, "a", None], object), np.zeros(30_000, [("x", "i4"), ("y", "f8")]), grid.astype("M8[s]")]
    for array in arrays:
        for back in (freehold.get(freehold.put(array)), freehold.get(same.remote(array))):
            assert back.dtype == array.dtype and back.shape == array.shape
            assert np.array_equal(back, array)


@scenario(returns=(30_000, 100, 100))
def task_returns_part_of_its_argument() -> Any:
    """A task returns a slice of the array that it was given, small and large: the result is an object of its own."""

    @freehold.remote
    def part(array: Any, length: int) -> Any:
        return array[100 : 100 + length]

    ref = freehold.put(np.arange(100_000))
    large, small = part.remote(ref, 30_000), part.remote(ref, 100)
    del ref
    return len(freehold.get(large)), len(freehold.get(small)), int(freehold.get(large)[0])


@scenario(nodes=3, returns=[45.0, 45.0, 45.0])
def array_from_another_node() -> Any:
    """An array made on node 1 is read by the program, and on node 2; both see it in place, read-only."""

    @freehold.remote(node=1)
    def make() -> Any:
        return np.tile(np.arange(10.0), 10_000)

    @freehold.remote
    def total(array: Any) -> float:
        assert not array.flags.writeable
        return float(array[:10].sum())

    ref = make.remote()
    here = freehold.get(ref)
    assert not here.flags.writeable
    return [float(here[-10:].sum()), *freehold.get([total.options(node=2).remote(ref), total.remote(ref)])]


@scenario(returns=(3, 50_000))
def many_views_of_one_object() -> Any:
    """Three gets of one object, dropped in another order than they came; each sees it to its end."""
    ref = freehold.put(np.ones(50_000))
    views = [freehold.get(ref) for _ in range(3)]
    sums = [int(views.pop(i).sum()) for i in (1, 0)]
    del ref
    sums.append(int(views[0].sum()))
    return len(sums), *set(sums)
