"""The directory: the rows of the promotion table about locations, and about those who ask for them.

The owner answers each asker once, when it has something to say, and follows the word of the nodes about copies.  When
the last copy is lost, the task that computed the value runs again, if it can: now, or when somebody needs the value.
"""

from __future__ import annotations

from freehold.core.effects import Send
from freehold.core.events import (
    HolderDied,
    LineageLost,
    ObjectRested,
    ObjectRoused,
    ReturnAwaited,
    ValueWanted,
    WantWithdrawn,
)
from freehold.core.machine import Here, Out, replace
from freehold.core.messages import LateNotice, LocateCancelNotice, LocateQuery, LocateReply
from freehold.core.node_messages import CopyNotice, FreeNotice, KeepNotice
from freehold.core.promotion import (
    ABSENT,
    DISCARDING,
    FAILED,
    INLINE,
    PENDING,
    PLACED,
    RELEASED,
    RESERVING,
    TABLE,
    WRITING,
    Promotion,
    is_small,
    lookups,
    serve,
    settled,
    spare,
    told,
)
from freehold.core.task_events import ArgumentLate, ReturnLost, TaskAwaited
from freehold.core.values import Failure, Want

LOSS = (INLINE, RESERVING, PENDING, RELEASED, FAILED)  # where the loss of a copy may lead

# ------------------------------------------------------------------ who wants the value here


@TABLE.on(INLINE, FAILED, event=ValueWanted)
def answer_now(r: Promotion, e: ValueWanted, here: Here) -> tuple[Promotion, Out]:
    """A settled value is answered at once, whichever way it was settled."""
    return r, serve(r, e.by, e.want)


@TABLE.on(PLACED, event=ValueWanted)
def fetch(r: Promotion, e: ValueWanted, here: Here) -> tuple[Promotion, Out]:
    """The owner knows the locations itself; the copy is fetched like any other."""
    return r, serve(r, e.by, e.want)


@TABLE.on(PENDING, event=ValueWanted)
def wait(r: Promotion, e: ValueWanted, here: Here) -> tuple[Promotion, Out]:
    """One entry for each waiter, however often it asks; a task that was sent here goes back."""
    r = replace(r, wanted=r.wanted.set(e.by, e.want))
    return r, (ArgumentLate(e.by, r.object),) if e.want == Want.RUN else ()


@TABLE.on(RESERVING, WRITING, event=ValueWanted)
def wait_or_read(r: Promotion, e: ValueWanted, here: Here) -> tuple[Promotion, Out]:
    """While a small value is being promoted its owner goes on using the bytes; a large one is waited for."""
    if is_small(r.payload, here):
        return r, serve(r, e.by, e.want)
    return replace(r, wanted=r.wanted.set(e.by, e.want)), ()


@TABLE.on(RELEASED, event=ValueWanted, to=(PENDING,))
def compute_for(r: Promotion, e: ValueWanted, here: Here) -> tuple[Promotion, Out]:
    """A task that runs again needs it: its own task runs again first."""
    return compute(replace(r, wanted=r.wanted.set(e.by, e.want)))


@TABLE.on(ABSENT, DISCARDING, event=ValueWanted)
def no_such_value(r: Promotion, e: ValueWanted, here: Here) -> tuple[Promotion, Out]:
    """The object was freed although someone here had a reference."""
    gone = replace(r, failure=Failure("released", r.object, here.me))
    return r, serve(gone, e.by, e.want)


@TABLE.on(PENDING, event=ReturnAwaited)
def point_to_task(r: Promotion, e: ReturnAwaited, here: Here) -> tuple[Promotion, Out]:
    """Who waits for a value can do worse than run its task."""
    return r, (TaskAwaited(r.by, e.worker, e.account, e.wait),)


TABLE.ignore(
    ABSENT, INLINE, RESERVING, WRITING, DISCARDING, PLACED, RELEASED, FAILED, event=ReturnAwaited, why="no task runs"
)


@TABLE.on(PENDING, RESERVING, WRITING, event=WantWithdrawn)
def withdraw(r: Promotion, e: WantWithdrawn, here: Here) -> tuple[Promotion, Out]:
    """An abandoned get leaves nothing behind."""
    return replace(r, wanted=r.wanted.delete(e.by)) if e.by in r.wanted else r, ()


TABLE.ignore(
    ABSENT, INLINE, DISCARDING, PLACED, RELEASED, FAILED, event=WantWithdrawn, why="nobody waits in this state"
)

# ------------------------------------------------------------------ who asks where it is


@TABLE.on(RELEASED, event=LocateQuery, to=(PENDING,))
def compute_for_asker(r: Promotion, e: LocateQuery, here: Here) -> tuple[Promotion, Out]:
    """A task that runs again needs it, inside an argument: its own task runs again first."""
    return compute(replace(r, askers=r.askers.set(e.asker, (e.attempt, ()))))


@TABLE.on(PENDING, RESERVING, WRITING, event=LocateQuery)
def ask_later(r: Promotion, e: LocateQuery, here: Here) -> tuple[Promotion, Out]:
    """One open question for each asker; nobody polls.  One whose thread waits may run the task that is awaited."""
    late = (Send(e.asker, LateNotice(r.object)),) if r.task and r.state is PENDING else ()
    hand = (TaskAwaited(r.by, e.asker, r.object, e.wait),) if e.wait and r.state is PENDING else ()
    return replace(r, askers=r.askers.set(e.asker, (e.attempt, e.known))), late + hand


@TABLE.on(INLINE, event=LocateQuery, to=(RESERVING,))
def promote(r: Promotion, e: LocateQuery, here: Here) -> tuple[Promotion, Out]:
    """A borrower's resolution promotes a small value, or receives a copy of it: the policy says which."""
    return lookups(replace(r, askers=r.askers.set(e.asker, (e.attempt, e.known))), here)


@TABLE.on(PLACED, event=LocateQuery)
def tell_where(r: Promotion, e: LocateQuery, here: Here) -> tuple[Promotion, Out]:
    """The asker hears all locations; one that has tried them all hears as soon as there is another.

    Then the primary copy may be gone without our knowledge: its node says so, if it is.
    """
    if e.known and not set(r.nodes) - set(e.known):
        sure = () if r.rested else (Send(r.nodes[0], KeepNotice(r.object, True)),)
        return replace(r, askers=r.askers.set(e.asker, (e.attempt, e.known))), sure
    return ask_no_more(r, e, here)[0], told(r, e.asker, e.attempt)


@TABLE.on(FAILED, event=LocateQuery)
def tell_why_not(r: Promotion, e: LocateQuery, here: Here) -> tuple[Promotion, Out]:
    """A failure is the object's value for everybody."""
    return r, told(r, e.asker, e.attempt)


@TABLE.on(ABSENT, DISCARDING, event=LocateQuery)
def tell_gone(r: Promotion, e: LocateQuery, here: Here) -> tuple[Promotion, Out]:
    """The object was freed although the asker had a reference."""
    return r, (Send(e.asker, LocateReply(r.object, e.attempt, Failure("released", r.object, here.me))),)


@TABLE.on(PENDING, RESERVING, WRITING, PLACED, event=LocateCancelNotice)
def ask_no_more(r: Promotion, e: LocateCancelNotice | LocateQuery, here: Here) -> tuple[Promotion, Out]:
    """An abandoned get leaves no question open, and nor does one that is answered."""
    return replace(r, askers=r.askers.delete(e.asker)) if e.asker in r.askers else r, ()


TABLE.ignore(ABSENT, INLINE, RELEASED, FAILED, DISCARDING, event=LocateCancelNotice, why="no question is open")

# ------------------------------------------------------------------ copies come and go


@TABLE.on(PLACED, event=CopyNotice, to=LOSS)
def locations_change(r: Promotion, e: CopyNotice, here: Here) -> tuple[Promotion, Out]:
    """The directory follows the nodes' word; a new location is told to those who have tried all others."""
    if e.present:
        return (r, ()) if e.node in r.nodes else settled(replace(r, nodes=(*r.nodes, e.node)), here)
    return lose(r, e.node, here)


def lose(r: Promotion, node: int, here: Here) -> tuple[Promotion, Out]:
    """Forget a location; the next takes the place of the primary one.

    A small value is inline again when its last copy goes; a large one is lost, unless its task can run again.
    """
    if node not in r.nodes:
        return r, ()
    primary = r.nodes[0] == node
    r = replace(r, nodes=tuple([other for other in r.nodes if other != node]))
    if r.nodes:
        return r, (Send(r.nodes[0], KeepNotice(r.object, True)),) if primary and not r.rested else ()
    if r.payload is not None:
        return settled(replace(r, state=INLINE), here)
    if r.task:
        return (replace(r, state=RELEASED), ()) if r.rested else compute(r)
    return settled(replace(r, state=FAILED, failure=Failure("not_rebuilt", r.object, node, r.refusal)), here)


def compute(r: Promotion) -> tuple[Promotion, Out]:
    """Have the value computed again.  A location that has failed somebody may be a good one by then.

    No task keeps its worker meanwhile: all workers there are could come to wait for what none of them can compute.
    """
    askers = r.askers
    for worker, (attempt, _) in r.askers.items():
        askers = askers.set(worker, (attempt, ()))
    late = [Send(worker, LateNotice(r.object)) for worker in sorted(askers)]
    late_here = [ArgumentLate(by, r.object) for by in sorted(r.wanted) if r.wanted[by] == Want.RUN]
    return replace(r, state=PENDING, by=r.task, askers=askers), (*late, *late_here, ReturnLost(r.task, r.object))


@TABLE.on(RELEASED, event=CopyNotice, to=(PLACED,))
def come_to_light(r: Promotion, e: CopyNotice, here: Here) -> tuple[Promotion, Out]:
    """A copy was made while the others were being lost: it is as good as they were."""
    if not e.present:
        return r, ()
    keep = () if r.rested else (Send(e.node, KeepNotice(r.object, True)),)
    return replace(r, state=PLACED, nodes=(e.node,)), keep


@TABLE.on(PENDING, event=CopyNotice)
def orphan(r: Promotion, e: CopyNotice, here: Here) -> tuple[Promotion, Out]:
    """A copy whose task has not replied, and may never: from the reply on it is a location."""
    others = tuple([node for node in r.nodes if node != e.node])
    return replace(r, nodes=(*others, e.node) if e.present else others), ()


@TABLE.on(ABSENT, DISCARDING, event=CopyNotice)
def free_straggler(r: Promotion, e: CopyNotice, here: Here) -> tuple[Promotion, Out]:
    """A copy that was made while the object was being released is freed as soon as it is heard of."""
    return r, (Send(e.node, FreeNotice(r.object)),) if e.present else ()


@TABLE.on(INLINE, FAILED, event=CopyNotice)
def free_useless(r: Promotion, e: CopyNotice, here: Here) -> tuple[Promotion, Out]:
    """The copy of a run that came to nothing, heard of too late: one outcome for all."""
    return r, (Send(e.node, FreeNotice(r.object)),) if e.present else ()


@TABLE.on(RESERVING, WRITING, event=CopyNotice)
def free_other(r: Promotion, e: CopyNotice, here: Here) -> tuple[Promotion, Out]:
    """Only the copy that is being written here counts."""
    return r, (Send(e.node, FreeNotice(r.object)),) if e.present and e.node != here.node else ()


@TABLE.on(PENDING, PLACED, event=HolderDied, to={PLACED: LOSS})
def node_died(r: Promotion, e: HolderDied, here: Here) -> tuple[Promotion, Out]:
    """A dead node holds nothing, a dead worker asks nothing."""
    if e.party in r.askers:
        r = replace(r, askers=r.askers.delete(e.party))
    if r.state is PENDING:
        return replace(r, nodes=tuple([node for node in r.nodes if node != e.party])), ()
    return lose(r, e.party, here)


@TABLE.on(RESERVING, WRITING, event=HolderDied)
def asker_died(r: Promotion, e: HolderDied, here: Here) -> tuple[Promotion, Out]:
    """A dead worker asks nothing."""
    return replace(r, askers=r.askers.delete(e.party)) if e.party in r.askers else r, ()


TABLE.ignore(ABSENT, INLINE, DISCARDING, RELEASED, FAILED, event=HolderDied, why="no location or question is kept here")

# ------------------------------------------------------------------ what is kept for tasks that may run again


@TABLE.on(PENDING, RESERVING, WRITING, PLACED, event=ObjectRested)
def rest(r: Promotion, e: ObjectRested, here: Here) -> tuple[Promotion, Out]:
    """Only tasks that may run again need it: its copies may be evicted, though a value that was put is lost then.

    What may be needed one day never stands in the way of what is needed.
    """
    if r.rested:
        return r, ()
    r = replace(r, rested=True)
    return r, spare(r) if r.state is PLACED else ()


@TABLE.on(PENDING, RESERVING, WRITING, PLACED, RELEASED, event=ObjectRoused)
def rouse(r: Promotion, e: ObjectRoused, here: Here) -> tuple[Promotion, Out]:
    """Others need it: a copy that is left is kept; one that is not will be missed when it is wanted."""
    if not r.rested:
        return r, ()
    keep = (Send(r.nodes[0], KeepNotice(r.object, True)),) if r.state is PLACED else ()
    return replace(r, rested=False), keep


TABLE.ignore(ABSENT, INLINE, DISCARDING, RELEASED, FAILED, event=ObjectRested, why="no copy is kept")
TABLE.ignore(ABSENT, INLINE, DISCARDING, FAILED, event=ObjectRoused, why="no copy is kept")


@TABLE.on(PENDING, RESERVING, WRITING, PLACED, event=LineageLost)
def last_chance(r: Promotion, e: LineageLost, here: Here) -> tuple[Promotion, Out]:
    """The copies that there are are the last."""
    return replace(r, task=0, refusal=e.refusal), ()


@TABLE.on(RELEASED, event=LineageLost, to=(FAILED,))
def no_chance(r: Promotion, e: LineageLost, here: Here) -> tuple[Promotion, Out]:
    """There will be no value again."""
    failure = Failure("not_rebuilt", r.object, here.me, e.refusal)
    return replace(r, state=FAILED, failure=failure, task=0, rested=False), ()


TABLE.ignore(ABSENT, INLINE, DISCARDING, FAILED, event=LineageLost, why="it is not computed again")
