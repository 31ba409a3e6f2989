"""Every fact a party can be told: by its user, by its driver, or by another of its own records.

Names are in the past tense: an event is never a wish.  Messages between parties are events too
(``messages.py``); there is no second set of wire types.  All are frozen records without garbage collector
tracking: they hold integers, bytes and tuples, never a user's value.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from freehold.core.ids import COUNTER_BITS
from freehold.core.values import Failure, Outcome, Payload, Want


class Event(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A fact.  ``key`` names the field by which the party finds its record; "" means its only one of the kind."""

    key: ClassVar[str] = "object"


class Answer(Event, frozen=True, gc=False, array_like=True):
    """An event that answers an effect or a query; carries ``attempt``.  Stale ones are dropped by one rule."""


class Message(Event, frozen=True, gc=False, array_like=True):
    """A fact told by another party."""


class Reply(Answer, frozen=True, gc=False, array_like=True):
    """A message that answers a query; one to an earlier attempt is stale."""


# ------------------------------------------------------------------ references


class RefCreated(Event, frozen=True, gc=False):
    """This process created an object and its first reference: a put, with its value, or a task's return."""

    object: int
    payload: Payload | None = None
    by: int = 0  # the request that waits until a large value is placed


class RefHeld(Event, frozen=True, gc=False):
    """A first reference to the object came to life in this process."""

    object: int


class RefDropped(Event, frozen=True, gc=False):
    """The last reference to the object in this process's user code is gone."""

    object: int


class RefsHeld(Event, frozen=True, gc=False):
    """References came to life together, out of a task's arguments."""

    objects: tuple[int, ...]


class RefsFound(Event, frozen=True, gc=False):
    """References came to life out of the value of ``outer``; ``objects`` are all that it holds."""

    outer: int
    objects: tuple[int, ...]


class RefFound(Event, frozen=True, gc=False):
    """One of them, for its own record."""

    object: int
    outer: int


class RefExported(Event, frozen=True, gc=False):
    """The reference was written down outside freehold: it stays counted for the life of this process."""

    object: int


class ArgumentAdded(Event, frozen=True, gc=False):
    """A task submitted here carries the reference, as an argument or inside one."""

    object: int


class ArgumentInlined(Event, frozen=True, gc=False):
    """The argument's value went into the description of ``task``: the reference itself is no longer carried."""

    object: int
    task: int


class ArgumentDone(Event, frozen=True, gc=False):
    """A task that carried the reference is over."""

    object: int


class ArgumentKept(Event, frozen=True, gc=False):
    """A task that carried the reference is over, but may run again: then it needs it once more."""

    object: int


class LineageDone(Event, frozen=True, gc=False):
    """A task that is over, carries the reference and might have run again never will."""

    object: int


class Contained(Event, frozen=True, gc=False):
    """The value of an object that this process owns contains the reference."""

    object: int


class ContentsKnown(Event, frozen=True, gc=False):
    """The value of an owned object arrived; these references are inside."""

    object: int
    refs: tuple[int, ...]


class ContainerGone(Event, frozen=True, gc=False):
    """An owned object whose value contained the reference is gone."""

    object: int


class Pinned(Event, frozen=True, gc=False):
    """A running task was lent the reference, or a reference found inside the value awaits its owner's word."""

    object: int


class Unpinned(Event, frozen=True, gc=False):
    """The pin is over."""

    object: int


class ReportWanted(Event, frozen=True, gc=False):
    """A task that was lent the reference is over; its caller must hear who holds it now."""

    object: int
    task: int


class Lent(Event, frozen=True, gc=False):
    """These workers were found to hold a reference that this process answers for."""

    object: int
    workers: tuple[int, ...]


class HolderDied(Event, frozen=True, gc=False):
    """A worker or node that this record names is dead."""

    object: int
    party: int


class OwnerDied(Event, frozen=True, gc=False):
    """The object's owner is dead."""

    object: int


# ------------------------------------------------------------------ values and where they lie


class ValuePut(Event, frozen=True, gc=False):
    """A value came into being in this process: a put, or a return too large for its reply."""

    object: int
    payload: Payload
    by: int = 0  # the request that waits for its placement, or the task that returns it


class ValuePending(Event, frozen=True, gc=False):
    """A task of ours will produce the object."""

    object: int
    task: int


class ReturnArrived(Event, frozen=True, gc=False):
    """The task that produces the object is over; this is what came of it."""

    object: int
    outcome: Outcome
    task: int = 0  # it can compute a value again that is lost; 0: none can
    refusal: str = "put"  # then why not, one of ``failures.REFUSALS``


class LineageLost(Event, frozen=True, gc=False):
    """The task that computed the object cannot do so again."""

    object: int
    refusal: str


class ObjectRested(Event, frozen=True, gc=False):
    """Only tasks that may run again need the object: its copies may be evicted."""

    object: int


class ObjectRoused(Event, frozen=True, gc=False):
    """Others need it once more."""

    object: int


class ObjectReleased(Event, frozen=True, gc=False):
    """Nobody holds the object any more: its value may go everywhere."""

    object: int


class ObjectUnused(Event, frozen=True, gc=False):
    """Nothing in this process holds the object any more."""

    object: int


class ValueWanted(Event, frozen=True, gc=False):
    """Someone in this process, which owns the object, wants its value."""

    object: int
    by: int  # a request or a task
    want: int


class ReturnAwaited(Event, frozen=True, gc=False):
    """A thread of the worker waits for an object that this process owns, or (``account``) for one that needs it."""

    object: int
    worker: int
    account: int
    wait: int  # a number of the worker's: the same wait is told once


class CopyAwaited(Event, frozen=True, gc=False):
    """A thread of this process waits once more for a value that lies elsewhere: its owner is reminded."""

    object: int


class CopyWanted(Event, frozen=True, gc=False):
    """Someone in this process wants a copy of a value that lies elsewhere; ``nodes`` are known locations, if any."""

    object: int
    by: int  # a request or a task
    want: int
    nodes: tuple[int, ...] = ()
    nbytes: int = 0
    refs: tuple[int, ...] = ()  # references inside the value


class WantWithdrawn(Event, frozen=True, gc=False):
    """Someone no longer wants it."""

    object: int
    by: int


class Moved(Answer, frozen=True, gc=False):
    """The driver has copied the value into the object store."""

    object: int
    attempt: int


class ViewTaken(Event, frozen=True, gc=False):
    """User code got a zero-copy view of the copy on this node."""

    object: int


class ViewDropped(Event, frozen=True, gc=False):
    """The last such view of one get is gone."""

    object: int


class RetryDue(Answer, frozen=True, gc=False):
    """A back-off is over."""

    object: int
    attempt: int


# ------------------------------------------------------------------ requests


class GetWanted(Event, frozen=True, gc=False):
    """A user waits for objects; ``needed`` of them end the wait."""

    key: ClassVar[str] = "request"
    request: int
    objects: tuple[int, ...]
    needed: int
    want: int = Want.GET
    timeout: float = -1.0  # seconds; negative: for ever
    task: int = 0  # the running task whose thread waits, 0 for none: it lends its CPU


class PutWanted(Event, frozen=True, gc=False):
    """A user waits until a large value that it put is placed."""

    key: ClassVar[str] = "request"
    request: int
    object: int
    task: int = 0


class RequestAbandoned(Event, frozen=True, gc=False):
    """The user stopped waiting: an interrupt, or a cancelled future."""

    key: ClassVar[str] = "request"
    request: int


class WaitRenewed(Event, frozen=True, gc=False):
    """The thread that waits had run another task meanwhile."""

    key: ClassVar[str] = "request"
    request: int


class RequestReady(Event, frozen=True, gc=False):
    """One object of a request is there, or never will be."""

    key: ClassVar[str] = "request"
    request: int
    object: int
    failed: bool = False


class DeadlinePassed(Event, frozen=True, gc=False):
    """A request's time is up."""

    key: ClassVar[str] = "request"
    request: int


class DependencyReady(Event, frozen=True, gc=False):
    """An argument of a task to be sent is available somewhere, or failed."""

    key: ClassVar[str] = "task"
    task: int
    object: int
    outcome: Outcome


class ArgumentReady(Event, frozen=True, gc=False):
    """An argument of a task to be run is readable here, or failed."""

    key: ClassVar[str] = "task"
    task: int
    object: int
    failure: Failure | None = None


def ready(object: int, by: int, want: int, failure: Failure | None = None) -> RequestReady | ArgumentReady:
    """Tell one who waits in this process that the value is readable here, or never will be."""
    if want == Want.RUN:
        return ArgumentReady(by, object, failure)
    return RequestReady(by, object, failure is not None)


def handed_on(outcomes: tuple[Outcome, ...], lent: tuple[int, ...], *known: int) -> tuple[int, ...]:
    """Return the references inside a task's returns that its caller did not lend, and that others than these own."""
    refs = {ref for outcome in outcomes if not isinstance(outcome, Failure) for ref in outcome.refs}
    if not refs:
        return ()
    return tuple([ref for ref in sorted(refs.difference(lent)) if ref >> COUNTER_BITS not in known])


def known(object: int, by: int, want: int, outcome: Outcome) -> DependencyReady | RequestReady:
    """Tell one for whom it is enough that the value exists that it does, or never will."""
    if want == Want.SEND:
        return DependencyReady(by, object, outcome)
    return RequestReady(by, object, isinstance(outcome, Failure))


def wanted(me: int, object: int, by: int, want: int, *known: Any) -> ValueWanted | CopyWanted:
    """Want a value: an owner asks its own record of it, anyone else has it fetched; ``known`` are what a slot knows."""
    if object >> COUNTER_BITS == me:
        return ValueWanted(object, by, want)
    return CopyWanted(object, by, want, *known)
