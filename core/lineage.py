"""Lineage: the rows of the execution table about tasks that are over, and may run again.

A task whose large returns can be lost is kept, with what it carries, as long as one of them may be needed.  When every
copy of one is lost it runs once more, its arguments first, for what is lost by then and for nothing else; a further
loss joins the run, or waits for its end.  Every such run costs a retry, as does the death of a worker.  (Ray:
object_recovery_manager.cc, task_manager.cc.)

Refuses to know where copies are and who needs them.
"""

from __future__ import annotations

from freehold.core.events import ArgumentAdded, LineageDone, LineageLost, ReturnArrived
from freehold.core.execution import ABSENT, KEPT, QUEUED, RESOLVING, RUNNING, TABLE, Execution, resolving
from freehold.core.machine import Here, Out, replace
from freehold.core.task_events import LineageEvicted, LineageForgotten, ReturnGone, ReturnLost
from freehold.core.values import Failure


@TABLE.on(KEPT, event=ReturnLost, to=(RESOLVING, QUEUED))
def run_again(r: Execution, e: ReturnLost, here: Here) -> tuple[Execution, Out]:
    """Its arguments come first: those that are lost as well are computed again before it."""
    r, asked = resolving(replace(r, retries=r.retries - 1, due=(e.object,)), here)
    return r, (*[ArgumentAdded(ref) for ref in r.lent], *asked)


@TABLE.on(RESOLVING, QUEUED, event=ReturnLost)
def join_run(r: Execution, e: ReturnLost, here: Here) -> tuple[Execution, Out]:
    """One run brings all that is lost before it begins."""
    return replace(r, due=(*r.due, e.object)), ()


@TABLE.on(RUNNING, event=ReturnLost)
def run_once_more(r: Execution, e: ReturnLost, here: Here) -> tuple[Execution, Out]:
    """Its worker has been told what to bring: the task runs once more after that."""
    return replace(r, late=(*r.late, e.object)), ()


@TABLE.on(ABSENT, event=ReturnLost)
def forgotten(r: Execution, e: ReturnLost, here: Here) -> tuple[Execution, Out]:
    """It was forgotten in the same moment."""
    return r, (ReturnArrived(e.object, Failure("not_rebuilt", e.object, here.me, "evicted")),)


@TABLE.on(KEPT, event=ReturnGone, to=(ABSENT,))
def needed_less(r: Execution, e: ReturnGone, here: Here) -> tuple[Execution | None, Out]:
    """With its last return a task's description goes, and what it carries may go."""
    r = replace(r, kept=tuple([object for object in r.kept if object != e.object]))
    if r.kept:
        return r, ()
    return None, (*[LineageDone(ref) for ref in r.lent], LineageForgotten(r.task))


@TABLE.on(RESOLVING, QUEUED, RUNNING, event=ReturnGone)
def needed_less_afterwards(r: Execution, e: ReturnGone, here: Here) -> tuple[Execution, Out]:
    """It runs already; what it brings of this return is thrown away, and it is not run once more for it."""
    kept, late = (tuple([object for object in some if object != e.object]) for some in (r.kept, r.late))
    return replace(r, kept=kept, late=late), ()


TABLE.ignore(ABSENT, event=ReturnGone, why="it is over for good")


@TABLE.on(KEPT, event=LineageEvicted, to=(ABSENT,))
def forget(r: Execution, e: LineageEvicted, here: Here) -> tuple[None, Out]:
    """From now on what is lost is lost."""
    lost = [LineageLost(object, "evicted") for object in r.kept]
    return None, (*lost, *[LineageDone(ref) for ref in r.lent], LineageForgotten(r.task))


TABLE.ignore(ABSENT, event=LineageEvicted, why="it is over for good")
TABLE.ignore(RESOLVING, QUEUED, RUNNING, event=LineageEvicted, why="it runs: it is entered again when it is over")
