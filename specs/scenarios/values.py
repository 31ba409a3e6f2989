"""Values: what comes out is what went in, and nobody can change it on the way."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

import freehold
from freehold.specs.scenario import scenario


@scenario(returns=([23, 42, 93], 158, [0, 1, 2]))
def first_tour() -> Any:
    """The program of the tutorial: put, get, a remote sum of a reference, and a list of gets."""

    @freehold.remote
    def my_sum(values: list[int]) -> int:
        return sum(values)

    ref = freehold.put([23, 42, 93])
    total = freehold.get(my_sum.remote(ref))
    return freehold.get(ref), total, freehold.get([freehold.put(i) for i in range(3)])


@scenario(returns=([1, 2], [1, 2], [1, 2]))
def result_is_mutated() -> Any:
    """The program changes what it got; the object, and a later get, are as before."""
    ref = freehold.put([1, 2])
    first = freehold.get(ref)
    kept = list(first)
    first.append(3)
    return kept, freehold.get(ref), freehold.get([ref])[0]


@scenario(returns=([1, 2, 3], [1, 2], [1, 2, 3]))
def argument_is_mutated() -> Any:
    """A task changes its argument, on a worker that sees the same object again: it is as before each time."""

    @freehold.remote
    def append(values: list[int]) -> list[int]:
        values.append(3)
        return values

    ref = freehold.put([1, 2])
    return freehold.get(append.remote(ref)), freehold.get(ref), freehold.get(append.remote(ref))


@scenario(returns=([1], [1], 2_000_000))
def value_changes_after_put() -> Any:
    """The program changes a small and a large value after put, and an argument after the call."""

    @freehold.remote
    def same(value: Any) -> Any:
        return value

    small, large = [1], bytearray(b"\1" * 2_000_000)
    refs = freehold.put(small), freehold.put(large), same.remote(small)
    small.append(2)
    large[:] = bytes(len(large))
    values = freehold.get(list(refs))
    return values[0], values[2], sum(values[1])


@scenario(returns=[7, 7, 8, 7])
def duplicates_in_a_get() -> Any:
    """One get names an object three times, before it is there."""

    @freehold.remote
    def seven() -> int:
        return 7

    ref, other = seven.remote(), freehold.put(8)
    return freehold.get([ref, ref, other, ref])


@scenario(returns=[])
def get_of_nothing() -> Any:
    """A get of an empty list needs nobody."""
    return freehold.get([])


@scenario()
def plain_values() -> None:
    """All sorts of builtin values make the way to a task and back."""

    @freehold.remote
    def same(value: Any) -> Any:
        return value

    values: list[Any] = [
        None,
        True,
        0,
        -(2**70),
        1.5,
        "é\0",
        b"\xff",
        (1, (2,)),
        {1: {2}},
        {3},
        range(4),
        slice(1),
        ...,
    ]
    refs = [freehold.put(value) for value in values]
    assert freehold.get(refs) == values
    assert freehold.get([same.remote(ref) for ref in refs]) == values
    assert freehold.get([same.remote(value) for value in values]) == values


@scenario(returns=("Point", 3, True, "RED"))
def classes_of_the_program() -> Any:
    """Values are of classes that only the program has: they travel along, and come back as the program's own."""

    @dataclass(frozen=True)
    class Point:
        x: int
        y: int

    class Colour(enum.Enum):
        RED = 1

    @freehold.remote
    def mirrored(point: Any, colour: Any) -> Any:
        return type(point)(point.y, point.x), colour

    point, colour = freehold.get(mirrored.remote(Point(1, 3), Colour.RED))
    return type(point).__name__, point.x, isinstance(point, Point), colour.name


@scenario(returns=("ValueError('x')", True))
def exception_as_a_value() -> Any:
    """An exception is put, and returned, as a value: a get returns it and raises nothing."""

    @freehold.remote
    def same(value: Any) -> Any:
        return value

    ref = freehold.put(ValueError("x"))
    return repr(freehold.get(ref)), isinstance(freehold.get(same.remote(ref)), ValueError)


@scenario(returns=(0, 100_000, 1_000_000))
def cycles_and_shared_parts() -> Any:
    """A value that contains itself, and one whose parts are one object, keep their shape."""
    ring: list[Any] = []
    ring.append(ring)
    back = freehold.get(freehold.put(ring))
    part = b"x" * 100_000
    parts = freehold.get(freehold.put([part] * 10))
    assert back[0] is back and all(other is parts[0] for other in parts)
    return len(back) - 1, len(parts[0]), sum(map(len, parts))


@scenario(returns=[[1, 2, True], [300_000, 300_001, True]])
def arguments_share_what_they_shared() -> Any:
    """One list is given twice, once it is small, once large: what the task adds to one of the two is in both."""

    @freehold.remote
    def add(one: list[int], other: list[int], by_name: list[int]) -> list[Any]:
        before = len(other)
        one.append(0)
        return [before, len(other), other is by_name]

    few, many = [1], [1] * 300_000
    return freehold.get([add.remote(some, some, by_name=some) for some in (few, many)])
