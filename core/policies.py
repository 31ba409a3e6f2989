"""Choices that a study may vary, and choices across objects: values and pure functions, no state.

A policy is given to a party when it is made.  Where a choice looks random it is drawn from (seed, object,
attempt, who chooses), so that the same events give the same choices on every run.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

INLINED_BYTES_MAX = 10 * 2**20  # of all values inlined in one message (Ray: task_rpc_inlined_bytes_limit)


Size = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(ge=0)]


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The rules a party plays by.  Defaults are freehold's; the classic protocol is among them."""

    inline_bytes_max: Annotated[int, Meta(ge=0, le=INLINED_BYTES_MAX)] = (
        102_400  # serialized size up to which a value is small
    )
    borrow: Literal["promote", "copy"] = "promote"  # what a borrower's resolution of a small value does
    location: Literal["nearest", "random"] = "nearest"  # which copy is pulled
    borrower_death: Literal["inquest", "ray"] = "inquest"  # all are asked what it had lent on; or it is just forgotten
    seed: int = 0
    chunk_bytes: Size = 4 * 2**20  # of a transfer between nodes
    chunks_in_flight: Size = 4  # of one transfer
    relay: bool = False  # a copy sends itself to one node at a time; the next gets its chunks from those before it
    pull_share: Annotated[float, Meta(gt=0, le=1)] = 0.5  # of a store, for what waits and task arguments pull at once
    store_wait: Seconds = 2.0  # that a create waits for room
    backoff: Annotated[float, Meta(gt=0)] = 0.05  # seconds before the owner is asked again, doubled each time
    backoff_max: Seconds = 5.0
    lineage: bool = True  # a large return that is lost is computed again, if its task has retries left
    lineage_bytes_max: Size = 2**30  # of task descriptions that one owner keeps for that (Ray: max_lineage_bytes)
    quick_seconds: Seconds = 0.001  # a worker whose tasks take less may have several in flight
    queue_max: Size = 64  # so many
    slow_seconds: Seconds = 0.005  # a task that runs longer keeps nothing behind it
    workers_max: Size = 64  # of one node
    cpu_back: Literal["resume", "end"] = "resume"  # when a task that has waited takes its CPU back; where all tasks
    # share one stack ("end") it may be beneath others when its wait is over, and cannot run
    call_sites: bool = True  # references note where they were made; no rule of the protocol, but all processes need it


DEFAULT = Policy()


def mix(*numbers: int) -> int:
    """Return a well-spread 32-bit hash of integers, the same in every process (splitmix finalizer)."""
    state = 0x9E3779B97F4A7C15
    for number in numbers:
        state = (state ^ number) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
        state = (state ^ state >> 27) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
    return (state ^ state >> 31) & 0xFFFFFFFF


def order_locations(policy: Policy, object: int, attempt: int, here: int, nodes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the locations in the order in which to try them: this node first, then by the policy."""
    rest = {*nodes} - {here}
    if policy.location == "random":
        order = sorted(rest, key=lambda node: (mix(policy.seed, object, attempt, here, node), node))
    else:
        order = sorted(rest, key=lambda node: (abs(node - here), node))
    return (*((here,) if here in nodes else ()), *order)


def backoff_seconds(policy: Policy, round: int) -> float:
    """Return how long to wait before the owner is asked again, the ``round``-th time."""
    return min(policy.backoff * 2.0 ** min(round, 20), policy.backoff_max)


def nodes_by_preference(prefer: int, home: int, nodes: tuple[int, ...]) -> tuple[int, ...]:
    """Return nodes in the order in which to ask them for workers: the preferred, our own, then the others."""
    return tuple(sorted(nodes, key=lambda node: (node != prefer, node != home, node)))


def argument_home(slots: tuple[tuple[int, tuple[int, ...]], ...]) -> int:
    """Return the node that holds most bytes of a task's arguments, 0 if none does (Ray: lease locality)."""
    held: dict[int, int] = {}
    for nbytes, nodes in slots:
        for node in nodes:
            held[node] = held.get(node, 0) + nbytes
    return min(held, key=lambda node: (-held[node], node)) if held else 0


def fits(shape: tuple[tuple[str, float], ...], free: dict[str, float]) -> bool:
    """Tell whether resources of this shape are free; a billionth is forgiven to floating-point sums."""
    for name, amount in shape:  # noqa: SIM110 (a loop is faster, and this is asked often)
        if free.get(name, 0.0) + 1e-9 < amount:
            return False
    return True


def too_old(policy: Policy, nbytes: int, tasks: tuple[tuple[int, int], ...]) -> tuple[int, ...]:
    """Return which tasks, each with the bytes of its description, are forgotten so that half of the bound is left."""
    oldest: list[int] = []
    for task, size in sorted(tasks):
        if nbytes <= policy.lineage_bytes_max // 2:
            break
        nbytes -= size
        oldest.append(task)
    return tuple(oldest)
