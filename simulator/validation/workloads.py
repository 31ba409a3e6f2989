"""Programs that take their own time: the same on the local cluster and on a simulated one, where clocks are virtual.

Each yields seconds, once for every repetition.  The cluster has two nodes with one worker each, beside the program's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from typing import Any

import numpy as np

import freehold

NODES, CPUS = 2, 1
WARM = 50  # repetitions that are not measured: new workers start, functions come, places are touched
MIB = 2**20
HERE, THERE = {"node:0": 1e-6}, {"node:1": 1e-6}
Workload = Callable[[], Iterator[float]]


@freehold.remote
def nothing(*_: Any) -> None:
    """Return at once."""


@freehold.remote
def same(value: Any) -> Any:
    """Return what it is given."""
    return value


@cache
def sized(nbytes: int) -> Any:
    """Return a value of some size, always the same: to make one takes a program's own time, which is not simulated."""
    return np.ones(nbytes, np.uint8)


@freehold.remote
def zeros(nbytes: int) -> Any:
    """Return a value of some size."""
    return sized(nbytes)


@freehold.remote
def hand_on(refs: list[Any], times: int) -> Any:
    """Hand a reference on to another task, which does so, and return what the last one reads."""
    if times:
        return freehold.get(hand_on.remote(refs, times - 1))
    return freehold.get(refs[0])


@freehold.remote
def branch(depth: int) -> int:
    """Call itself twice; return how many there were."""
    if not depth:
        return 1
    return 1 + sum(freehold.get([branch.remote(depth - 1), branch.remote(depth - 1)]))


def timed(call: Callable[[], Any]) -> Iterator[float]:
    """Yield how long a call takes, again and again."""
    while True:
        began = time.perf_counter()
        call()
        yield time.perf_counter() - began


def put_small() -> Iterator[float]:
    """Fifty small values are put, and let go."""
    return timed(lambda: [freehold.put(number) for number in range(50)])


def put_large() -> Iterator[float]:
    """8 MiB are put, and let go."""
    value = sized(8 * MIB)
    return timed(lambda: freehold.put(value))


def round_trip() -> Iterator[float]:
    """A task is called, and its value awaited."""
    return timed(lambda: freehold.get(nothing.options(resources=HERE).remote()))


def round_trip_there() -> Iterator[float]:
    """The same on the other node."""
    return timed(lambda: freehold.get(nothing.options(resources=THERE).remote()))


def pipelined() -> Iterator[float]:
    """A hundred tasks are called, and then awaited."""
    task = nothing.options(resources=HERE)
    return timed(lambda: freehold.get([task.remote() for _ in range(100)]))


def spread_out() -> Iterator[float]:
    """The same, half of them on the other node."""
    tasks = [nothing.options(resources=where) for where in (HERE, THERE)]
    return timed(lambda: freehold.get([tasks[number % 2].remote() for number in range(100)]))


def fan_out() -> Iterator[float]:
    """Twenty tasks take one value of 1 MiB."""
    ref, task = freehold.put(sized(MIB)), nothing.options(resources=HERE)
    return timed(lambda: freehold.get([task.remote(ref) for _ in range(20)]))


def fan_in() -> Iterator[float]:
    """One task takes what twenty others return."""
    task = same.options(resources=HERE)
    return timed(lambda: freehold.get(nothing.remote(*[task.remote(number) for number in range(20)])))


def chain() -> Iterator[float]:
    """Ten tasks, each of which takes what the one before returns."""

    def call() -> None:
        ref, task = freehold.put(0), same.options(resources=HERE)
        for _ in range(10):
            ref = task.remote(ref)
        freehold.get(ref)

    return timed(call)


def zigzag() -> Iterator[float]:
    """The same with 1 MiB, on one node and the other by turns."""

    def call() -> None:
        ref = zeros.options(resources=HERE).remote(MIB)
        for number in range(6):
            ref = same.options(resources=(HERE, THERE)[number % 2]).remote(ref)
        freehold.wait([ref])

    return timed(call)


def tree() -> Iterator[float]:
    """Tasks that call tasks, seven in all."""
    return timed(lambda: freehold.get(branch.remote(2)))


def transfer() -> Iterator[float]:
    """16 MiB that a task has returned on the other node are read."""
    task = zeros.options(resources=THERE)

    def call() -> Iterator[float]:
        while True:
            ref = task.remote(16 * MIB)
            freehold.wait([ref], fetch_local=False)
            began = time.perf_counter()
            freehold.get(ref)
            yield time.perf_counter() - began

    return call()


def borrow_chain() -> Iterator[float]:
    """A reference goes through three tasks, and the last one reads it."""
    ref = freehold.put(1.0)
    return timed(lambda: freehold.get(hand_on.remote([ref], 3)))


def many_refs() -> Iterator[float]:
    """A list of a hundred references comes from a task, and all are read."""
    refs = [freehold.put(number) for number in range(100)]
    task = same.options(resources=HERE)
    return timed(lambda: freehold.get(freehold.get(task.remote(refs))))


def one_by_one() -> Iterator[float]:
    """Twenty tasks are called, and taken as they are ready."""

    def call() -> None:
        refs = [nothing.remote() for _ in range(20)]
        while refs:
            _, refs = freehold.wait(refs)

    return timed(call)


def mixed() -> Iterator[float]:
    """Some of everything."""
    large = freehold.put(sized(MIB))

    def call() -> None:
        refs = [same.remote(number) for number in range(5)]
        refs += [nothing.options(resources=THERE).remote(large), hand_on.remote([refs[0]], 1)]
        freehold.get([*refs, freehold.put(sized(MIB))])

    return timed(call)


FITTED: dict[str, Workload] = {one.__name__: one for one in (put_large, pipelined, chain, many_refs)}
PREDICTED: dict[str, Workload] = {
    one.__name__: one
    for one in (
        round_trip,
        round_trip_there,
        spread_out,
        put_small,
        fan_out,
        fan_in,
        zigzag,
        tree,
        transfer,
        borrow_chain,
        one_by_one,
        mixed,
    )
}
ALL = FITTED | PREDICTED


def measure(name: str, repetitions: int, warm: int = WARM) -> list[float]:
    """Return how long the repetitions of a workload took, but for the first ones, on the cluster that is there."""
    return [*islice(ALL[name](), warm, warm + repetitions)]
