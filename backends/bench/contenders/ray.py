"""How Ray does each row, with Ray's own functions: 2 CPUs, the loopback address, no dashboard, quiet.

Two nodes have the machine's own address instead: Ray puts it in the place of the loopback address, and then does not
find the head node.
"""

from __future__ import annotations

import logging
import os
import time
from typing import Any

import ray
from ray.cluster_utils import Cluster

from freehold.backends.bench import work
from freehold.backends.bench.contender import Contender, Timed, lives, queue_behind_blockers, repeated, slope, timed
from freehold.backends.bench.rows import BATCH, LARGE, MIDDLE, REFS, SMALL

CLUSTERS: list[Cluster] = []


def begin(nodes: int) -> None:
    """Start a cluster, if one is wanted, with two CPUs together."""
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if nodes == 1:
        ray.init(
            num_cpus=2,
            include_dashboard=False,
            _node_ip_address="127.0.0.1",
            **quiet,
        )
    elif nodes > 1:
        os.makedirs(os.path.join(os.environ["RAY_TMPDIR"], "ray"))  # where it writes down its address
        head = {"num_cpus": 1, "include_dashboard": False}
        CLUSTERS.append(Cluster(initialize_head=True, head_node_args=head))
        CLUSTERS[0].add_node(num_cpus=1, resources={"other": 1})
        ray.init(address=CLUSTERS[0].address, **quiet)


def end() -> None:
    """End the cluster."""
    ray.shutdown()
    while CLUSTERS:
        CLUSTERS.pop().shutdown()


RAY = Contender("ray", begin, end)
lives(RAY, "ray")


@RAY.rate("put-small")
def put_small() -> Timed:
    """Put a zero, and drop the reference."""

    def many(n: int) -> None:
        for _ in range(n):
            ray.put(0)

    return timed(many)


@RAY.rate("get-small")
def get_small() -> Timed:
    """Get a zero that this process owns."""
    ref = ray.put(0)

    def many(n: int) -> None:
        for _ in range(n):
            ray.get(ref)

    return timed(many)


@RAY.whole("object-memory")
def object_memory(count: int) -> dict[str, float]:
    """Put zeros, and keep the references."""
    return {"object-memory": slope(count, lambda: ray.put(0))}


@RAY.rate("put-warm")
def put_warm() -> Timed:
    """Put a large array, and drop the reference."""
    array = work.full(LARGE)
    return repeated(lambda: ray.put(array))


@RAY.rate("put-first-touch")
def put_first_touch() -> Timed:
    """Put a large array, and keep the reference: the next one finds no memory that was used before."""
    array, kept = work.full(LARGE), list[Any]()
    return repeated(lambda: kept.append(ray.put(array)))


@RAY.rate("get-large")
def get_large() -> Timed:
    """Get a large array again and again."""
    ref = ray.put(work.full(LARGE))
    return repeated(lambda: ray.get(ref))


@RAY.rate("round-trip")
def round_trip() -> Timed:
    """Run one task at a time."""
    task = ray.remote(work.same)
    return repeated(lambda: ray.get(task.remote(1)))


@RAY.rate("in-flight")
def in_flight() -> Timed:
    """Submit a thousand tasks, then get all results."""
    task = ray.remote(work.same)
    return repeated(lambda: ray.get([task.remote(1) for _ in range(BATCH)]))


@RAY.whole("queued")
def queued(count: int) -> dict[str, float]:
    """Queue tasks behind one that blocks on each worker."""
    block, task = ray.remote(work.block), ray.remote(work.same)
    return queue_behind_blockers(count, block.remote, lambda: task.remote(0), ray.get)


@RAY.rate("argument")
def argument() -> Timed:
    """Run a task that reads the same large argument each time."""
    task, ref = ray.remote(work.first), ray.put(work.full(MIDDLE))
    return repeated(lambda: ray.get(task.remote(ref)))


@RAY.rate("return")
def return_() -> Timed:
    """Run a task that returns a fresh large array, and read it once."""
    task = ray.remote(work.full)
    return repeated(lambda: work.touched(ray.get(task.remote(MIDDLE))))


@RAY.rate("wait-one-by-one")
def wait_one_by_one() -> Timed:
    """Submit a thousand tasks, and wait for the next one until none is left."""
    task = ray.remote(work.same)

    def operation() -> None:
        refs = [task.remote(1) for _ in range(BATCH)]
        while refs:
            _, refs = ray.wait(refs)

    return repeated(operation)


def references(count: int) -> list[Any]:
    """Return references to objects that this process has put."""
    return [ray.put(number) for number in range(count)]


@RAY.rate("borrowed-refs")
def borrowed_refs() -> Timed:
    """Get an object that holds references of a worker, and drop them."""
    ref = ray.remote(references).remote(REFS)
    ray.wait([ref])
    return repeated(lambda: ray.get(ref))


def from_another_node(nbytes: int) -> Timed:
    """Get fresh arrays that lie on the other node."""
    task = ray.remote(work.full).options(resources={"other": 0.001})

    def many(n: int) -> float:
        seconds = 0.0
        for _ in range(n):
            ref = task.remote(nbytes)
            ray.wait([ref], fetch_local=False)
            start = time.perf_counter()
            ray.get(ref)
            seconds += time.perf_counter() - start
        return seconds

    return many


@RAY.rate("nodes-large")
def nodes_large() -> Timed:
    """Get fresh arrays of 100 MB that lie on the other node."""
    return from_another_node(LARGE)


@RAY.rate("nodes-small")
def nodes_small() -> Timed:
    """Get fresh arrays of 1 MB that lie on the other node."""
    return from_another_node(SMALL)
