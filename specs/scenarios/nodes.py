"""Nodes that come and go: what lay there, who ran there, and who owned what.

Each scenario takes out only nodes that it has added, so that the cluster is afterwards what it was.
"""

from __future__ import annotations

from typing import Any

import freehold
from freehold.exceptions import (
    NodeDiedError,
    ObjectLostError,
    ObjectReconstructionFailedError,
    OwnerDiedError,
    TaskUnschedulableError,
    WorkerCrashedError,
)
from freehold.specs.scenario import keep, kept, scenario
from freehold.specs.scenarios.gates import Gate

MIB = 2**20
SMALL_CHUNKS = {"chunk_bytes": 65_536, "chunks_in_flight": 1}  # a transfer takes its time


class Changing:
    """The running cluster, whose nodes may be changed."""

    def __init__(self) -> None:
        self.cluster = freehold.Cluster(ignore_reinit_error=True)

    def add_node(self, nbytes: int = 128 * MIB, **resources: float) -> int:
        """Add a node with so large a store."""
        return self.cluster.add_node(object_store_memory=nbytes, **resources)

    def remove_node(self, node: int, *, graceful: bool = True) -> None:
        """Take a node out."""
        self.cluster.remove_node(node, graceful=graceful)


def outcome(ref: Any) -> Any:
    """Return a value, its length if it is long, or the name of what a get raises for something that has died."""
    try:
        value = freehold.get(ref)
    except (ObjectLostError, WorkerCrashedError, NodeDiedError, TaskUnschedulableError) as error:
        return type(error).__name__
    return len(value) if isinstance(value, bytes) else value


def make(nbytes: int, **options: Any) -> Any:
    """Return the reference of a task, run with these options, that returns so many bytes."""

    @freehold.remote(num_cpus=0)
    def zeros() -> bytes:
        return bytes(nbytes)

    return zeros.options(**options).remote()


@scenario(returns=[1, True, 300_000, "TaskUnschedulableError"])
def node_joins_and_leaves() -> Any:
    """A node with a resource of its own joins, runs a task, and leaves; then nobody has the resource."""

    @freehold.remote(resources={"fast": 1})
    def where() -> Any:
        return freehold.get_runtime_context().get_node_index()

    before = len(freehold.nodes())
    cluster = Changing()
    node = cluster.add_node(num_cpus=1, fast=1)
    found = [len(freehold.nodes()) - before, freehold.get(where.remote()) == node]
    found.append(outcome(make(300_000, resources={"fast": 1})))
    cluster.remove_node(node)
    return [*found, outcome(where.remote())]


@scenario(returns=["no_retries", "TaskUnschedulableError", 3])
def node_dies_with_the_only_copy() -> Any:
    """Large results were never read, and their node dies: one may not be computed again, for one there is no node.

    A small one came with the reply and is here.
    """
    cluster = Changing()
    node = cluster.add_node()
    once, large, small = make(300_000, node=node, max_retries=0), make(300_000, node=node), make(3, node=node)
    freehold.wait([once, large, small], num_returns=3, fetch_local=False)
    cluster.remove_node(node, graceful=False)
    try:
        found: Any = freehold.get(once)
    except ObjectReconstructionFailedError as error:
        found = error.reason
    return [found, outcome(large), outcome(small)]


@scenario(returns=[300_000, 300_000, 300_000])
def node_dies_after_its_object_was_read() -> Any:
    """The node of a primary copy dies; the copy that a get has brought here is read by the program and by tasks."""

    @freehold.remote
    def size(value: bytes, refs: list[Any]) -> int:
        return len(value) and len(freehold.get(refs[0]))

    cluster = Changing()
    node = cluster.add_node()
    ref = make(300_000, node=node)
    first = outcome(ref)
    cluster.remove_node(node, graceful=False)
    return [first, outcome(ref), freehold.get(size.options(node=0).remote(ref, [ref]))]


def reader() -> Any:
    """Return a remote function, for the head node, that reads what it borrows, and opens a gate before it does."""

    @freehold.remote(num_cpus=0, node=0)
    def read(refs: list[Any], begun: Gate) -> Any:
        begun.open()
        return outcome(refs[0])

    return read


@scenario(marks=["preempts"], init=SMALL_CHUNKS, returns=[40 * MIB, 40 * MIB, 40 * MIB])
def node_dies_while_it_is_read_from() -> Any:
    """Two nodes have an object; the one from which it is being pulled in small chunks dies: the other serves."""

    @freehold.remote(num_cpus=0)
    def size(value: bytes) -> int:
        return len(value)

    cluster, begun = Changing(), Gate()
    nodes = [cluster.add_node() for _ in range(2)]
    ref = make(40 * MIB, node=nodes[0])
    first = freehold.get(size.options(node=nodes[1]).remote(ref))
    reading = reader().remote([ref], begun)
    begun.wait()
    freehold.wait([reading], timeout=0.005)
    cluster.remove_node(nodes[0], graceful=False)
    found = [first, outcome(ref), freehold.get(reading)]
    cluster.remove_node(nodes[1], graceful=False)
    return found


@scenario(returns=[300_000, [200_000] * 8, 300_000])
def secondary_copy_takes_the_place_of_the_primary() -> Any:
    """A value is on two nodes; the first dies, and the second is filled with other values: it keeps this one."""

    @freehold.remote
    def size(value: bytes) -> int:
        return len(value)

    cluster = Changing()
    first, second = cluster.add_node(), cluster.add_node(MIB)
    ref = make(300_000, node=first)
    sizes = [freehold.get(size.options(node=second).remote(ref))]
    cluster.remove_node(first, graceful=False)
    others = [freehold.get(size.options(node=second).remote(freehold.put(bytes(200_000)))) for _ in range(8)]
    found = [*sizes, others, freehold.get(size.options(node=0).remote(ref))]
    cluster.remove_node(second, graceful=False)
    return found


@scenario(marks=["preempts"], init=SMALL_CHUNKS, returns=[True, True])
def last_copy_dies_while_it_is_read() -> Any:
    """The only node that has an object dies while it is being pulled: gets have it, or say that none can make it."""
    cluster, begun = Changing(), Gate()
    node = cluster.add_node()
    ref = make(40 * MIB, node=node)
    freehold.wait([ref], fetch_local=False)
    reading = reader().remote([ref], begun)
    begun.wait()
    freehold.wait([reading], timeout=0.005)
    cluster.remove_node(node, graceful=False)
    return [found in (40 * MIB, "TaskUnschedulableError") for found in (outcome(ref), freehold.get(reading))]


@scenario(marks=["preempts"], init=SMALL_CHUNKS, returns=[True, True, "OwnerDiedError"])
def owner_dies_while_it_is_read() -> Any:
    """A node dies with the owner of objects; one is being pulled, of one it is known that it exists."""

    @freehold.remote
    def put() -> list[Any]:
        return [freehold.put(bytes(40 * MIB)), freehold.put("small")]

    cluster, begun = Changing(), Gate()
    node = cluster.add_node()
    refs = freehold.get(put.options(node=node).remote())
    freehold.wait(refs, num_returns=2, fetch_local=False)
    reading = reader().remote(refs, begun)
    begun.wait()
    freehold.wait([reading], timeout=0.005)
    cluster.remove_node(node, graceful=False)
    found = [outcome(refs[0]), freehold.get(reading)]
    return [*[one in (40 * MIB, "OwnerDiedError") for one in found], outcome(refs[1])]


@scenario(marks=["preempts"], returns=["done", 2])
def task_is_retried_on_another_node() -> Any:
    """The node on which a task runs dies: the task runs again on another that has what it wants."""
    cluster, never = Changing(), Gate()
    nodes = [cluster.add_node(spare=1) for _ in range(2)]
    begun = {node: Gate() for node in nodes}

    @freehold.remote(resources={"spare": 1})
    def run() -> str:
        begun[freehold.get_runtime_context().get_node_index()].open()
        if not all(gate.is_open() for gate in begun.values()):
            never.wait()
        return "done"

    ref = run.remote()
    while not any(gate.is_open() for gate in begun.values()):
        freehold.wait([ref], timeout=0.02)
    first, second = sorted(nodes, key=lambda node: not begun[node].is_open())
    cluster.remove_node(first, graceful=False)
    found = outcome(ref)
    cluster.remove_node(second)
    return [found, sum(gate.is_open() for gate in begun.values())]


@scenario(marks=["preempts"], returns=[True, "TaskUnschedulableError"])
def task_dies_with_its_node() -> Any:
    """A node dies under a task that may not be retried, and under one that can run nowhere else."""

    never, gates = Gate(), [Gate(), Gate()]

    @freehold.remote
    def run(begun: Gate) -> None:
        begun.open()
        never.wait()

    cluster = Changing()
    node = cluster.add_node(num_cpus=2)
    refs = [run.options(node=node, max_retries=0).remote(gates[0]), run.options(node=node).remote(gates[1])]
    for gate in gates:
        gate.wait()
    cluster.remove_node(node, graceful=False)
    found = [outcome(ref) for ref in refs]
    return [found[0] in ("WorkerCrashedError", "NodeDiedError"), found[1]]


@scenario(returns=["OwnerDiedError", "OwnerDiedError", 300_000, 200_000])
def owners_node_dies() -> Any:
    """A node dies with the owner of a small object and two large ones; of the last one the program has a copy."""

    @freehold.remote
    def put() -> list[Any]:
        return [freehold.put("small"), freehold.put(bytes(300_000)), freehold.put(bytes(300_000))]

    cluster = Changing()
    node = cluster.add_node()
    refs = freehold.get(put.options(node=node).remote())
    value = freehold.get(refs[2])
    cluster.remove_node(node, graceful=False)
    assert issubclass(OwnerDiedError, ObjectLostError)
    others = [freehold.put(bytes([1]) * 200_000) for _ in range(2)]
    return [outcome(refs[0]), outcome(refs[1]), value.count(0), len(freehold.get(others[0]))]


@scenario(returns=["lent", 300_000])
def borrowers_node_dies() -> Any:
    """A node dies with a worker that keeps what it was lent, and with copies of it: the owner has its objects."""

    @freehold.remote
    def borrow(refs: list[Any]) -> int:
        keep("on a dying node", refs)
        return len(freehold.get(refs))

    cluster = Changing()
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

    cluster, found = Changing(), []
    for word in "ab":
        ref = freehold.put(word)
        node = cluster.add_node()
        found.append(freehold.get(borrow.options(node=node).remote([ref], f"generation {word}")))
        cluster.remove_node(node, graceful=False)
        assert freehold.get(ref) == word
    return found


@scenario(marks=["preempts"], init={"num_cpus": 1}, returns=["late", "early"])
def node_comes_to_help() -> Any:
    """A task waits for a CPU behind those that wait for it; a node joins, and it is done first."""
    gate = Gate()

    @freehold.remote
    def early(begun: Gate) -> str:
        begun.open()
        gate.wait()
        return "early"

    @freehold.remote
    def late() -> str:
        gate.open()
        return "late"

    cluster = Changing()
    gates = [Gate() for _ in freehold.nodes()]
    busy = [early.options(node=index).remote(begun) for index, begun in enumerate(gates)]
    for begun in gates:
        begun.wait()
    ref = late.remote()
    freehold.wait([ref], timeout=0.05)  # so that every node has said that it is busy; else the results are the same
    node = cluster.add_node(num_cpus=1)
    words = [freehold.get(ref), freehold.get(busy)[0]]
    cluster.remove_node(node)
    return words
