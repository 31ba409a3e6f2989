"""Reads of a worker that change nothing, so they are no events: short cuts that the tables define too."""

from __future__ import annotations

from collections.abc import Iterator

from freehold.core import execution, running
from freehold.core.copy import PULLING
from freehold.core.membership import ALIVE, UNKNOWN
from freehold.core.node import Node
from freehold.core.node_messages import ChunkReply
from freehold.core.party import Party
from freehold.core.promotion import FAILED as NO_VALUE
from freehold.core.promotion import PENDING, PLACED
from freehold.core.resolution import IDLE, LOCAL
from freehold.core.values import Description, Failure, Payload
from freehold.core.worker import Worker


class Held(tuple[int, int]):
    """(place, nbytes) of a copy on this node that this worker holds."""

    __slots__ = ()


def readable(worker: Worker, object: int) -> Payload | Failure | Held | None:
    """Return what a get of the object would find in this process now: None if it would have to wait."""
    value = worker.promotion.get(object)
    if value is not None:
        if value.payload is not None and value.nbytes <= worker.policy.inline_bytes_max:
            return value.payload
        if value.state is NO_VALUE:
            return value.failure
    fetch = worker.resolution.get(object)
    if fetch is None:
        return None
    if (fetch.state is LOCAL or fetch.state is IDLE) and fetch.failure is None:
        return Held((fetch.place, fetch.nbytes))
    return fetch.failure if fetch.failure is not None else fetch.payload


def is_alive(party: Party, node: int) -> bool | None:
    """Tell whether a node lives, as far as a party knows; None if it has not heard of it."""
    member = party.members.get(node)
    return None if member is None or member.state is UNKNOWN else member.state is ALIVE


def is_pending(worker: Worker, object: int) -> bool:
    """Tell whether the object is the return of a task of this worker that is not over."""
    value = worker.promotion.get(object)
    return value is not None and value.state is PENDING


def whereabouts(worker: Worker, object: int) -> tuple[str, int, tuple[int, ...], bool]:
    """Return (state, bytes, locations, placeholder) of an object as this worker knows them.

    The state is one of "pending", "in-process store", "object store", "failed", "borrowed".
    """
    value = worker.promotion.get(object)
    if value is not None:
        if value.state is NO_VALUE:
            return "failed", 0, (), False
        if value.state is PENDING:
            return "pending", 0, (), False
        where = "object store" if value.state is PLACED else "in-process store"
        return where, value.nbytes, value.nodes, value.state is PLACED and value.payload is None
    fetch = worker.resolution.get(object)
    if fetch is not None and fetch.state in (LOCAL, IDLE):
        return "object store", fetch.nbytes, (worker.node,), False
    if fetch is not None and fetch.failure is not None:
        return "failed", 0, (), False
    return "borrowed", 0, (), False


def exists(worker: Worker, object: int) -> bool:
    """Tell whether the object is known to exist somewhere, as a wait that fetches nothing wants to know."""
    value, fetch = worker.promotion.get(object), worker.resolution.get(object)
    return bool(value is not None and value.state is PLACED) or bool(fetch is not None and fetch.nbytes)


def runs(worker: Worker) -> Iterator[tuple[Description, bool]]:
    """Yield the tasks that have come to this worker and are not over, and whether their functions run."""
    for run in worker.running.values():
        if run.query is not None and run.state in (running.FETCHING, running.READY, running.RUNNING):
            yield run.query.description, run.state is running.RUNNING


def calls(worker: Worker) -> Iterator[tuple[Description, bool, int]]:
    """Yield the tasks of this worker that are not over, whether arguments are missing, and to whom they were sent."""
    for call in worker.execution.values():
        if call.description is not None and call.state in (execution.RESOLVING, execution.QUEUED, execution.RUNNING):
            yield call.description, call.state is execution.RESOLVING, call.worker


def landing(node: Node, chunk: ChunkReply) -> int | None:
    """Return where the bytes of a chunk belong: its place in the store, or None if the transfer is over.

    A chunk of an earlier attempt must not touch the room of a later one: by the time it comes its source may
    have reused the bytes.
    """
    copy = node.copies.get(chunk.object)
    if copy is None or copy.state is not PULLING or copy.attempt != chunk.attempt:
        return None
    return copy.place + chunk.offset if chunk.offset + chunk.nbytes <= copy.nbytes else None
