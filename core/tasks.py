"""Tasks as Python sees them: arguments into a description at the caller, a description into a call at the worker."""

from __future__ import annotations

import time
from collections.abc import Callable
from pickle import dumps
from types import GeneratorType
from typing import TYPE_CHECKING, Any

from freehold.core import serde
from freehold.core.effects import Run
from freehold.core.failures import ends_process, failure_of
from freehold.core.refs import ObjectRef
from freehold.core.serde import ATOMS
from freehold.core.task_events import RunEnded
from freehold.core.values import Description, Failure, Payload, Slot

if TYPE_CHECKING:
    from freehold.core.session import Session

FUNCTIONS_MAX = 1000  # that a process keeps unpickled, each with a reference to it
Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def describe(session: Session, name: str, args: Any, kwargs: Any) -> tuple[Payload, tuple[Slot, ...], list[Any]]:
    """Serialize arguments.  References given as arguments leave holes, to be filled with their values.

    A call that is too large for a description is put, and passed by reference.

    Returns:
        The payload, the slots for the holes, and references that must live until the task is submitted.
    """
    if ATOMS.issuperset(map(type, args)) and (not kwargs or ATOMS.issuperset(map(type, kwargs.values()))):
        data = dumps((args, kwargs, ()), 5)
        if len(data) <= session.worker.policy.inline_bytes_max:
            return Payload(len(data), (), data), (), []
    holes: list[int | str] = [index for index, value in enumerate(args) if isinstance(value, ObjectRef)]
    holes += [key for key, value in kwargs.items() if isinstance(value, ObjectRef)]
    try:
        serialized = serialize_call(args, kwargs, holes)
    except TypeError as error:
        where = str(error).replace("root[0]", "args").replace("root[1]", "kwargs")  # the call was pickled as a whole
        raise TypeError(f"an argument of {name}: {where}") from error
    given = [session.check(args[hole] if isinstance(hole, int) else kwargs[hole], name) for hole in holes]
    kept: list[Any] = [serialized.holders]
    if serialized.nbytes > session.worker.policy.inline_bytes_max and len(holes) < len(args) + len(kwargs):
        call = session.put_payload(serialized)  # as a whole: what the arguments share they share in the task, too
        kept.append(call)
        given.insert(0, call)
        serialized = serde.serialize((None, None, tuple(holes)))
    slots = tuple([Slot(ref._id) for ref in given])
    return Payload(serialized.nbytes, serialized.refs, serde.pack(serialized)), slots, kept


def serialize_call(args: Any, kwargs: Any, holes: list[int | str]) -> serde.Serialized:
    """Serialize (args, kwargs, holes) with None in the holes."""
    if holes:
        args = [None if isinstance(value, ObjectRef) else value for value in args]
        kwargs = {key: None if isinstance(value, ObjectRef) else value for key, value in kwargs.items()}
    return serde.serialize((tuple(args), kwargs, tuple(holes)))


def perform(session: Session, description: Description) -> tuple[Payload | Failure, ...]:
    """Run a task in this process and return its outcomes; BaseExceptions that end a process pass through.

    Its by-reference arguments and its function are readable here.
    """
    beneath = session.task, session.task_name  # a task that waits on this stack, if any
    try:
        session.task, session.task_name = description.task, description.name
        if description.task in session.doomed:  # cancelled between the core's word and now
            raise KeyboardInterrupt
        function = session_function(session, description.function)
        args, kwargs = arguments(session, description)
        session.kept = function(*args, **kwargs)
        outcomes = serialize_returns(session, description, session.kept)
    except BaseException as error:
        if ends_process(error):
            raise
        failure = failure_of(error, description.name, description.task, session.worker.me)
        outcomes = (failure,) * description.returns
    finally:
        session.task, session.task_name = beneath
    return outcomes


def session_function(session: Session, object: int) -> Any:
    """Return a remote function; a process unpickles it once and holds a reference to it from then on."""
    cached = session.functions.get(object)
    if cached is None:
        while len(session.functions) >= FUNCTIONS_MAX:  # the one that came first goes first
            del session.functions[next(iter(session.functions))]
        ref = session.reference(object)
        cached = session.functions[object] = (session.value(object), ref)
    return cached[0]


def arguments(session: Session, description: Description) -> Arguments:
    """Return (args, kwargs) with the values of references in the holes."""
    payload = description.payload
    args, kwargs, holes = session.load(payload.token, 0, bool(payload.refs))
    slots = description.slots
    if args is None:  # the call was too large for its description, and is the first argument
        args, kwargs, _ = slot_value(session, slots[0])
        slots = slots[1:]
    if holes:
        args = list(args)
        for hole, slot in zip(holes, slots, strict=True):
            (args if isinstance(hole, int) else kwargs)[hole] = slot_value(session, slot)
    return tuple(args), kwargs


def slot_value(session: Session, slot: Slot) -> Any:
    """Return the value of one argument that was given as a reference."""
    if slot.value is not None:
        return session.load(slot.value.token, 0, bool(slot.value.refs))
    return session.value(slot.object)


def serialize_returns(session: Session, description: Description, result: Any) -> tuple[Payload | Failure, ...]:
    """Return what a function returned as one payload for each reference that its caller has."""
    count = description.returns
    values: tuple[Any, ...] = (result,) * (count == 1)
    if count > 1:
        values = tuple(result) if isinstance(result, tuple | list | GeneratorType) else (result,)
        if len(values) != count:
            raise ValueError(f"{description.name} has num_returns={count} but returned {len(values)} values")
    serialized = tuple(map(serde.serialize, values))
    session.kept = (session.kept, serialized)
    return tuple(map(session.payload, serialized))


def run_task(
    session: Session,
    run: Run,
    clock: Callable[[], float] = time.perf_counter,
    before_reply: Callable[[], None] = lambda: None,
    reraise: bool = False,
) -> None:
    """Run a task on this thread and tell the core how it ended.

    An interrupt cancels the task; ``reraise``: unless the task was to be interrupted, it was meant for the program, on
    whose stack the task runs.
    """
    start = clock()
    try:
        outcomes = perform(session, run.description)
        interrupt = None
    except KeyboardInterrupt as error:
        outcomes, interrupt = (Failure("cancelled", run.task, session.worker.me),) * run.description.returns, error
    before_reply()
    session.host.tell(RunEnded(run.task, run.attempt, outcomes, clock() - start))
    session.kept = None
    cancelled = run.task in session.doomed
    session.doomed.discard(run.task)  # from here on nobody interrupts it
    if interrupt is not None and reraise and not cancelled:
        raise interrupt
