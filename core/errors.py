"""What users may catch, and what only freehold may raise.

Names and inheritance follow Ray's ``python/ray/exceptions.py`` so that programs need no change; beyond it every
error carries ``cause`` (one word of CAUSES), ``object`` (its name), ``history`` (the last steps of its story)
and ``advice`` (what to do).
"""

from __future__ import annotations


class FreeholdError(Exception):
    """Root of all errors that freehold raises for a remote object.

    Attributes:
        cause: one word of ``CAUSES``.
        object: the short name of the object concerned, "" if none.
        history: the last steps of its story, oldest first; filled in when it is cheap to know.
        advice: one sentence: what to do.
    """

    cause = "system"
    advice = ""

    def __init__(self, message: str = "", *, object: str = "", history: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.object = object
        self.history = history

    def __str__(self) -> str:
        text = super().__str__()
        return f"{text}\n  {self.advice}" if self.advice else text


class TaskError(FreeholdError):
    """A task raised.  ``get`` raises an instance that is also one of the cause's class (Ray: RayTaskError).

    Attributes:
        remote_traceback: the text of the traceback in the worker.
        function_name: the remote function that raised.
        original: the exception that the task raised, without attributes that could not be pickled; or None.
    """

    cause = "task"

    def __init__(
        self,
        message: str = "",
        *,
        object: str = "",
        history: tuple[str, ...] = (),
        function_name: str = "",
        remote_traceback: str = "",
        original: BaseException | None = None,
    ) -> None:
        super().__init__(message, object=object, history=history)
        self.function_name = function_name
        self.remote_traceback = remote_traceback
        self.original = original


class TaskCancelledError(FreeholdError):
    """The task was cancelled before it had a result."""

    cause = "cancelled"


class WorkerCrashedError(FreeholdError):
    """The worker that ran the task died, as often as the task may be retried."""

    cause = "crashed"
    advice = "Look for an exit, a signal or memory exhaustion in the task; max_retries= says how often to try."


class NodeDiedError(FreeholdError):
    """The node that ran the task died."""

    cause = "node_died"


class OutOfMemoryError(FreeholdError):
    """The machine has no memory left for the task."""

    cause = "memory"


class TaskUnschedulableError(FreeholdError):
    """No node of the cluster has the resources that the task asks for."""

    cause = "unschedulable"
    advice = "Ask for less with .options(...), or start a node that has it; freehold.nodes() lists what there is."


class ObjectLostError(FreeholdError):
    """Every copy of the object is gone."""

    cause = "lost"
    advice = "Every node that held a copy died; keep a second reference to its inputs and compute it again."


class ObjectFetchTimedOutError(ObjectLostError):
    """No copy of the object could be fetched, though its owner named some."""

    cause = "fetch_timed_out"


class OwnerDiedError(ObjectLostError):
    """The process that created the reference is dead, and with it all knowledge of the object."""

    cause = "owner_died"
    advice = "The owner is whoever called .remote() or put(); create the object in a process that outlives its users."


class ReferenceCountingAssertionError(ObjectLostError, AssertionError):
    """The object was freed although a reference to it was alive."""

    cause = "released"
    advice = "A process that had passed the reference on died before it could say so."


class ObjectFreedError(ObjectLostError):
    """The object was freed by hand."""

    cause = "freed"


class ObjectReconstructionFailedError(ObjectLostError):
    """The object was lost and could not be computed again.

    Attributes:
        reason: why not: "put", "no_retries", "evicted", "disabled" or "cancelled".
    """

    cause = "not_rebuilt"
    advice = "What a task returns is computed again as often as its max_retries= allows; what was put is not."
    reason = ""


class ObjectStoreFullError(FreeholdError):
    """The object store has no room for the object."""

    cause = "full"
    advice = "Drop references or views that are no longer needed, or give init(object_store_memory=...) more bytes."


class OutOfDiskError(FreeholdError):
    """The disk has no room for the object."""

    cause = "disk"


class GetTimeoutError(FreeholdError, TimeoutError):
    """The time of a get passed before the value was there; the task goes on."""

    cause = "timeout"


class DeadlockError(FreeholdError):
    """Every task that could make progress waits for another."""

    cause = "deadlock"


class NotSupported(FreeholdError):
    """freehold does not do this, or this backend does not."""

    cause = "unsupported"


class SystemError_(FreeholdError):
    """freehold failed in a way it has no better name for (Ray: RaySystemError)."""

    cause = "system"


class OutOfBandReferenceError(FreeholdError, TypeError):
    """A reference was pickled outside freehold, where nobody could count it."""

    cause = "out_of_band"
    advice = "Pass the reference as a task's argument, or inside a value given to put() or returned by a task."


class SessionError(FreeholdError, ValueError):
    """A reference belongs to a cluster that is gone."""

    cause = "session"
    advice = "References die with their cluster; create the object again."


class UndeclaredTransition(AssertionError):
    """A table met an event it has no row for, or a row ended where it may not.  A bug in freehold."""


class StrideDiffers(AssertionError):
    """A short cut did something else than the tables.  A bug in freehold."""


class Livelock(AssertionError):
    """One event kept a party busy beyond any reasonable number of steps.  A bug in freehold."""


FAILURES: tuple[type[FreeholdError], ...] = (
    TaskError,
    TaskCancelledError,
    WorkerCrashedError,
    NodeDiedError,
    OutOfMemoryError,
    TaskUnschedulableError,
    ObjectLostError,
    ObjectFetchTimedOutError,
    OwnerDiedError,
    ReferenceCountingAssertionError,
    ObjectFreedError,
    ObjectReconstructionFailedError,
    ObjectStoreFullError,
    OutOfDiskError,
    GetTimeoutError,
    DeadlockError,
    NotSupported,
    SystemError_,
    SessionError,
)
CAUSES: dict[str, type[FreeholdError]] = {error.cause: error for error in FAILURES}
