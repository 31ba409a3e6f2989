"""Numbers for values, and functions of such numbers: computed once, then looked up for whole arrays."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
T = TypeVar("T", bound=Hashable)
HALF = 32  # bits of each of two numbers that are looked up together


class Numbering(Generic[T]):
    """Values and their numbers, from 0."""

    def __init__(self, *values: T) -> None:
        self.values: list[T] = list(values)
        self.numbers: dict[T, int] = {value: number for number, value in enumerate(values)}

    def __call__(self, value: T) -> int:
        number = self.numbers.get(value)
        if number is None:
            number = self.numbers[value] = len(self.values)
            self.values.append(value)
        return number


class Column(Generic[T]):
    """A number, or some, for each value of a list that grows.

    Args:
        values: the list.
        compute: returns the number, or a tuple of them.
        width: how many, if it is not one.
    """

    def __init__(self, values: Sequence[T], compute: Callable[[T], Any], width: int = 0) -> None:
        self.values, self.compute = values, compute
        self.array = np.zeros((0, width) if width else 0, np.int64)

    def __getitem__(self, numbers: NDArray[Any]) -> Numbers:
        known, count = len(self.array), len(self.values)
        if known < count:  # what is computed may make the list longer
            more = [self.compute(value) for value in self.values[known:count]]
            self.array = np.concatenate([self.array, np.array(more, np.int64)])
        found: Numbers = self.array[numbers]
        return found

    def of(self, number: int) -> int:
        """Return the number for one of them."""
        return int(self[np.array([number])][0])

    def put(self, number: int, computed: int) -> None:
        """Change what has been computed for a value, if it has been."""
        if number < len(self.array):
            self.array[number] = computed


class Lookup:
    """A number for each pair of numbers that occurs."""

    def __init__(self, compute: Callable[[int, int], int]) -> None:
        self.compute = compute
        self.known: dict[int, int] = {}

    def of(self, left: int, right: int) -> int:
        """Return the number for a pair."""
        key = left << HALF | right
        number = self.known.get(key)
        if number is None:
            number = self.known[key] = self.compute(left, right)
        return number

    def known_of(self, left: int, right: int) -> int | None:
        """Return the number for a pair if it has been asked for."""
        return self.known.get(left << HALF | right)

    def __call__(self, left: NDArray[Any], right: NDArray[Any]) -> Numbers:
        """Return the numbers for pairs."""
        keys, at = np.unique(left.astype(np.int64) << HALF | right, return_inverse=True)
        mask = (1 << HALF) - 1
        return np.array([self.of(key >> HALF, key & mask) for key in keys.tolist()], np.int64)[at]
