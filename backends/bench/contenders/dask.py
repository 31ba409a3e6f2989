"""How Dask does the rows that it has: a cluster of two worker processes on the loopback address, and its client.

Its values live in workers, so a put is a ``scatter`` and a get is a message; between nodes is between processes.
"""

from __future__ import annotations

import time
from typing import Any

from distributed import Client, LocalCluster, wait

from freehold.backends.bench import work
from freehold.backends.bench.contender import Contender, Timed, lives, queue_behind_blockers, repeated
from freehold.backends.bench.rows import BATCH, LARGE, MIDDLE, SMALL

CLIENTS: list[Client] = []
QUIET = 50  # of logging, critical


def begin(_: int) -> None:
    """Start two worker processes, whatever the number of nodes."""
    cluster = LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs=QUIET
    )
    CLIENTS.append(Client(cluster))


def end() -> None:
    """End the client and its cluster."""
    client = CLIENTS.pop()
    cluster = client.cluster
    client.close()
    cluster.close()


DASK = Contender("dask", begin, end)
lives(DASK, "distributed")


def submit(function: Any, *arguments: Any) -> Any:
    """Submit a task that is run each time, not looked up."""
    return CLIENTS[0].submit(function, *arguments, pure=False)


@DASK.rate("put-small")
def put_small() -> Timed:
    """Scatter a zero, and drop the future."""
    client = CLIENTS[0]
    return repeated(lambda: client.scatter(0, hash=False))


@DASK.rate("get-small")
def get_small() -> Timed:
    """Fetch a zero."""
    future = CLIENTS[0].scatter(0, hash=False)
    return repeated(lambda: future.result())


@DASK.rate("put-warm")
def put_warm() -> Timed:
    """Scatter a large array, and drop the future."""
    client, array = CLIENTS[0], work.full(LARGE)
    return repeated(lambda: client.scatter(array, hash=False))


@DASK.rate("get-large")
def get_large() -> Timed:
    """Fetch a large array again and again."""
    future = CLIENTS[0].scatter(work.full(LARGE), hash=False)
    return repeated(lambda: future.result())


@DASK.rate("round-trip")
def round_trip() -> Timed:
    """Run one task at a time."""
    return repeated(lambda: submit(work.same, 1).result())


@DASK.rate("in-flight")
def in_flight() -> Timed:
    """Submit a thousand tasks, then gather all results."""
    client = CLIENTS[0]
    return repeated(lambda: client.gather([submit(work.same, 1) for _ in range(BATCH)]))


@DASK.whole("queued")
def queued(count: int) -> dict[str, float]:
    """Queue tasks behind one that blocks on each worker."""
    return queue_behind_blockers(
        count, lambda folder: submit(work.block, folder), lambda: submit(work.same, 0), CLIENTS[0].gather
    )


@DASK.rate("argument")
def argument() -> Timed:
    """Run a task that reads the same large argument each time."""
    future = CLIENTS[0].scatter(work.full(MIDDLE), hash=False)
    return repeated(lambda: submit(work.first, future).result())


@DASK.rate("return")
def return_() -> Timed:
    """Run a task that returns a fresh large array, and read it once."""
    return repeated(lambda: work.touched(submit(work.full, MIDDLE).result()))


@DASK.rate("wait-one-by-one")
def wait_one_by_one() -> Timed:
    """Submit a thousand tasks, and wait for the next ones until none is left."""

    def operation() -> None:
        left: Any = [submit(work.same, 1) for _ in range(BATCH)]
        while left:
            left = list(wait(left, return_when="FIRST_COMPLETED").not_done)

    return repeated(operation)


def from_another_process(nbytes: int) -> Timed:
    """Fetch fresh arrays that lie in a worker."""

    def many(n: int) -> float:
        seconds = 0.0
        for _ in range(n):
            future = submit(work.full, nbytes)
            wait([future])
            start = time.perf_counter()
            future.result()
            seconds += time.perf_counter() - start
        return seconds

    return many


@DASK.rate("nodes-large")
def nodes_large() -> Timed:
    """Fetch fresh arrays of 100 MB."""
    return from_another_process(LARGE)


@DASK.rate("nodes-small")
def nodes_small() -> Timed:
    """Fetch fresh arrays of 1 MB."""
    return from_another_process(SMALL)
