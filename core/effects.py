"""Everything a party can ask of its driver: eleven verbs, one driver method each.

Their number is the measure of the design: a new one means that protocol leaks into drivers, or mechanism into
the protocol.  Effects are performed in the order in which they were returned; nothing else orders them.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from freehold.core.events import Answer, Event, Moved
from freehold.core.messages import AnyMessage
from freehold.core.node_events import Reserved, ReserveFailed
from freehold.core.task_events import RunEnded, WorkerStarted
from freehold.core.values import Description, Failure, Payload


class Effect(msgspec.Struct, frozen=True, gc=False):
    """A wish to the driver.  ``answers`` are the events by which the driver reports what came of it."""

    answers: ClassVar[tuple[type[Event], ...]] = ()


class Send(Effect, frozen=True, gc=False):
    """Deliver a message: in order and at most once for each pair of parties."""

    target: int
    message: AnyMessage


class SetTimer(Effect, frozen=True, gc=False):
    """Deliver ``event`` after some seconds, unless cancelled by its number."""

    timer: int
    seconds: float
    event: Event


class CancelTimer(Effect, frozen=True, gc=False):
    """Forget a timer; one that has fired or never was is no error."""

    timer: int


class Settle(Effect, frozen=True, gc=False):
    """Wake the user thread or future that waits for a request; with a failure, it raises that."""

    request: int
    failure: Failure | None = None


class Run(Effect, frozen=True, gc=False):
    """Call the function of a task on this worker's thread; by-reference arguments are readable here."""

    answers: ClassVar[tuple[type[Event], ...]] = (RunEnded,)
    task: int
    attempt: int
    description: Description


class Interrupt(Effect, frozen=True, gc=False):
    """Raise KeyboardInterrupt in the running task; no error if it has just ended."""

    task: int


class Spawn(Effect, frozen=True, gc=False):
    """Start one more worker on this node."""

    answers: ClassVar[tuple[type[Event], ...]] = (WorkerStarted,)


class Kill(Effect, frozen=True, gc=False):
    """End a worker of this node, or this process itself, at once."""

    worker: int


class Reserve(Effect, frozen=True, gc=False):
    """Set bytes of this node's object store aside for a copy."""

    answers: ClassVar[tuple[type[Answer], ...]] = (Reserved, ReserveFailed)
    object: int
    attempt: int
    nbytes: int


class Move(Effect, frozen=True, gc=False):
    """Move bytes: a payload of this process into a reserved place (``target`` 0), or a chunk of a copy to a peer.

    A chunk arrives at the peer as the message ``ChunkReply``, after its bytes.
    """

    answers: ClassVar[tuple[type[Answer], ...]] = (Moved,)
    object: int
    attempt: int
    payload: Payload | None = None
    place: int = 0
    target: int = 0
    offset: int = 0
    nbytes: int = 0


class Release(Effect, frozen=True, gc=False):
    """Give the bytes of a copy back; nobody reads or writes them any more."""

    object: int
    place: int
    nbytes: int


EFFECTS: tuple[type[Effect], ...] = (
    Send,
    SetTimer,
    CancelTimer,
    Settle,
    Run,
    Interrupt,
    Spawn,
    Kill,
    Reserve,
    Move,
    Release,
)
