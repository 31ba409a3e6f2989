"""From a Failure, which travels, to an exception, which a user catches: one text per cause."""

from __future__ import annotations

import signal
import sys
from typing import Any

from freehold.core import serde
from freehold.core.errors import CAUSES, FreeholdError, ObjectReconstructionFailedError, SystemError_, TaskError
from freehold.core.ids import is_node, object_name, owner_of, party_name
from freehold.core.missing import say_where
from freehold.core.values import Failure

TEXTS = {
    "cancelled": "the task that produces {object} was cancelled",
    "crashed": "the worker {party} that ran the task of {object} died, and no retries are left",
    "node_died": "the node {party} that ran the task of {object} died",
    "unschedulable": "the task of {object} cannot run: {text}; no node has that",
    "not_rebuilt": "the last copy of {object} was lost{lost}, and it cannot be computed again: {text}",
    "owner_died": "the owner {owner} of {object} is dead",
    "released": "{object} was freed although a reference to it was alive",
    "full": "no room for {object} in the object store: {text}",
    "timeout": "the value of {object} was not there in time",
    "deadlock": "waiting for {object} can never end: {text}",
    "cannot_pickle": "{text}",
}

REFUSALS = {  # why a lost object is not computed again -> in words (Ray: the OBJECT_UNRECONSTRUCTABLE_* errors)
    "put": "it was put, and no task returned it",
    "no_retries": "its task has no retries left (max_retries=)",
    "evicted": "its task was forgotten, since too many tasks could have run again (lineage_bytes_max=)",
    "disabled": "lineage reconstruction is off (lineage=False)",
    "cancelled": "its task was cancelled",
}


def exception_of(failure: Failure, history: tuple[str, ...] = (), end: str = "") -> Exception:
    """Return the exception that a get raises for a failure; ``end`` says how its party ended, if that is known."""
    name = object_name(failure.object) if failure.object else ""
    if failure.cause == "task":
        return task_error(failure, name, history)
    owner = party_name(owner_of(failure.object)) if failure.object else "-"
    template = TEXTS.get(failure.cause, "{text}")
    party = party_name(failure.party)
    lost = f" with {party}" if is_node(failure.party) else ""
    said = REFUSALS.get(failure.text, failure.text)
    text = template.format(object=name, party=party, owner=owner, text=said, lost=lost)
    text += f": {end}" if end else ""
    error = CAUSES.get(failure.cause, SystemError_)(text, object=name, history=history)
    if isinstance(error, ObjectReconstructionFailedError):
        error.reason = failure.text
    return error


def task_error(failure: Failure, name: str, history: tuple[str, ...]) -> Exception:
    """Return a TaskError that is also an instance of its cause's class, where Python can combine the two."""
    original, kind, message, traceback = serde.unpack_exception(failure.data)
    text = f"{failure.text} raised {kind}: {message}\n\n{traceback.rstrip()}"
    fields: dict[str, Any] = {
        "object": name,
        "history": history,
        "function_name": failure.text,
        "remote_traceback": traceback,
    }
    if original is None or isinstance(original, FreeholdError):
        return original if isinstance(original, FreeholdError) else TaskError(text, **fields)
    return combined(original, text, fields)


def combined(original: BaseException, text: str, fields: dict[str, Any]) -> Exception:
    """Combine TaskError with the class of the task's own exception (Ray: RayTaskError.as_instanceof_cause)."""
    kind = type(original)
    plain = TaskError(text, **fields, original=original)
    if not issubclass(kind, Exception):
        plain.__cause__ = original
        return plain
    try:
        both = type(f"TaskError({kind.__name__})", (TaskError, kind), {"__init__": _no_init, "__str__": _text})
        error: Any = like(original, both)
    except TypeError:  # a final class, or a layout that cannot be combined
        plain.__cause__ = original
        return plain
    error.__dict__.update(plain.__dict__, _text=text)
    error.__cause__ = original
    return error  # type: ignore[no-any-return]


def like(original: BaseException, kind: type) -> BaseException:
    """Return an exception of another class in the original's state, that included which builtin classes keep in C."""
    base: Any = next(base for base in type(original).__mro__ if base.__module__ == "builtins")
    filename = getattr(original, "filename", None)
    args = (*original.args, filename) if isinstance(original, OSError) and filename else original.args
    error: BaseException = base.__new__(kind, *args)
    base.__init__(error, *args)
    if isinstance(original, ImportError) and isinstance(error, ImportError):
        error.name, error.path = original.name, original.path
    error.__dict__.update(original.__dict__)
    return error


def _no_init(self: object, *args: object, **kwargs: object) -> None:
    """Leave both parents uninitialised: the fields are copied."""


def _text(self: object) -> str:
    return str(self.__dict__["_text"])


def how_it_ended(code: int, lines: tuple[str, ...] = ()) -> str:
    """Return in words how a process ended: its exit status, or a signal's number below 0; and its last lines."""
    ended = f"it exited with status {code}" if code >= 0 else f"signal {-code} ({signal_name(-code)}) ended it"
    return ended + ("; its last lines on stderr:\n  | " + "\n  | ".join(lines) if lines else "")


def signal_name(number: int) -> str:
    """Return the name of a signal; some have none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unnamed"


def exit_status(error: SystemExit) -> int:
    """Return the status that Python gives to a process that ends so; print what it prints."""
    if error.code is None or isinstance(error.code, int):
        return (error.code or 0) & 0xFF
    print(error.code, file=sys.stderr)
    return 1


def ends_process(error: BaseException) -> bool:
    """Tell whether an exception is an order to the process or the thread, and no outcome of the task.

    Others that are no ``Exception`` are outcomes: a cancelled coroutine's, a test's that is skipped.
    """
    return isinstance(error, KeyboardInterrupt | SystemExit) or type(error).__name__ == "GreenletExit"


def failure_of(error: BaseException, function: str, task: int, party: int) -> Failure:
    """Return the failure that a task's exception becomes."""
    if isinstance(error, ModuleNotFoundError):
        say_where(error)
    return Failure("task", task, party, function, serde.pack_exception(error, function))
