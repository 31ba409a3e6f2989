"""Facts about tasks: at their owner, at their worker, and about the leases between the two."""

from __future__ import annotations

from typing import ClassVar

from freehold.core.events import Answer, Event
from freehold.core.values import Description, Failure, Payload, Placed, PoolKey, Shape

# ------------------------------------------------------------------ at their owner


class TaskSubmitted(Event, frozen=True, gc=False):
    """User code called a remote function."""

    key: ClassVar[str] = "task"
    task: int
    description: Description
    shape: Shape  # resources that it occupies while it runs
    retries: int


class TaskAssigned(Event, frozen=True, gc=False):
    """A leased worker is free for the task."""

    key: ClassVar[str] = "task"
    task: int
    worker: int
    pool: PoolKey
    stacked: int = 0  # the object for which a thread there waits: the task is to run on top of that


class TaskAwaited(Event, frozen=True, gc=False):
    """A thread of the worker waits for an object that the task brings about: it may run the task itself."""

    key: ClassVar[str] = "task"
    task: int
    worker: int
    object: int
    wait: int  # as in ReturnAwaited


class ReturnLost(Event, frozen=True, gc=False):
    """Every copy of a return is lost, and it is needed: the task is to run again."""

    key: ClassVar[str] = "task"
    task: int
    object: int


class ReturnGone(Event, frozen=True, gc=False):
    """Nobody will ever need the return again."""

    key: ClassVar[str] = "task"
    task: int
    object: int


class LineageKept(Event, frozen=True, gc=False):
    """The description of a task that is over is kept, so that the task can run again."""

    key: ClassVar[str] = ""
    task: int
    nbytes: int


class LineageForgotten(Event, frozen=True, gc=False):
    """It is kept no longer."""

    key: ClassVar[str] = ""
    task: int


class LineageEvicted(Event, frozen=True, gc=False):
    """Too many bytes are kept: this task, of the oldest, is to be forgotten."""

    key: ClassVar[str] = "task"
    task: int


class ExecutorDied(Event, frozen=True, gc=False):
    """The worker that has the task is dead."""

    key: ClassVar[str] = "task"
    task: int
    party: int


class CancelAsked(Event, frozen=True, gc=False):
    """User code here wants the task cancelled that produces the object."""

    object: int
    force: bool


class CancelWanted(Event, frozen=True, gc=False):
    """Somebody cancelled the task."""

    key: ClassVar[str] = "task"
    task: int
    force: bool


class Unschedulable(Event, frozen=True, gc=False):
    """No node can ever run the task."""

    key: ClassVar[str] = "task"
    task: int
    text: str


# ------------------------------------------------------------------ at their worker


class RunEnded(Answer, frozen=True, gc=False):
    """The function returned or raised.  One outcome for each object it returns."""

    key: ClassVar[str] = "task"
    task: int
    attempt: int
    outcomes: tuple[Payload | Failure, ...]
    seconds: float = 0.0


class ReturnPlaced(Event, frozen=True, gc=False):
    """A large return value lies in the object store of this node, or found no room."""

    key: ClassVar[str] = "task"
    task: int
    object: int
    outcome: Placed | Failure


class CallerDied(Event, frozen=True, gc=False):
    """The owner of the task is dead."""

    key: ClassVar[str] = "task"
    task: int


class HoldReported(Event, frozen=True, gc=False):
    """What became of a reference the task was lent."""

    key: ClassVar[str] = "task"
    task: int
    object: int
    keeps: bool
    lent: tuple[int, ...]


class ThreadBlocked(Event, frozen=True, gc=False):
    """The running task waits for these objects in a get, wait or put: it lends its CPU."""

    key: ClassVar[str] = "task"
    task: int
    objects: tuple[int, ...]


class ThreadResumed(Event, frozen=True, gc=False):
    """It goes on."""

    key: ClassVar[str] = "task"
    task: int


class TurnOver(Event, frozen=True, gc=False):
    """The worker's thread is free for its next task."""

    key: ClassVar[str] = ""
    task: int


class TurnWanted(Event, frozen=True, gc=False):
    """A task has all its arguments and waits for the worker's thread.

    ``stacked`` is 0, or the object for which the thread is believed to wait: then it runs on top of that, or not here.
    """

    key: ClassVar[str] = ""
    task: int
    stacked: int = 0


class TurnGiven(Event, frozen=True, gc=False):
    """The worker's thread is the task's."""

    key: ClassVar[str] = "task"
    task: int


class TurnSlow(Answer, frozen=True, gc=False):
    """The running task has passed the time after which nothing may queue behind it."""

    key: ClassVar[str] = ""
    attempt: int


class DeskBlocked(Event, frozen=True, gc=False):
    """The running task waits for these objects: nothing may queue behind it."""

    key: ClassVar[str] = ""
    task: int
    objects: tuple[int, ...]


class DeskResumed(Event, frozen=True, gc=False):
    """The running task goes on."""

    key: ClassVar[str] = ""
    task: int


class TurnDropped(Event, frozen=True, gc=False):
    """The task no longer wants the worker's thread."""

    key: ClassVar[str] = ""
    task: int


class DeskWaits(Event, frozen=True, gc=False):
    """The task on top of the stack waits once more, after another has run on top of it."""

    task: int


class ArgumentLate(Event, frozen=True, gc=False):
    """An argument of a task that was sent here was lost, and is computed again."""

    key: ClassVar[str] = "task"
    task: int
    object: int


class TurnLost(Event, frozen=True, gc=False):
    """The task went back to its owner unstarted."""

    key: ClassVar[str] = "task"
    task: int


# ------------------------------------------------------------------ leases


class TaskReady(Event, frozen=True, gc=False):
    """A task has its arguments and waits for a worker."""

    key: ClassVar[str] = "pool"
    pool: PoolKey
    task: int
    front: bool = False  # it had been sent and comes back: it goes first


class HandOffered(Event, frozen=True, gc=False):
    """If no node has a worker left, this worker's thread can run the task, since it only waits for the object."""

    key: ClassVar[str] = "pool"
    pool: PoolKey
    task: int
    worker: int
    object: int


class TaskOver(Event, frozen=True, gc=False):
    """A task left its worker."""

    key: ClassVar[str] = "pool"
    pool: PoolKey
    worker: int
    seconds: float = -1.0  # how long it ran; negative: it did not


class LeaseLost(Event, frozen=True, gc=False):
    """A worker or a node that the pool uses is dead."""

    key: ClassVar[str] = "pool"
    pool: PoolKey
    party: int


class NodesChanged(Event, frozen=True, gc=False):
    """Nodes came."""

    key: ClassVar[str] = "pool"
    pool: PoolKey


class OfficeOpened(Event, frozen=True, gc=False):
    """The node begins its work: it starts this many workers at once."""

    key: ClassVar[str] = ""
    workers: int


class OfficeClosed(Event, frozen=True, gc=False):
    """The node is to leave in good order: it lends no more workers, and asks for those that are lent."""

    key: ClassVar[str] = ""


class WorkerStarted(Event, frozen=True, gc=False):
    """The driver has started a worker on this node; one that does not ``serve`` runs no tasks: a user's program."""

    key: ClassVar[str] = ""
    worker: int
    serves: bool = True


class WorkerGone(Event, frozen=True, gc=False):
    """A worker of this node, or a holder of one of its leases, is dead."""

    key: ClassVar[str] = ""
    party: int
