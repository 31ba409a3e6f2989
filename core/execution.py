"""The execution table, at the owner: one task from its submission to its reply.

The owner of a task's returns resolves its arguments before it asks for a worker: a small value goes into the
task description together with the references inside it, a large one stays a reference with its locations.  A
reply is taken apart in one order and no other: who holds what was lent; what the returns contain; the returns;
and only then the arguments' own counts.  (Ray: task_manager.cc, dependency_resolver.cc.)

This file refuses to know how workers are found and what a function does.
"""

from __future__ import annotations

import msgspec
from immutables import Map

from freehold.core.effects import Send
from freehold.core.events import (
    ArgumentAdded,
    ArgumentDone,
    ArgumentKept,
    Contained,
    ContentsKnown,
    DependencyReady,
    Lent,
    LineageDone,
    LineageLost,
    RefCreated,
    ReturnArrived,
    ReturnAwaited,
    ValuePending,
    WantWithdrawn,
    handed_on,
    wanted,
)
from freehold.core.ids import owner_of
from freehold.core.inquest_events import BorrowerLost
from freehold.core.machine import Here, Out, State, Table, replace
from freehold.core.messages import StopNotice, TaskQuery, TaskReply, TaskReturnNotice, TaskTakenNotice
from freehold.core.policies import argument_home
from freehold.core.task_events import (
    CancelWanted,
    ExecutorDied,
    HandOffered,
    LineageEvicted,
    LineageForgotten,
    LineageKept,
    ReturnGone,
    ReturnLost,
    TaskAssigned,
    TaskAwaited,
    TaskOver,
    TaskReady,
    TaskSubmitted,
    Unschedulable,
)
from freehold.core.values import Description, Failure, Outcome, Payload, Placed, PoolKey, Want


class Executing(State):
    """How far a task of ours is."""

    ABSENT = "it is over, or was never submitted"
    RESOLVING = "arguments are awaited", DependencyReady
    QUEUED = "it waits for a worker"
    RUNNING = "a worker has it", TaskReply, TaskReturnNotice, ExecutorDied
    KEPT = "it is over; its description is kept, since it can compute what is lost again"


ABSENT, RESOLVING, QUEUED, RUNNING, KEPT = Executing


class Execution(msgspec.Struct, frozen=True, gc=False):
    """One task, as its owner knows it."""

    task: int
    state: Executing = ABSENT
    attempt: int = 0  # of the run that is awaited
    description: Description | None = None
    retries: int = 0  # how often it may be run again; negative: for ever
    missing: int = 0  # RESOLVING: arguments that are awaited
    lent: tuple[int, ...] = ()  # references that it carries; each is counted once, as an argument
    pool: PoolKey = ((), 0)
    worker: int = 0  # RUNNING: who has it
    stacked: bool = False  # RUNNING: because a thread of that worker waits for it
    waiters: Map[int, tuple[int, int]] = Map()  # workers whose threads wait for it -> on which object's account, wait
    cancelled: bool = False
    kept: tuple[int, ...] = ()  # its returns that it can compute again; (): it runs for the first time
    due: tuple[int, ...] = ()  # of these, what this run is to bring; () in the first
    late: tuple[int, ...] = ()  # RUNNING: what was lost too late for that


TABLE = Table(
    "execution",
    Executing,
    (
        TaskSubmitted,
        DependencyReady,
        TaskAssigned,
        TaskAwaited,
        TaskReply,
        TaskReturnNotice,
        ExecutorDied,
        CancelWanted,
        Unschedulable,
        ReturnLost,
        ReturnGone,
        LineageEvicted,
    ),
)
OVER = (ABSENT, KEPT)


def returns_of(description: Description) -> range:
    """Return the names of a task's returns: they follow the task's own."""
    return range(description.task, description.task + description.returns)


def end(r: Execution, outcomes: tuple[Outcome, ...], here: Here) -> tuple[Execution | None, Out]:
    """Hand out the returns, then put down the arguments.  What a return contains is counted before either."""
    assert r.description is not None
    out: list[object] = []
    refusal, again = refused(r, here), []
    for object, outcome in zip(returns_of(r.description), outcomes, strict=True):
        if r.due and object not in r.due:
            continue
        refs = () if isinstance(outcome, Failure) else outcome.refs
        if refs:
            out += [Contained(ref) for ref in refs]
            out.append(ContentsKnown(object, refs))
        if not can_be_lost(outcome, here):
            out.append(ReturnArrived(object, outcome))
        elif refusal or (r.due and object not in r.kept):
            out.append(ReturnArrived(object, outcome, 0, refusal))
        else:
            again.append(object)
            out.append(ReturnArrived(object, outcome, r.task))
    if again or r.due:
        return keep(r, tuple(again), refusal, tuple(out), here)
    return None, (*out, *[ArgumentDone(ref) for ref in r.lent])


def keep(r: Execution, again: tuple[int, ...], refusal: str, out: Out, here: Here) -> tuple[Execution | None, Out]:
    """Keep the description of a task that is over, if it may run again and any of its returns could need that."""
    assert r.description is not None
    others = tuple([object for object in r.kept if object not in r.due])
    done = [ArgumentDone(ref) for ref in r.lent] if r.due else [ArgumentKept(ref) for ref in r.lent]
    if others + again and not refusal:
        kept = Execution(r.task, KEPT, 0, r.description, r.retries, 0, r.lent, r.pool, kept=others + again)
        lost = [ReturnLost(r.task, object) for object in r.late]
        return kept, (*out, *done, LineageKept(r.task, footprint(r.description)), *lost)
    gone = [LineageLost(object, refusal) for object in others]
    failed = [ReturnArrived(object, Failure("not_rebuilt", object, here.me, refusal)) for object in r.late]
    return None, (*out, *gone, *failed, *done, *[LineageDone(ref) for ref in r.lent], LineageForgotten(r.task))


def refused(r: Execution, here: Here) -> str:
    """Return why a task that is over cannot run again, "" if it can."""
    if not here.policy.lineage:
        return "disabled"
    if r.cancelled:
        return "cancelled"
    return "" if r.retries else "no_retries"


def can_be_lost(outcome: Outcome, here: Here) -> bool:
    """Tell whether a return lies, or will lie, in object stores; a small one lives in its owner, and dies with it."""
    return isinstance(outcome, Placed) or (
        isinstance(outcome, Payload) and outcome.nbytes > here.policy.inline_bytes_max
    )


def footprint(description: Description) -> int:
    """Return the bytes that a task description takes, or somewhat more."""
    return 512 + description.payload.nbytes + sum([slot.value.nbytes for slot in description.slots if slot.value])


def fail(r: Execution, failure: Failure, here: Here) -> tuple[Execution | None, Out]:
    """Every return of the task is the failure."""
    assert r.description is not None
    return end(r, (failure,) * r.description.returns, here)


def queued(r: Execution, *, front: bool = False) -> tuple[Execution, Out]:
    """Wait for a worker; a task that comes back goes first, and brings what has been lost meanwhile as well."""
    r = replace(r, state=QUEUED, worker=0, due=r.due + r.late, late=())
    ready = (TaskReady(r.pool, r.task, front),)
    if not r.waiters:
        return r, ready
    hands = [HandOffered(r.pool, r.task, worker, object) for worker, (object, _) in sorted(r.waiters.items())]
    return r, (*ready, *hands)


def resolved(r: Execution) -> tuple[Execution, Out]:
    """All arguments are settled: the tasks that may share workers are those of one shape and preferred node."""
    assert r.description is not None
    home = argument_home(tuple([(slot.nbytes, slot.nodes) for slot in r.description.slots if slot.nodes]))
    return queued(replace(r, pool=(r.pool[0], home)))


def resolving(r: Execution, here: Here) -> tuple[Execution, Out]:
    """See to what the task takes by reference: what is lost by now is computed again before the task runs."""
    assert r.description is not None
    needed = tuple(dict.fromkeys([slot.object for slot in r.description.slots if slot.value is None]))
    if not needed:
        return resolved(r)
    r = replace(r, state=RESOLVING, worker=0, missing=len(needed))
    hands = [hand for worker in sorted(r.waiters) for hand in arguments_awaited(r, worker, here)]
    return r, (*[wanted(here.me, object, r.task, Want.SEND) for object in needed], *hands)


def arguments_awaited(r: Execution, worker: int, here: Here) -> list[ReturnAwaited]:
    """Offer the hand of who waits for the task to the tasks of its arguments."""
    assert r.description is not None
    slots = [slot for slot in r.description.slots if slot.value is None and owner_of(slot.object) == here.me]
    return [ReturnAwaited(slot.object, worker, *r.waiters[worker]) for slot in slots]


@TABLE.on(ABSENT, event=TaskSubmitted, to=(RESOLVING, QUEUED))
def submit(r: Execution, e: TaskSubmitted, here: Here) -> tuple[Execution, Out]:
    """The returns exist at once; every reference that the task carries is kept alive until it is over."""
    description = e.description
    needed = [slot.object for slot in description.slots]
    lent = tuple(dict.fromkeys((description.function, *needed, *description.payload.refs)))
    out: list[object] = []
    for object in returns_of(description):
        out += (RefCreated(object), ValuePending(object, e.task))
    out += [ArgumentAdded(ref) for ref in lent]
    r, asked = resolving(Execution(e.task, RESOLVING, 0, description, e.retries, 0, lent, (e.shape, 0)), here)
    return r, (*out, *asked)


TABLE.never(RESOLVING, QUEUED, RUNNING, KEPT, event=TaskSubmitted, why="a name is minted once")


@TABLE.on(QUEUED, event=TaskAssigned, to=(RUNNING,))
def send(r: Execution, e: TaskAssigned, here: Here) -> tuple[Execution, Out]:
    """The description goes to a worker that is leased to us."""
    assert r.description is not None
    attempt = here.mint()
    query = TaskQuery(r.task, attempt, here.me, r.description, r.lent, e.stacked, r.due)
    r = replace(r, state=RUNNING, attempt=attempt, worker=e.worker, stacked=bool(e.stacked))
    return r, (Send(e.worker, query),)


@TABLE.on(*OVER, RUNNING, event=TaskAssigned)
def spare(r: Execution, e: TaskAssigned, here: Here) -> tuple[Execution, Out]:
    """It was cancelled while it waited, or whoever waits for it runs it: the worker is free for the next."""
    return r, (TaskOver(e.pool, e.worker),)


TABLE.never(RESOLVING, event=TaskAssigned, why="only a queued task is assigned")


@TABLE.on(RESOLVING, QUEUED, RUNNING, event=TaskAwaited)
def offer_hand(r: Execution, e: TaskAwaited, here: Here) -> tuple[Execution, Out]:
    """A thread that only waits for the task could run it; as long as arguments are missing, the tasks of these."""
    if r.waiters.get(e.worker) == (e.object, e.wait):
        return r, ()  # it needs the same argument in several ways
    r = replace(r, waiters=r.waiters.set(e.worker, (e.object, e.wait)))
    if r.state is QUEUED:
        return r, (HandOffered(r.pool, r.task, e.worker, e.object),)
    return r, () if r.state is RUNNING else tuple(arguments_awaited(r, e.worker, here))


TABLE.ignore(*OVER, event=TaskAwaited, why="it is over")


@TABLE.on(RUNNING, event=TaskReply, to=OVER)
def finish(r: Execution, e: TaskReply, here: Here) -> tuple[Execution | None, Out]:
    """Merge the report before anything is let go."""
    merged = [
        Lent(report.object, (*report.lent, e.executor) if report.keeps else report.lent)
        for report in e.reports
        if report.keeps or report.lent
    ]
    after, out = end(r, e.outcomes, here)
    handed = handed_on(e.outcomes, r.lent, here.me, e.executor)
    taken = (Send(e.executor, TaskTakenNotice(r.task)),) if handed else ()
    return after, (*merged, *out, TaskOver(r.pool, e.executor, e.seconds), *taken)


@TABLE.on(RUNNING, event=TaskReturnNotice, to=(QUEUED, RESOLVING, *OVER))
def take_back(r: Execution, e: TaskReturnNotice, here: Here) -> tuple[Execution | None, Out]:
    """It was not started there, and never will be; if its thread was to run it, that does not wait for it now."""
    over = TaskOver(r.pool, e.executor)  # before the task is queued again: the worker is not quick, as it seemed
    if r.cancelled:
        after, out = fail(r, Failure("cancelled", r.task, here.me), here)
        return after, (*out, over)
    if e.lacks:
        r, out = resolving(r, here)
    else:
        r, out = queued(forget_waiter(r, e.executor) if r.stacked else r, front=True)
    return r, (over, *out)


@TABLE.on(RUNNING, event=ExecutorDied, to=(QUEUED, *OVER))
def retry(r: Execution, e: ExecutorDied, here: Here) -> tuple[Execution | None, Out]:
    """A worker's death costs a retry; a cancelled task is not run again.  What it was lent it may have lent on."""
    r = forget_waiter(r, e.party)
    if r.worker != e.party:
        return r, ()
    lost = tuple([BorrowerLost(ref, e.party) for ref in r.lent])
    if r.retries == 0 or r.cancelled:
        after, out = fail(r, Failure("crashed", r.task, e.party), here)
    else:
        after, out = queued(replace(r, retries=r.retries - 1), front=True)
    return after, lost + out


def forget_waiter(r: Execution, worker: int) -> Execution:
    """Note that a worker does not wait for the task, as far as is known."""
    return replace(r, waiters=r.waiters.delete(worker)) if worker in r.waiters else r


@TABLE.on(RESOLVING, QUEUED, event=ExecutorDied)
def waiter_died(r: Execution, e: ExecutorDied, here: Here) -> tuple[Execution, Out]:
    """Nobody there waits for the task any more."""
    return forget_waiter(r, e.party), ()


TABLE.ignore(*OVER, event=ExecutorDied, why="it is over")


@TABLE.on(RESOLVING, QUEUED, event=CancelWanted, to=(ABSENT,))
def cancel(r: Execution, e: CancelWanted, here: Here) -> tuple[Execution | None, Out]:
    """A task that has not been sent never runs."""
    assert r.description is not None
    waited = [WantWithdrawn(slot.object, r.task) for slot in r.description.slots] if r.missing else []
    after, out = fail(replace(r, cancelled=True), Failure("cancelled", r.task, here.me), here)
    return after, (*waited, *out)


@TABLE.on(RUNNING, event=CancelWanted)
def cancel_there(r: Execution, e: CancelWanted, here: Here) -> tuple[Execution, Out]:
    """Its worker knows whether it has begun."""
    return replace(r, cancelled=True), (Send(r.worker, StopNotice(r.task, e.force)),)


TABLE.ignore(*OVER, event=CancelWanted, why="what is finished cannot be cancelled")


@TABLE.on(QUEUED, event=Unschedulable, to=OVER)
def give_up(r: Execution, e: Unschedulable, here: Here) -> tuple[Execution | None, Out]:
    """No node can ever run it: an error is better than a wait without end."""
    return fail(r, Failure("unschedulable", r.task, here.me, e.text), here)


TABLE.ignore(*OVER, event=Unschedulable, why="it was cancelled while it waited")
TABLE.never(RESOLVING, RUNNING, event=Unschedulable, why="only a queued task is judged")
