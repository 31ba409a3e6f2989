"""The request table: one blocked get, wait or put.  One record with a counter, however many objects it names.

This file refuses to know how values come; it is told of each object once.
"""

from __future__ import annotations

import msgspec

from freehold.core.effects import CancelTimer, SetTimer, Settle
from freehold.core.events import (
    CopyAwaited,
    DeadlinePassed,
    GetWanted,
    PutWanted,
    RequestAbandoned,
    RequestReady,
    ReturnAwaited,
    WaitRenewed,
    WantWithdrawn,
    wanted,
)
from freehold.core.ids import owner_of
from freehold.core.machine import Here, Out, State, Table, replace
from freehold.core.task_events import ThreadBlocked, ThreadResumed
from freehold.core.values import Failure, Want


class Requesting(State):
    """What a user's call waits for."""

    ABSENT = "the call has returned, or not begun"
    WAITING = "objects are awaited", RequestReady, DeadlinePassed, RequestAbandoned


ABSENT, WAITING = Requesting


class Request(msgspec.Struct, frozen=True, gc=False):
    """One call that waits for objects."""

    request: int
    state: Requesting = ABSENT
    objects: tuple[int, ...] = ()
    left: int = 0  # objects that must still come
    want: int = Want.GET
    timed: bool = False  # a deadline is set, under the request's own number
    task: int = 0  # the running task whose thread waits


TABLE = Table(
    "request",
    Requesting,
    (GetWanted, PutWanted, RequestReady, DeadlinePassed, RequestAbandoned, WaitRenewed),
)


def settle(r: Request, failure: Failure | None = None, *, woken: bool = True) -> tuple[None, Out]:
    """End the wait: wake the user, withdraw what is still wanted, take the CPU back."""
    out: list[object] = [Settle(r.request, failure)] if woken else []
    if r.timed:
        out.append(CancelTimer(r.request))
    if r.left or r.want in (Want.WAIT, Want.LOOK):
        out += [WantWithdrawn(object, r.request) for object in r.objects]
    if r.task:
        out.append(ThreadResumed(r.task))
    return None, tuple(out)


def awaited(objects: tuple[int, ...], here: Here) -> list[ReturnAwaited]:
    """Say that a thread waits for those of the objects that are owned here: it could run their tasks."""
    wait = here.mint()
    return [ReturnAwaited(object, here.me, object, wait) for object in objects if owner_of(object) == here.me]


@TABLE.on(ABSENT, event=GetWanted, to=(WAITING,))
def begin(r: Request, e: GetWanted, here: Here) -> tuple[Request, Out]:
    """Want every object once; a thread of a task that waits lends its CPU."""
    objects = tuple(dict.fromkeys(e.objects))
    timed = e.timeout >= 0
    r = Request(e.request, WAITING, objects, min(e.needed, len(objects)), e.want, timed, e.task)
    out: list[object] = [ThreadBlocked(e.task, objects)] if e.task else []
    if timed:
        out.append(SetTimer(e.request, e.timeout, DeadlinePassed(e.request)))
    out += [wanted(here.me, object, e.request, e.want) for object in objects]
    if e.task:
        out += awaited(objects, here)
    return r, tuple(out)


@TABLE.on(ABSENT, event=PutWanted, to=(WAITING,))
def begin_put(r: Request, e: PutWanted, here: Here) -> tuple[Request, Out]:
    """A put of a large value waits until it is written: its caller may change the value afterwards."""
    out = (ThreadBlocked(e.task, ()),) if e.task else ()
    return Request(e.request, WAITING, (e.object,), 1, Want.GET, False, e.task), out


@TABLE.on(WAITING, event=RequestReady, to=(ABSENT,))
def one_ready(r: Request, e: RequestReady, here: Here) -> tuple[Request | None, Out]:
    """Count down.  A get ends at its first failure, even with the last: it reads no more; a wait counts failures."""
    if e.failed and r.want == Want.GET:
        return settle(r)
    r = replace(r, left=r.left - 1)
    return (r, ()) if r.left else settle(r)


@TABLE.on(WAITING, event=DeadlinePassed, to=(ABSENT,))
def time_up(r: Request, e: DeadlinePassed, here: Here) -> tuple[None, Out]:
    """The time of the call is up; the tasks it waits for go on."""
    return settle(replace(r, timed=False), Failure("timeout", r.objects[0], here.me))


@TABLE.on(WAITING, event=RequestAbandoned, to=(ABSENT,))
def abandon(r: Request, e: RequestAbandoned, here: Here) -> tuple[None, Out]:
    """Nobody listens any more; an abandoned call leaves nothing behind."""
    return settle(r, woken=False)


@TABLE.on(WAITING, event=WaitRenewed)
def remind(r: Request, e: WaitRenewed, here: Here) -> tuple[Request, Out]:
    """Offers to run what is waited for were declined while another task ran on this stack: make them again."""
    return r, (*awaited(r.objects, here), *[CopyAwaited(object) for object in r.objects if owner_of(object) != here.me])


TABLE.never(WAITING, event=GetWanted, why="requests are numbered once")
TABLE.never(WAITING, event=PutWanted, why="requests are numbered once")
TABLE.ignore(ABSENT, event=RequestReady, why="enough objects had come")
TABLE.ignore(ABSENT, event=DeadlinePassed, why="the call has returned")
TABLE.ignore(ABSENT, event=RequestAbandoned, why="the call has returned")
TABLE.ignore(ABSENT, event=WaitRenewed, why="the call has returned")
