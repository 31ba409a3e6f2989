"""How executors of ``concurrent.futures`` do the rows that they have; ``ProcessPoolExecutor`` is the first of them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from typing import Any

from freehold.backends.bench import work
from freehold.backends.bench.contender import Contender, Timed, lives, queue_behind_blockers, repeated
from freehold.backends.bench.rows import BATCH, MIDDLE

EXECUTORS: list[Executor] = []


def results(futures: Any) -> list[Any]:
    """Return the results of futures, in order."""
    return [future.result() for future in futures]


def executor_contender(name: str, module: str, make: Callable[[], Executor]) -> Contender:
    """Return the contender that an executor with two workers is."""
    contender = Contender(name, lambda _: EXECUTORS.append(make()), lambda: EXECUTORS.pop().shutdown(wait=True))
    lives(contender, module)
    for probe, function in RATES.items():
        contender.rate(probe)(function)
    contender.whole("queued")(queued)
    return contender


def round_trip() -> Timed:
    """Run one task at a time."""
    executor = EXECUTORS[0]
    return repeated(lambda: executor.submit(work.same, 1).result())


def in_flight() -> Timed:
    """Submit a thousand tasks, then get all results."""
    executor = EXECUTORS[0]
    return repeated(lambda: results([executor.submit(work.same, 1) for _ in range(BATCH)]))


def queued(count: int) -> dict[str, float]:
    """Queue tasks behind one that blocks on each worker."""
    executor = EXECUTORS[0]
    return queue_behind_blockers(
        count,
        lambda folder: executor.submit(work.block, folder),
        lambda: executor.submit(work.same, 0),
        results,
    )


def argument() -> Timed:
    """Run a task that reads the same large argument each time; it is sent each time."""
    executor, array = EXECUTORS[0], work.full(MIDDLE)
    return repeated(lambda: executor.submit(work.first, array).result())


def return_() -> Timed:
    """Run a task that returns a fresh large array, and read it once."""
    executor = EXECUTORS[0]
    return repeated(lambda: work.touched(executor.submit(work.full, MIDDLE).result()))


def wait_one_by_one() -> Timed:
    """Submit a thousand tasks, and wait for the next ones until none is left."""
    executor = EXECUTORS[0]

    def operation() -> None:
        left: set[Future[int]] = {executor.submit(work.same, 1) for _ in range(BATCH)}
        while left:
            left = wait(left, return_when=FIRST_COMPLETED).not_done

    return repeated(operation)


RATES: dict[str, Callable[[], Timed]] = {
    "round-trip": round_trip,
    "in-flight": in_flight,
    "argument": argument,
    "return": return_,
    "wait-one-by-one": wait_one_by_one,
}
PROCESS_POOL = executor_contender("processpool", "concurrent.futures", lambda: ProcessPoolExecutor(2))
