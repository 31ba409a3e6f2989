"""The directory: the rows of the promotion table about locations, and about those who ask for them.

The owner answers each asker once, when it has something to say, and follows the word of the nodes about copies.
"""

from __future__ import annotations

from freehold.core.effects import Send
from freehold.core.events import HolderDied
from freehold.core.machine import Here, Out, replace
from freehold.core.messages import CopyNotice, FreeNotice, KeepNotice, LocateCancelNotice, LocateQuery, LocateReply
from freehold.core.promotion import (
    ABSENT,
    DISCARDING,
    FAILED,
    INLINE,
    PENDING,
    PLACED,
    RESERVING,
    TABLE,
    WRITING,
    Promotion,
    lookups,
    settled,
    told,
)
from freehold.core.task_events import TaskAwaited
from freehold.core.values import Failure

# ------------------------------------------------------------------ who asks where it is


@TABLE.on(PENDING, RESERVING, WRITING, event=LocateQuery)
def ask_later(r: Promotion, e: LocateQuery, here: Here) -> tuple[Promotion, Out]:
    """One open question for each asker; nobody polls.  One whose thread waits may run the task that is awaited."""
    out = (TaskAwaited(r.by, e.asker, r.object, e.wait),) if e.wait and r.state is PENDING else ()
    return replace(r, askers=r.askers.set(e.asker, (e.attempt, e.known))), out


@TABLE.on(INLINE, event=LocateQuery, to=(RESERVING,))
def promote(r: Promotion, e: LocateQuery, here: Here) -> tuple[Promotion, Out]:
    """A borrower's resolution promotes a small value, or receives a copy of it: the policy says which."""
    return lookups(replace(r, askers=r.askers.set(e.asker, (e.attempt, e.known))), here)


@TABLE.on(PLACED, event=LocateQuery)
def tell_where(r: Promotion, e: LocateQuery, here: Here) -> tuple[Promotion, Out]:
    """The asker hears all locations; one that has tried them all hears as soon as there is another."""
    if e.known and not set(r.nodes) - set(e.known):
        return replace(r, askers=r.askers.set(e.asker, (e.attempt, e.known))), ()
    return r, told(r, e.asker, e.attempt)


@TABLE.on(FAILED, event=LocateQuery)
def tell_why_not(r: Promotion, e: LocateQuery, here: Here) -> tuple[Promotion, Out]:
    """A failure is the object's value for everybody."""
    return r, told(r, e.asker, e.attempt)


@TABLE.on(ABSENT, DISCARDING, event=LocateQuery)
def tell_gone(r: Promotion, e: LocateQuery, here: Here) -> tuple[Promotion, Out]:
    """The object was freed although the asker had a reference."""
    return r, (Send(e.asker, LocateReply(r.object, e.attempt, Failure("released", r.object, here.me))),)


@TABLE.on(PENDING, RESERVING, WRITING, PLACED, event=LocateCancelNotice)
def ask_no_more(r: Promotion, e: LocateCancelNotice, here: Here) -> tuple[Promotion, Out]:
    """An abandoned get leaves no question open."""
    return replace(r, askers=r.askers.delete(e.asker)) if e.asker in r.askers else r, ()


TABLE.ignore(ABSENT, INLINE, FAILED, DISCARDING, event=LocateCancelNotice, why="no question is open")

# ------------------------------------------------------------------ copies come and go


@TABLE.on(PLACED, event=CopyNotice, to=(PLACED, INLINE, RESERVING, FAILED))
def locations_change(r: Promotion, e: CopyNotice, here: Here) -> tuple[Promotion, Out]:
    """The directory follows the nodes' word; a new location is told to those who have tried all others."""
    if e.present:
        return (r, ()) if e.node in r.nodes else settled(replace(r, nodes=(*r.nodes, e.node)), here)
    return lose(r, e.node, here)


def lose(r: Promotion, node: int, here: Here) -> tuple[Promotion, Out]:
    """Forget a location; the next takes the place of the primary one.

    A small value is inline again when its last copy goes; a large one is lost.
    """
    if node not in r.nodes:
        return r, ()
    primary = r.nodes[0] == node
    r = replace(r, nodes=tuple([other for other in r.nodes if other != node]))
    if r.nodes:
        return r, (Send(r.nodes[0], KeepNotice(r.object)),) if primary else ()
    if r.payload is not None:
        return settled(replace(r, state=INLINE), here)
    return settled(replace(r, state=FAILED, failure=Failure("lost", r.object, node)), here)


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


@TABLE.on(PENDING, PLACED, event=HolderDied, to={PLACED: (INLINE, RESERVING, FAILED)})
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


TABLE.ignore(ABSENT, INLINE, DISCARDING, FAILED, event=HolderDied, why="no location or question is kept here")
