"""Remote functions: all sorts of callables, redefined, passed around and calling each other."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import freehold
from freehold.specs.scenario import scenario

FACTOR = 3


def tripled(value: int) -> int:
    """Return three times the value; workers import it."""
    return FACTOR * value


@scenario(returns=[1, 2])
def function_is_redefined() -> Any:
    """Two functions of one name: each call runs the one that was defined when it was made."""

    def define(value: int) -> Any:
        @freehold.remote
        def answer() -> int:
            return value

        return answer

    answer = define(1)
    first = answer.remote()
    answer = define(2)
    return freehold.get([first, answer.remote()])


@scenario(returns=[42, 42])
def function_calls_another() -> Any:
    """A remote function calls another that is defined outside it, directly and through a plain function."""

    @freehold.remote
    def inner() -> int:
        return 21

    def plain() -> int:
        return int(freehold.get(inner.remote()))

    @freehold.remote
    def outer() -> int:
        return plain() + int(freehold.get(inner.remote()))

    return freehold.get([outer.remote(), outer.remote()])


@scenario(returns=(9, 9, 9))
def function_as_an_argument() -> Any:
    """A remote function and its options are arguments and parts of values; the receiver calls them."""

    @freehold.remote
    def square(value: int) -> int:
        return value * value

    @freehold.remote
    def apply(function: Any, value: int) -> int:
        function = function["f"] if isinstance(function, dict) else function
        return int(freehold.get(function.remote(value)))

    refs = [apply.remote(square, 3), apply.remote({"f": square.options(num_cpus=0.5)}, 3)]
    return *freehold.get(refs), freehold.get(apply.remote(freehold.put({"f": square}), 3))


@scenario(returns=[6, 7, 8, 9, 10])
def sorts_of_callables() -> Any:
    """A lambda, a closure, a partial, a bound method and an importable function are made remote."""

    class Adder:
        def __init__(self, more: int) -> None:
            self.more = more

        def add(self, value: int) -> int:
            return value + self.more

    offset = 5

    def closure(value: int) -> int:
        return value + offset

    callables: list[Callable[[int], int]] = [lambda value: value + 5, closure, functools.partial(closure), Adder(7).add]
    refs = [freehold.remote(function).remote(value) for function, value in zip(callables, (1, 2, 3, 2), strict=True)]
    return [*freehold.get(refs), freehold.get(freehold.remote(tripled).remote(3)) + 1]


@scenario(returns=[0, 1, 4])
def generator_fills_the_returns() -> Any:
    """A generator function with three returns yields them (Ray: static generators)."""

    @freehold.remote(num_returns=3)
    def squares() -> Iterator[int]:
        for i in range(3):
            yield i * i

    return freehold.get(squares.remote())


@scenario(returns=[[0, 1], [2], [10]])
def closure_is_taken_when_first_called() -> Any:
    """A closed-over list is changed between calls: the function went out with what it held at its first call."""
    values = [0, 1]

    @freehold.remote
    def read(more: list[int]) -> list[int]:
        return more or values

    first = freehold.get(read.remote([]))
    values.append(2)
    return [first, freehold.get(read.remote([2])), freehold.get(read.remote([10]))]


@scenario(returns=("named", "f"))
def name_of_a_task() -> Any:
    """A task is given a name by its options; an error tells it."""

    @freehold.remote
    def f() -> None:
        raise RuntimeError("x")

    names = []
    for task in (f.options(name="named"), f):
        try:
            freehold.get(task.remote())
        except RuntimeError as error:
            names.append(getattr(error, "function_name", "").rpartition(".")[2])
    return tuple(names)


@scenario(returns=[100, 200])
def large_function() -> Any:
    """A function closes over 300 kB: it goes through the object store, once, for all its calls."""
    table = bytes(range(256)) * 1_200

    @freehold.remote
    def look_up(i: int) -> int:
        return table[i]

    return freehold.get([look_up.remote(100), look_up.remote(256 + 200)])


@scenario(returns=[1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
def functions_that_call_functions() -> Any:
    """Ten functions are defined in a row, each of which closes over the one before and calls it."""
    chain: Any = None

    def define(previous: Any) -> Any:
        @freehold.remote
        def count() -> list[int]:
            before = freehold.get(previous.remote()) if previous is not None else []
            return [*before, len(before) + 1]

        return count

    for _ in range(10):
        chain = define(chain)
    return freehold.get(chain.remote())
