"""How ``multiprocessing.Pool`` does the rows that it has: tasks.  Values travel through its pipes, pickled."""

from __future__ import annotations

import multiprocessing
from multiprocessing.pool import Pool

from freehold.backends.bench import work
from freehold.backends.bench.contender import Contender, Timed, lives, queue_behind_blockers, repeated
from freehold.backends.bench.rows import BATCH, MIDDLE

POOLS: list[Pool] = []


def begin(_: int) -> None:
    """Start two workers."""
    POOLS.append(multiprocessing.get_context().Pool(2))


def end() -> None:
    """End them, also while tasks run."""
    pool = POOLS.pop()
    pool.terminate()
    pool.join()


POOL = Contender("pool", begin, end)
lives(POOL, "multiprocessing")


@POOL.rate("round-trip")
def round_trip() -> Timed:
    """Run one task at a time."""
    pool = POOLS[0]
    return repeated(lambda: pool.apply(work.same, (1,)))


@POOL.rate("in-flight")
def in_flight() -> Timed:
    """Submit a thousand tasks, then get all results."""
    pool = POOLS[0]

    def operation() -> None:
        for result in [pool.apply_async(work.same, (1,)) for _ in range(BATCH)]:
            result.get()

    return repeated(operation)


@POOL.whole("queued")
def queued(count: int) -> dict[str, float]:
    """Queue tasks behind one that blocks on each worker."""
    pool = POOLS[0]
    return queue_behind_blockers(
        count,
        lambda folder: pool.apply_async(work.block, (folder,)),
        lambda: pool.apply_async(work.same, (0,)),
        lambda results: [result.get() for result in results],
    )


@POOL.rate("argument")
def argument() -> Timed:
    """Run a task that reads the same large argument each time; it is sent each time."""
    pool, array = POOLS[0], work.full(MIDDLE)
    return repeated(lambda: pool.apply(work.first, (array,)))


@POOL.rate("return")
def return_() -> Timed:
    """Run a task that returns a fresh large array, and read it once."""
    pool = POOLS[0]
    return repeated(lambda: work.touched(pool.apply(work.full, (MIDDLE,))))
