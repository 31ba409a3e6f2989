"""Nodes that come and go: what lay there, who ran there, and who owned what.

Each scenario takes out only nodes that it has added, so that the cluster is afterwards what it was.
"""

from __future__ import annotations

import os
import tempfile
import time
from typing import Any

import freehold
from freehold.exceptions import (
    NodeDiedError,
    ObjectLostError,
    OwnerDiedError,
    TaskUnschedulableError,
    WorkerCrashedError,
)
from freehold.specs.scenario import keep, kept, scenario

MIB = 2**20


def the_cluster() -> freehold.Cluster:
    """Return the running cluster, whose nodes may be changed."""
    return freehold.Cluster(ignore_reinit_error=True)


def outcome(ref: Any) -> Any:
    """Return a value, its length if it is long, or the name of what a get raises for something that has died."""
    try:
        value = freehold.get(ref)
    except (ObjectLostError, WorkerCrashedError, NodeDiedError, TaskUnschedulableError) as error:
        return type(error).__name__
    return len(value) if isinstance(value, bytes) else value


@freehold.remote(num_cpus=0)
def make(nbytes: int) -> bytes:
    """Return so many bytes."""
    return bytes(nbytes)


@scenario(returns=[1, True, 300_000, "TaskUnschedulableError"])
def node_joins_and_leaves() -> Any:
    """A node with a resource of its own joins, runs a task, and leaves; then nobody has the resource."""

    @freehold.remote(resources={"fast": 1})
    def where() -> Any:
        return freehold.get_runtime_context().get_node_index()

    before = len(freehold.nodes())
    cluster = the_cluster()
    node = cluster.add_node(num_cpus=1, fast=1)
    found = [len(freehold.nodes()) - before, freehold.get(where.remote()) == node]
    found.append(outcome(make.options(resources={"fast": 1}).remote(300_000)))
    cluster.remove_node(node)
    return [*found, outcome(where.remote())]


@scenario(returns=["ObjectLostError", 3])
def node_dies_with_the_only_copy() -> Any:
    """A large result was never read, and its node dies; a small one came with the reply and is here."""
    cluster = the_cluster()
    node = cluster.add_node()
    large, small = (make.options(node=node).remote(nbytes) for nbytes in (300_000, 3))
    freehold.wait([large, small], num_returns=2, fetch_local=False)
    cluster.remove_node(node, graceful=False)
    return [outcome(large), outcome(small)]


@scenario(returns=[300_000, 300_000, 300_000])
def node_dies_after_its_object_was_read() -> Any:
    """The node of a primary copy dies; the copy that a get has brought here is read by the program and by tasks."""

    @freehold.remote
    def size(value: bytes, refs: list[Any]) -> int:
        return len(value) and len(freehold.get(refs[0]))

    cluster = the_cluster()
    node = cluster.add_node()
    ref = make.options(node=node).remote(300_000)
    first = outcome(ref)
    cluster.remove_node(node, graceful=False)
    return [first, outcome(ref), freehold.get(size.options(node=0).remote(ref, [ref]))]


@scenario(marks=["preempts"], init={"chunk_bytes": 65_536, "chunks_in_flight": 1}, returns=[40 * MIB, 40 * MIB])
def node_dies_while_it_is_read_from() -> Any:
    """Two nodes have an object; the one from which it is being pulled in small chunks dies: the other serves."""

    @freehold.remote(num_cpus=0)
    def size(value: bytes) -> int:
        return len(value)

    cluster = the_cluster()
    nodes = [cluster.add_node() for _ in range(2)]
    ref = make.options(node=nodes[0]).remote(40 * MIB)
    first = freehold.get(size.options(node=nodes[1]).remote(ref))
    freehold.wait([ref], timeout=0.005)
    cluster.remove_node(nodes[0], graceful=False)
    second = outcome(ref)
    cluster.remove_node(nodes[1], graceful=False)
    return [first, second]


@scenario(marks=["preempts"], init={"chunk_bytes": 65_536, "chunks_in_flight": 1}, returns=True)
def last_copy_dies_while_it_is_read() -> Any:
    """The only node that has an object dies while it is being pulled: the get has it, or says that it is lost."""
    cluster = the_cluster()
    node = cluster.add_node()
    ref = make.options(node=node).remote(40 * MIB)
    freehold.wait([ref], fetch_local=False)
    freehold.wait([ref], timeout=0.005)
    cluster.remove_node(node, graceful=False)
    return outcome(ref) in (40 * MIB, "ObjectLostError")


@scenario(marks=["preempts"], returns=["done", 2])
def task_is_retried_on_another_node() -> Any:
    """The node on which a task runs dies: the task runs again on another that has what it wants."""
    path = os.path.join(tempfile.mkdtemp(), "runs")

    @freehold.remote(resources={"spare": 1})
    def run() -> str:
        with open(path, "a") as file:
            file.write(f"{freehold.get_runtime_context().get_node_index()}\n")
        time.sleep(0.5)
        return "done"

    cluster = the_cluster()
    nodes = [cluster.add_node(spare=1) for _ in range(2)]
    ref = run.remote()
    while not os.path.exists(path) or not os.path.getsize(path):
        freehold.wait([ref], timeout=0.02)
    with open(path) as file:
        first = int(file.readline())
    cluster.remove_node(first, graceful=False)
    found = outcome(ref)
    cluster.remove_node(next(node for node in nodes if node != first))
    with open(path) as file:
        return [found, len(file.readlines())]


@scenario(marks=["preempts"], returns=[True, "TaskUnschedulableError"])
def task_dies_with_its_node() -> Any:
    """A node dies under a task that may not be retried, and under one that can run nowhere else."""

    @freehold.remote
    def sleep() -> None:
        time.sleep(1)

    cluster = the_cluster()
    node = cluster.add_node(num_cpus=2)
    refs = [sleep.options(node=node, max_retries=0).remote(), sleep.options(node=node).remote()]
    freehold.wait(refs, timeout=0.2)
    cluster.remove_node(node, graceful=False)
    found = [outcome(ref) for ref in refs]
    return [found[0] in ("WorkerCrashedError", "NodeDiedError"), found[1]]


@scenario(returns=["OwnerDiedError", "OwnerDiedError"])
def owners_node_dies() -> Any:
    """A node dies with a worker that owns a small and a large object, whose references are elsewhere."""

    @freehold.remote
    def put() -> list[Any]:
        return [freehold.put("small"), freehold.put(bytes(300_000))]

    cluster = the_cluster()
    node = cluster.add_node()
    refs = freehold.get(put.options(node=node).remote())
    cluster.remove_node(node, graceful=False)
    assert issubclass(OwnerDiedError, ObjectLostError)
    return [outcome(ref) for ref in refs]


@scenario(returns=["lent", 300_000])
def borrowers_node_dies() -> Any:
    """A node dies with a worker that keeps what it was lent, and with copies of it: the owner has its objects."""

    @freehold.remote
    def borrow(refs: list[Any]) -> int:
        keep("on a dying node", refs)
        return len(freehold.get(refs))

    cluster = the_cluster()
    node = cluster.add_node()
    refs = [freehold.put("lent"), freehold.put(bytes(300_000))]
    freehold.get(borrow.options(node=node).remote(refs))
    cluster.remove_node(node, graceful=False)
    return [outcome(ref) for ref in refs]


@scenario(returns=["a", "b"])
def two_generations_of_one_node() -> Any:
    """A node joins, keeps an object of the program, and dies; another joins in its place and knows nothing of it."""

    @freehold.remote
    def borrow(refs: list[Any], word: str) -> Any:
        keep(word, refs[0])
        return freehold.get(kept(word))

    cluster, found = the_cluster(), []
    for word in "ab":
        ref = freehold.put(word)
        node = cluster.add_node()
        found.append(freehold.get(borrow.options(node=node).remote([ref], f"generation {word}")))
        cluster.remove_node(node, graceful=False)
        assert freehold.get(ref) == word
    return found


@scenario(marks=["preempts"], init={"num_cpus": 1}, returns=["late", "early"])
def node_comes_to_help() -> Any:
    """A task waits for a CPU behind one that takes long; a node joins, and the later task is done first."""
    words: list[Any] = []

    @freehold.remote
    def sleep(seconds: float, word: str) -> str:
        time.sleep(seconds)
        return word

    cluster = the_cluster()
    busy = [sleep.options(node=index).remote(1.5, "early") for index in range(len(freehold.nodes()))]
    freehold.wait(busy, timeout=0.1)
    refs = [sleep.remote(0.01, "late"), busy[0]]
    node = cluster.add_node()
    while refs:
        (ready,), refs = freehold.wait(refs)
        words.append(freehold.get(ready))
    freehold.get(busy)
    cluster.remove_node(node)
    return words
