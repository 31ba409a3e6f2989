"""Values as the core sees them: opaque handles, what stands in their place, and tasks as descriptions."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import msgspec


class Want(IntEnum):
    """Who wants a value, in order of priority: a blocked get, a wait, a task about to run; then
    those for whom it is enough that the value exists."""

    GET = 0
    WAIT = 1
    RUN = 2
    SEND = 3  # it is enough to know where the value is
    LOOK = 4  # the same, for a wait that fetches nothing


class Payload(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=1):
    """A serialized value: an opaque handle.  Only the driver knows what the token is."""

    nbytes: int  # the serialized size, compared with the inline limit
    refs: tuple[int, ...] = ()  # ids of the references inside, each once
    token: Any = None  # bytes on a real backend, a stand-in in a simulation


class Failure(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=2):
    """What stands in the place of a value that cannot be had."""

    cause: str  # a member of errors.CAUSES
    object: int = 0  # the object whose value failed first
    party: int = 0  # who died, refused or raised
    text: str = ""  # detail for the reader
    data: bytes = b""  # a task's exception, packed by serde


class Placed(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=3):
    """A value that lies in the object stores of these nodes."""

    nbytes: int
    nodes: tuple[int, ...]
    refs: tuple[int, ...] = ()


Outcome = Payload | Failure | Placed
Shape = tuple[tuple[str, float], ...]  # resources, sorted by name
InquestKey = tuple[int, int]  # an owner, and the number of its question
PoolKey = tuple[Shape, int]  # tasks that the same leases serve: their shape and the node they prefer, 0 for none


class Slot(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An argument that was given as a reference: still one, or replaced by its value."""

    object: int
    value: Payload | None = None
    nodes: tuple[int, ...] = ()  # where its copies were when the task was sent
    nbytes: int = 0
    refs: tuple[int, ...] = ()  # references inside the value


class Description(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A task description: all that a worker needs to run the task."""

    task: int
    function: int  # the object that is the function
    name: str
    payload: Payload  # (args, kwargs), with a hole for each argument in slots
    slots: tuple[Slot, ...]
    returns: int  # how many objects it returns


def bare(value: Any) -> Any:
    """Return a value, what stands for one, a description, or a tuple of these, without any bytes of users' values."""
    kind = type(value)
    if kind is Payload:
        return Payload(value.nbytes, value.refs)
    if kind is Failure:
        return msgspec.structs.replace(value, data=b"") if value.data else value
    if kind is Description:
        slots = tuple([msgspec.structs.replace(s, value=bare(s.value)) if s.value else s for s in value.slots])
        return msgspec.structs.replace(value, payload=bare(value.payload), slots=slots)
    return tuple([bare(item) for item in value]) if kind is tuple else value
