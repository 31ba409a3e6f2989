"""What parties say to each other.  A delivered message *is* an event: there is no translation layer.

Three endings only.  A ``...Query`` is answered exactly once, or its target's death is reported; a ``...Reply`` answers
one; a ``...Notice`` is sent once.  Between two parties messages arrive in order, at most once, none missing; nothing is
promised between different pairs.  The integer tags are the wire format's version 1.
"""

from __future__ import annotations

from typing import ClassVar, TypeAlias, Union, get_args

import msgspec

from freehold.core.events import Event, Message, Reply
from freehold.core.node_messages import (
    BlockedNotice,
    ChunkQuery,
    ChunkReply,
    CopyNotice,
    CreateQuery,
    CreateReply,
    DeathNotice,
    FreeNotice,
    HoldNotice,
    HoldRecallNotice,
    HoldReturnNotice,
    KeepNotice,
    LeaseBusyNotice,
    LeaseCancelNotice,
    LeaseQuery,
    LeaseRecallNotice,
    LeaseReply,
    LeaseReturnNotice,
    LossNotice,
    NodeNotice,
    PullCancelNotice,
    PullQuery,
    PullReply,
    RelayReply,
    ResumedNotice,
    SealNotice,
)
from freehold.core.values import Description, InquestKey, Outcome


class Report(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What became of one reference that a task was lent."""

    object: int
    keeps: bool  # the executor still holds it
    lent: tuple[int, ...] = ()  # to whom it lent it in turn


# ------------------------------------------------------------------ worker to worker: tasks


class TaskQuery(Message, frozen=True, gc=False, tag=1):
    """Run this task.  ``lent`` are the references that the caller keeps alive until the reply."""

    key: ClassVar[str] = "task"
    task: int
    attempt: int
    caller: int
    description: Description
    lent: tuple[int, ...]
    stacked: int = 0  # the object for which a thread of the receiver waits: it runs on top of that, or goes back
    due: tuple[int, ...] = ()  # the returns that are wanted, if the task ran before; () all of them


class TaskReply(Reply, frozen=True, gc=False, tag=2):
    """The task is over: its returns, and who holds what it was lent."""

    key: ClassVar[str] = "task"
    task: int
    attempt: int
    executor: int
    outcomes: tuple[Outcome, ...]
    reports: tuple[Report, ...]
    seconds: float


class TaskReturnNotice(Reply, frozen=True, gc=False, tag=3):
    """The task has not been started and will not be: it is its owner's again.  ``lacks``: an argument was lost."""

    key: ClassVar[str] = "task"
    task: int
    attempt: int
    executor: int
    lacks: bool = False


class StopNotice(Message, frozen=True, gc=False, tag=4):
    """Do not start the task, or interrupt it."""

    key: ClassVar[str] = "task"
    task: int
    force: bool


class CancelNotice(Message, frozen=True, gc=False, tag=5):
    """Somebody who holds a reference wants the task cancelled that produces the object."""

    object: int
    force: bool


class TaskTakenNotice(Message, frozen=True, gc=False, tag=6):
    """The caller counts the references inside the returns: the executor need not hold them any longer."""

    key: ClassVar[str] = "task"
    task: int


# ------------------------------------------------------------------ worker to worker: references and locations


class LocateQuery(Message, frozen=True, gc=False, tag=10):
    """Where is it, but for the nodes ``known`` to have failed?  Repeated if a thread waits now: one answer is stale."""

    object: int
    attempt: int
    asker: int
    known: tuple[int, ...] = ()
    wait: int = 0  # not 0: a thread of the asker waits for it, and could run its task; a number of the asker's


class LocateReply(Reply, frozen=True, gc=False, tag=11):
    """Its locations, its value, or why there is none."""

    object: int
    attempt: int
    outcome: Outcome


class LateNotice(Message, frozen=True, gc=False, tag=7):
    """What you have asked for was lost, and is computed again: no task should keep a worker waiting for it."""

    object: int


class LocateCancelNotice(Message, frozen=True, gc=False, tag=12):
    """The asker no longer wants to know."""

    object: int
    asker: int


class BorrowNotice(Message, frozen=True, gc=False, tag=13):
    """The borrower found these references in a value; it keeps that value until it has been asked about each."""

    objects: tuple[int, ...]
    borrower: int


class ReleaseQuery(Message, frozen=True, gc=False, tag=14):
    """The owner knows you as a borrower: answer when you hold the object no more."""

    object: int
    attempt: int


class ReleaseReply(Message, frozen=True, gc=False, tag=15):
    """The borrower holds it no more, but lent it to these."""

    object: int
    attempt: int
    borrower: int
    lent: tuple[int, ...] = ()


# ------------------------------------------------------------------ after a borrower's death


class InquestQuery(Message, frozen=True, gc=False, tag=16):
    """An owner asks all live processes, by way of the head node, which of the objects they hold."""

    key: ClassVar[str] = "inquest"
    inquest: InquestKey
    objects: tuple[int, ...]


class InquestReply(Reply, frozen=True, gc=False, tag=17):
    """All have been asked, and had heard of the death before."""

    key: ClassVar[str] = ""
    attempt: int
    found: tuple[tuple[int, int], ...]  # objects, each with one that holds it and that the owner may not know


class HoldersQuery(Message, frozen=True, gc=False, tag=18):
    """Which of these do you, or your workers, hold?  About none: have you come so far?"""

    key: ClassVar[str] = "inquest"
    inquest: InquestKey
    attempt: int
    objects: tuple[int, ...]


class HoldersReply(Reply, frozen=True, gc=False, tag=19):
    """This party, or its workers, hold these."""

    key: ClassVar[str] = "inquest"
    inquest: InquestKey
    attempt: int
    party: int
    found: tuple[tuple[int, int], ...] = ()


AnyMessage: TypeAlias = Union[  # noqa: UP007  (read back by get_args)
    TaskQuery, TaskReply, TaskReturnNotice, StopNotice, CancelNotice, TaskTakenNotice, LocateQuery, LocateReply,
    LateNotice, LocateCancelNotice, BorrowNotice, ReleaseQuery, ReleaseReply, InquestQuery, InquestReply, HoldersQuery,
    HoldersReply, CreateQuery, CreateReply, SealNotice, PullQuery,
    PullReply, PullCancelNotice, HoldNotice, HoldReturnNotice, HoldRecallNotice, ChunkQuery, ChunkReply, RelayReply,
    CopyNotice, FreeNotice, KeepNotice, LeaseQuery, LeaseReply, LeaseBusyNotice, LeaseRecallNotice, LeaseReturnNotice,
    LeaseCancelNotice, BlockedNotice, ResumedNotice, NodeNotice, DeathNotice, LossNotice,
]  # fmt: skip
MESSAGES: tuple[type[Event], ...] = get_args(AnyMessage)


class Envelope(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A message on its way, with the step of its source that caused it."""

    cause: int
    message: AnyMessage
