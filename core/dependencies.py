"""Dependencies: the rows of the execution table about arguments, as each is settled.

A small value goes into the task's description together with the references inside it; a large one stays a reference,
with its locations; a failed one fails the task.  (Ray: dependency_resolver.cc.)

Refuses to know where values are, and what follows when all are settled.
"""

from __future__ import annotations

from freehold.core.events import ArgumentAdded, ArgumentInlined, DependencyReady, WantWithdrawn
from freehold.core.execution import OVER, QUEUED, RESOLVING, RUNNING, TABLE, Execution, fail, resolved
from freehold.core.ids import owner_of
from freehold.core.machine import Here, Out, replace
from freehold.core.policies import INLINED_BYTES_MAX
from freehold.core.values import Failure, Payload, Placed, Slot


@TABLE.on(RESOLVING, event=DependencyReady, to=(QUEUED, *OVER))
def fill(r: Execution, e: DependencyReady, here: Here) -> tuple[Execution | None, Out]:
    """A small value is inlined, a large one stays a reference, a failed one fails the task."""
    outcome = e.outcome
    if isinstance(outcome, Failure):
        waited = [WantWithdrawn(slot.object, r.task) for slot in r.description.slots] if r.description else []
        after, out = fail(r, outcome, here)
        return after, (*waited, *out)
    if isinstance(outcome, Payload) and not r.due:  # a task that runs again carries what it carried
        r, counts = inline(r, e.object, outcome, here)
    else:
        r, counts = refer(r, e.object, outcome), ()
    r = replace(r, missing=r.missing - 1)
    if r.missing:
        return r, counts
    r, ready = resolved(r)
    return r, (*counts, *ready)


def refer(r: Execution, object: int, outcome: Payload | Placed) -> Execution:
    """Note in the description where the copies of an argument are."""
    assert r.description is not None
    nodes = outcome.nodes if isinstance(outcome, Placed) else ()
    slot = Slot(object, None, nodes, outcome.nbytes, outcome.refs)
    slots = [slot if s.object == object else s for s in r.description.slots]
    return replace(r, description=replace(r.description, slots=tuple(slots)))


def inline(r: Execution, object: int, value: Payload, here: Here) -> tuple[Execution, Out]:
    """Put a small value into the description; the references inside it are carried from now on.

    All values in one description are bounded (Ray does not bound these; rule 3.1): beyond the bound the argument
    stays a reference, and the worker resolves it.
    """
    description = r.description
    assert description is not None
    inlined = description.payload.nbytes + sum(s.value.nbytes for s in description.slots if s.value is not None)
    times = sum(s.object == object for s in description.slots)
    borrowed = owner_of(object) != here.me and value.refs  # what is inside was never introduced by us
    if inlined + times * value.nbytes > INLINED_BYTES_MAX or borrowed:
        return refer(r, object, value), ()
    slots = tuple([Slot(object, value) if s.object == object else s for s in description.slots])
    r = replace(r, description=replace(description, slots=slots))
    fresh = tuple([ref for ref in value.refs if ref not in r.lent])
    nested = object in description.payload.refs or any(s.value and object in s.value.refs for s in slots)
    still = nested or object == description.function
    lent = r.lent + fresh if still else tuple([ref for ref in r.lent if ref != object]) + fresh
    gone = () if still else (ArgumentInlined(object, r.task),)
    return replace(r, lent=lent), (*[ArgumentAdded(ref) for ref in fresh], *gone)


TABLE.ignore(*OVER, event=DependencyReady, why="another argument failed, or the task was cancelled")
TABLE.never(QUEUED, RUNNING, event=DependencyReady, why="each argument is settled once")
