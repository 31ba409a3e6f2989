"""How freehold does each row: the functions that ``import freehold`` gives to a user."""

from __future__ import annotations

import os
import time
from typing import Any

from freehold.backends.bench import work
from freehold.backends.bench.contender import Contender, Timed, lives, queue_behind_blockers, repeated, slope, timed
from freehold.backends.bench.rows import BATCH, LARGE, MIDDLE, REFS, SMALL
from freehold.core import cluster
from freehold.core.api import get, init, put, shutdown, wait
from freehold.core.events import RefCreated, RefDropped, WantWithdrawn
from freehold.core.ids import HEAD, object_id, worker_id
from freehold.core.remote import remote
from freehold.core.strides import NONE
from freehold.core.trace import Ring
from freehold.core.values import Payload
from freehold.core.worker import Worker

WORKERS = 2


def begin(nodes: int) -> None:
    """Start a cluster, if one is wanted, with two workers together."""
    if nodes:
        init(num_nodes=nodes, num_cpus=WORKERS // nodes)
        if os.environ.get("FREEHOLD_BENCH_RINGS") == "off":
            stop_rings()


OURS = Contender("freehold", begin, shutdown)
lives(OURS, "freehold")


def stop_rings() -> None:
    """Stop the trace rings of the program and of the workers; there is no switch for users."""
    stop_ring()
    task, stopped = remote(stop_ring), set[int]()
    while len(stopped) < WORKERS:
        stopped.update(get([task.remote(0.05) for _ in range(WORKERS)]))


def stop_ring(seconds: float = 0.0) -> int:
    """Stop the trace ring of this process, and stay a while, so that another worker is given the next task."""
    session = cluster.active
    assert session is not None
    session.worker.watch = None
    time.sleep(seconds)
    return os.getpid()


# ------------------------------------------------------------------ the tables


def owner() -> Worker:
    """Return a party as a program has it, with its trace ring, but for strides: each step is one of a table."""
    party = Worker(worker_id(HEAD, 1))
    party.strides = NONE
    party.watch = Ring()
    return party


@OURS.rate("step-changing")
def step_changing() -> Timed:
    """Put and drop small values through the door of a party; every step of that changes a record."""
    party, payload = owner(), Payload(5, (), b"12345")
    first = object_id(party.me, 1)

    def many(n: int) -> float:
        handle, before, start = party.handle, party.steps, time.perf_counter()
        for name in range(first, first + n):
            handle(RefCreated(name, payload))
            handle(RefDropped(name))
        seconds = time.perf_counter() - start
        return seconds / (party.steps - before) * n

    return many


@OURS.rate("step-unchanging")
def step_unchanging() -> Timed:
    """Tell a party, again and again, what no longer matters to an object that it keeps."""
    party = owner()
    name = object_id(party.me, 1)
    party.handle(RefCreated(name, Payload(5, (), b"12345")))
    event = WantWithdrawn(name, 1)
    kept = party.promotion[name]

    def many(n: int) -> float:
        handle, before, start = party.handle, party.steps, time.perf_counter()
        for _ in range(n):
            handle(event)
        seconds = time.perf_counter() - start
        assert party.promotion[name] is kept
        return seconds / (party.steps - before) * n

    return many


# ------------------------------------------------------------------ put and get


@OURS.rate("put-small")
def put_small() -> Timed:
    """Put a zero, and drop the reference."""

    def many(n: int) -> None:
        for _ in range(n):
            put(0)

    return timed(many)


@OURS.rate("get-small")
def get_small() -> Timed:
    """Get a zero that this process owns."""
    ref = put(0)

    def many(n: int) -> None:
        for _ in range(n):
            get(ref)

    return timed(many)


@OURS.whole("object-memory")
def object_memory(count: int) -> dict[str, float]:
    """Put zeros, and keep the references."""
    return {"object-memory": slope(count, lambda: put(0))}


@OURS.rate("put-warm")
def put_warm() -> Timed:
    """Put a large array, and drop the reference."""
    array = work.full(LARGE)
    return repeated(lambda: put(array))


@OURS.rate("put-first-touch")
def put_first_touch() -> Timed:
    """Put a large array, and keep the reference: the next one finds no memory that was used before."""
    array, kept = work.full(LARGE), list[Any]()
    return repeated(lambda: kept.append(put(array)))


@OURS.rate("get-large")
def get_large() -> Timed:
    """Get a large array again and again."""
    ref = put(work.full(LARGE))
    get(ref)  # grants the hold
    return repeated(lambda: get(ref))


# ------------------------------------------------------------------ tasks


@OURS.rate("round-trip")
def round_trip() -> Timed:
    """Run one task at a time."""
    task = remote(work.same)
    return repeated(lambda: get(task.remote(1)))


@OURS.rate("in-flight")
def in_flight() -> Timed:
    """Submit a thousand tasks, then get all results."""
    task = remote(work.same)
    return repeated(lambda: get([task.remote(1) for _ in range(BATCH)]))


@OURS.whole("queued")
def queued(count: int) -> dict[str, float]:
    """Queue tasks behind one that blocks on each worker."""
    block, task = remote(work.block), remote(work.same)
    return queue_behind_blockers(count, block.remote, lambda: task.remote(0), get)


@OURS.rate("argument")
def argument() -> Timed:
    """Run a task that reads the same large argument each time."""
    task, ref = remote(work.first), put(work.full(MIDDLE))
    return repeated(lambda: get(task.remote(ref)))


@OURS.rate("return")
def return_() -> Timed:
    """Run a task that returns a fresh large array, and read it once."""
    task = remote(work.full)
    return repeated(lambda: work.touched(get(task.remote(MIDDLE))))


@OURS.rate("wait-one-by-one")
def wait_one_by_one() -> Timed:
    """Submit a thousand tasks, and wait for the next one until none is left."""
    task = remote(work.same)

    def operation() -> None:
        refs = [task.remote(1) for _ in range(BATCH)]
        while refs:
            _, refs = wait(refs)

    return repeated(operation)


def references(count: int) -> list[Any]:
    """Return references to objects that this process has put."""
    return [put(number) for number in range(count)]


@OURS.rate("borrowed-refs")
def borrowed_refs() -> Timed:
    """Get an object that holds references of a worker, and drop them."""
    ref = remote(references).remote(REFS)
    wait([ref])
    return repeated(lambda: get(ref))


# ------------------------------------------------------------------ between nodes


def from_another_node(nbytes: int) -> Timed:
    """Get fresh arrays that lie on the other node."""
    task = remote(work.full).options(node=1)

    def many(n: int) -> float:
        seconds = 0.0
        for _ in range(n):
            ref = task.remote(nbytes)
            wait([ref], fetch_local=False)
            start = time.perf_counter()
            get(ref)
            seconds += time.perf_counter() - start
        return seconds

    return many


@OURS.rate("nodes-large")
def nodes_large() -> Timed:
    """Get fresh arrays of 100 MB that lie on the other node."""
    return from_another_node(LARGE)


@OURS.rate("nodes-small")
def nodes_small() -> Timed:
    """Get fresh arrays of 1 MB that lie on the other node."""
    return from_another_node(SMALL)
