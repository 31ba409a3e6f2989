"""The execution table at the worker: a task from its arrival to its reply.

A worker pins what a task was lent, makes by-reference arguments readable here, lets the task have the worker's
one thread in its turn, places large returns in the object store, and reports what became of what it was lent.
A task that has not begun may be handed back to its owner, exactly once against its start: both are decided here.

This file refuses to know where values lie and who owns them.
"""

from __future__ import annotations

import msgspec

from freehold.core.effects import Interrupt, Kill, Run, Send
from freehold.core.events import (
    ArgumentReady,
    Lent,
    Pinned,
    ReportWanted,
    Unpinned,
    ValuePut,
    WantWithdrawn,
    handed_on,
    wanted,
)
from freehold.core.machine import Here, Out, State, Table, replace
from freehold.core.messages import (
    Report,
    StopNotice,
    TaskQuery,
    TaskReply,
    TaskReturnNotice,
    TaskTakenNotice,
)
from freehold.core.policies import INLINED_BYTES_MAX
from freehold.core.task_events import (
    ArgumentLate,
    CallerDied,
    DeskBlocked,
    DeskResumed,
    HoldReported,
    ReturnPlaced,
    RunEnded,
    ThreadBlocked,
    ThreadResumed,
    TurnDropped,
    TurnGiven,
    TurnLost,
    TurnOver,
    TurnWanted,
)
from freehold.core.values import Failure, Outcome, Payload, Want


class Running(State):
    """How far a task is that was sent to this worker."""

    ABSENT = "it is not here, or not any more"
    FETCHING = "arguments are being made readable here", ArgumentReady
    READY = "it waits for its turn at the desk"
    RUNNING = "the function runs", RunEnded
    PLACING = "large returns are being placed in the object store", ReturnPlaced
    REPORTING = "what became of the references it was lent is being gathered", HoldReported
    HANDING = "references that others own are on their way inside the returns", TaskTakenNotice, CallerDied


ABSENT, FETCHING, READY, RUNNING, PLACING, REPORTING, HANDING = Running


class Run_(msgspec.Struct, frozen=True, gc=False):
    """One task, as its worker knows it."""

    task: int
    state: Running = ABSENT
    attempt: int = 0  # of the run, this worker's number
    query: TaskQuery | None = None
    missing: int = 0  # arguments, returns or reports that are awaited
    outcomes: tuple[Outcome | None, ...] = ()
    reports: tuple[Report, ...] = ()
    held: tuple[int, ...] = ()  # references inside the returns, pinned until the caller counts them
    seconds: float = 0.0
    blocked: int = 0  # threads of the task that wait in a get, wait or put


TABLE = Table(
    "running",
    Running,
    (
        TaskQuery,
        ArgumentReady,
        ArgumentLate,
        TurnGiven,
        TurnLost,
        RunEnded,
        ReturnPlaced,
        HoldReported,
        StopNotice,
        ThreadBlocked,
        ThreadResumed,
        TaskTakenNotice,
        CallerDied,
    ),
)


def needed_by(query: TaskQuery) -> dict[int, tuple[tuple[int, ...], int, tuple[int, ...]]]:
    """Return the objects that must be readable before the task can run, with what is known of their copies."""
    needed: dict[int, tuple[tuple[int, ...], int, tuple[int, ...]]] = {query.description.function: ((), 0, ())}
    for slot in query.description.slots:
        if slot.value is None:
            needed[slot.object] = (slot.nodes, slot.nbytes, slot.refs)
    return needed


@TABLE.on(ABSENT, event=TaskQuery, to=(FETCHING,))
def accept(r: Run_, e: TaskQuery, here: Here) -> tuple[Run_, Out]:
    """Pin what the task was lent, and fetch what it needs."""
    needed = needed_by(e)
    r = Run_(e.task, FETCHING, 0, e, len(needed))
    pins = [Pinned(ref) for ref in e.lent]
    fetches = [wanted(here.me, object, e.task, Want.RUN, *known) for object, known in needed.items()]
    return r, (*pins, *fetches)


TABLE.never(
    FETCHING, READY, RUNNING, PLACING, REPORTING, HANDING, event=TaskQuery, why="a task is sent to one worker once"
)


@TABLE.on(FETCHING, event=ArgumentReady, to=(READY, REPORTING, ABSENT))
def fetched(r: Run_, e: ArgumentReady, here: Here) -> tuple[Run_ | None, Out]:
    """The last argument makes the task ready; one that failed is the task's outcome."""
    if e.failure is not None:
        return not_run(r, e.failure)
    r = replace(r, missing=r.missing - 1)
    assert r.query is not None
    return (r, ()) if r.missing else (replace(r, state=READY), (TurnWanted(r.task, r.query.stacked),))


TABLE.ignore(ABSENT, REPORTING, HANDING, event=ArgumentReady, why="another argument failed, or the task was cancelled")
TABLE.never(READY, RUNNING, PLACING, event=ArgumentReady, why="each argument is fetched once")


def not_run(r: Run_, failure: Failure) -> tuple[Run_ | None, Out]:
    """Settle a task without running it."""
    assert r.query is not None
    after, out = report(replace(r, outcomes=(failure,) * r.query.description.returns, seconds=-1.0))
    return after, (*withdrawn(r), *out)


def withdrawn(r: Run_) -> Out:
    """Want no argument any longer."""
    assert r.query is not None
    return tuple([WantWithdrawn(object, r.task) for object in needed_by(r.query)]) if r.state is FETCHING else ()


@TABLE.on(READY, event=TurnGiven, to=(RUNNING,))
def start(r: Run_, e: TurnGiven, here: Here) -> tuple[Run_, Out]:
    """From here on the task counts as started."""
    assert r.query is not None
    attempt = here.mint()
    return replace(r, state=RUNNING, attempt=attempt), (Run(r.task, attempt, r.query.description),)


TABLE.never(ABSENT, FETCHING, RUNNING, PLACING, REPORTING, HANDING, event=TurnGiven, why="only a ready task has a turn")


@TABLE.on(READY, event=TurnLost, to=(ABSENT,))
@TABLE.on(FETCHING, event=ArgumentLate, to=(ABSENT,))
def hand_back(r: Run_, e: TurnLost | ArgumentLate, here: Here) -> tuple[None, Out]:
    """The task is its owner's again; nothing of it was used here.

    Who waits for what is lost must not have what is needed to compute it: all workers could come to wait so.
    """
    assert r.query is not None
    caller, lacks = r.query.caller, type(e) is ArgumentLate
    notice = (Send(caller, TaskReturnNotice(r.task, r.query.attempt, here.me, lacks)),) if caller else ()
    return None, (*withdrawn(r), *notice, *[Unpinned(ref) for ref in r.query.lent])


TABLE.ignore(
    ABSENT, READY, RUNNING, PLACING, REPORTING, HANDING, event=ArgumentLate, why="it waits for no argument any more"
)


TABLE.never(
    ABSENT, FETCHING, RUNNING, PLACING, REPORTING, HANDING, event=TurnLost, why="only a ready task waits for a turn"
)


@TABLE.on(RUNNING, event=RunEnded, to=(PLACING, REPORTING, ABSENT))
def ended(r: Run_, e: RunEnded, here: Here) -> tuple[Run_ | None, Out]:
    """Small returns travel in the reply, up to a bound in all; the others are written to this node's store.

    References inside them are pinned until the reply: the function that held them has returned.
    """
    assert r.query is not None
    returned = e.outcomes if not r.query.due else wanted_of(r.query, e.outcomes)
    outcomes: list[Outcome | None] = []
    puts: list[ValuePut] = []
    inlined = 0
    for index, outcome in enumerate(returned):
        if isinstance(outcome, Payload):
            small = outcome.nbytes <= here.policy.inline_bytes_max and inlined + outcome.nbytes <= INLINED_BYTES_MAX
            if not small and here.me != r.query.caller:
                puts.append(ValuePut(r.task + index, outcome, r.task))
                outcomes.append(None)
                continue
            inlined += outcome.nbytes
        outcomes.append(outcome)
    held = handed_on(returned, r.query.lent)  # those are pinned already
    pins = tuple([Pinned(ref) for ref in held])
    over: Out = (DeskResumed(r.task), TurnOver(r.task)) if r.blocked else (TurnOver(r.task),)
    r = replace(r, outcomes=tuple(outcomes), seconds=e.seconds, missing=len(puts), blocked=0, held=held)
    if puts:
        return replace(r, state=PLACING), (*pins, *over, *puts)
    after, out = report(r)
    return after, (*pins, *over, *out)


def wanted_of(query: TaskQuery, outcomes: tuple[Payload | Failure, ...]) -> tuple[Payload | Failure, ...]:
    """Return what a task brings that ran before: its owner has the other returns still, or needs them no more."""
    unwanted = Failure("unwanted", query.task)
    due = [query.task + index in query.due for index in range(len(outcomes))]
    return tuple([outcome if wanted else unwanted for outcome, wanted in zip(outcomes, due, strict=True)])


@TABLE.on(PLACING, event=ReturnPlaced, to=(REPORTING, ABSENT))
def placed(r: Run_, e: ReturnPlaced, here: Here) -> tuple[Run_ | None, Out]:
    """The reply waits for the last return to be placed."""
    index = e.object - r.task
    outcomes = (*r.outcomes[:index], e.outcome, *r.outcomes[index + 1 :])
    r = replace(r, outcomes=outcomes, missing=r.missing - 1)
    return (r, ()) if r.missing else report(r)


TABLE.never(ABSENT, FETCHING, READY, RUNNING, REPORTING, HANDING, event=ReturnPlaced, why="nothing is being placed")


def report(r: Run_) -> tuple[Run_ | None, Out]:
    """Gather what became of each reference that the task was lent; there is at least its function."""
    assert r.query is not None
    lent = r.query.lent
    if not r.query.caller:  # nobody would pass on what is reported
        return None, tuple([Unpinned(ref) for ref in (*lent, *r.held)])
    return replace(r, state=REPORTING, missing=len(lent)), tuple([ReportWanted(ref, r.task) for ref in lent])


@TABLE.on(REPORTING, event=HoldReported, to=(ABSENT, HANDING))
def reply(r: Run_, e: HoldReported, here: Here) -> tuple[Run_ | None, Out]:
    """Reply when the report is complete.

    References inside the returns that the caller did not lend us are lent to it, *after* the reply: its counts
    must exist when the owner, which may be we, asks about them.
    """
    if e.keeps or e.lent:
        r = replace(r, reports=(*r.reports, Report(e.object, e.keeps, e.lent)))
    r = replace(r, missing=r.missing - 1)
    if r.missing:
        return r, ()
    query = r.query
    assert query is not None
    outcomes = tuple([outcome for outcome in r.outcomes if outcome is not None])
    message = TaskReply(r.task, query.attempt, here.me, outcomes, r.reports, r.seconds)
    lent = [Lent(ref, (query.caller,)) for ref in handed_on(outcomes, query.lent)]
    handed = handed_on(outcomes, query.lent, here.me, query.caller)
    out = (Send(query.caller, message), *lent, *[Unpinned(ref) for ref in r.held if ref not in handed])
    return (Run_(r.task, HANDING, query=query, held=handed), out) if handed else (None, out)


@TABLE.on(HANDING, event=TaskTakenNotice, to=(ABSENT,))
def let_go(r: Run_, e: TaskTakenNotice, here: Here) -> tuple[None, Out]:
    """The caller holds what others own: when their owners ask it, as they will, it will say so."""
    return None, tuple([Unpinned(ref) for ref in r.held])


@TABLE.on(HANDING, event=CallerDied, to=(ABSENT,))
def keep_no_more(r: Run_, e: CallerDied, here: Here) -> tuple[None, Out]:
    """Nobody will take the returns."""
    return None, tuple([Unpinned(ref) for ref in r.held])


TABLE.ignore(ABSENT, event=TaskTakenNotice, why="the caller was held for dead")
TABLE.never(FETCHING, READY, RUNNING, PLACING, REPORTING, event=TaskTakenNotice, why="there was no reply yet")
TABLE.ignore(ABSENT, REPORTING, event=CallerDied, why="the reply has been sent, or is not gathered any more")


@TABLE.on(FETCHING, READY, RUNNING, PLACING, event=CallerDied)
def report_to_nobody(r: Run_, e: CallerDied, here: Here) -> tuple[Run_, Out]:
    """What would be reported to the dead would be lost: what it was lent is borrowed like anything else from now on."""
    assert r.query is not None
    return replace(r, query=replace(r.query, caller=0)), ()


TABLE.never(ABSENT, FETCHING, READY, RUNNING, PLACING, HANDING, event=HoldReported, why="no report was asked for")


@TABLE.on(FETCHING, READY, event=StopNotice, to=(REPORTING, ABSENT))
def cancel(r: Run_, e: StopNotice, here: Here) -> tuple[Run_ | None, Out]:
    """What has not begun never does."""
    dropped = (TurnDropped(r.task),) if r.state is READY else ()
    after, out = not_run(r, Failure("cancelled", r.task, here.me))
    return after, (*dropped, *out)


@TABLE.on(RUNNING, event=StopNotice)
def interrupt(r: Run_, e: StopNotice, here: Here) -> tuple[Run_, Out]:
    """A running task is interrupted, or (force) its worker ended."""
    return r, (Kill(here.me) if e.force else Interrupt(r.task),)


TABLE.ignore(ABSENT, PLACING, REPORTING, HANDING, event=StopNotice, why="what is finished cannot be cancelled")


@TABLE.on(RUNNING, event=ThreadBlocked)
def begin_wait(r: Run_, e: ThreadBlocked, here: Here) -> tuple[Run_, Out]:
    """A task that waits keeps nobody waiting behind it, however many of its threads wait."""
    return replace(r, blocked=r.blocked + 1), (DeskBlocked(r.task, e.objects),)


@TABLE.on(RUNNING, event=ThreadResumed)
def end_wait(r: Run_, e: ThreadResumed, here: Here) -> tuple[Run_, Out]:
    """Its last waiting thread goes on."""
    return replace(r, blocked=r.blocked - 1), () if r.blocked > 1 else (DeskResumed(r.task),)


for _event in (ThreadBlocked, ThreadResumed):
    TABLE.ignore(
        ABSENT, FETCHING, READY, PLACING, REPORTING, HANDING, event=_event, why="a thread that outlived its task"
    )
