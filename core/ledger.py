"""The ledger table: how many bytes of task descriptions an owner keeps, so that tasks can run again.

One record for each worker.  When there are too many, the oldest tasks are forgotten until half of the bytes are left
(Ray: task_manager.cc, max_lineage_bytes).  Refuses to know what a description is for.
"""

from __future__ import annotations

import msgspec
from immutables import Map

from freehold.core.machine import Here, Out, State, Table, replace
from freehold.core.policies import too_old
from freehold.core.task_events import LineageEvicted, LineageForgotten, LineageKept


class Keeping(State):
    """What is done about what is kept: there is one state."""

    OPEN = "descriptions come and go"


(OPEN,) = Keeping


class Ledger(msgspec.Struct, frozen=True, gc=False):
    """The descriptions that one owner keeps."""

    state: Keeping = OPEN
    nbytes: int = 0  # of all
    tasks: Map[int, int] = Map()  # task -> bytes of its description


TABLE = Table("ledger", Keeping, (LineageKept, LineageForgotten))


@TABLE.on(OPEN, event=LineageKept)
def enter(r: Ledger, e: LineageKept, here: Here) -> tuple[Ledger, Out]:
    """What has run again is entered again; beyond the bound the oldest have to go."""
    nbytes = r.nbytes + e.nbytes - r.tasks.get(e.task, 0)
    r = replace(r, nbytes=nbytes, tasks=r.tasks.set(e.task, e.nbytes))
    if nbytes <= here.policy.lineage_bytes_max:
        return r, ()
    return r, tuple([LineageEvicted(task) for task in too_old(here.policy, nbytes, tuple(r.tasks.items()))])


@TABLE.on(OPEN, event=LineageForgotten)
def strike(r: Ledger, e: LineageForgotten, here: Here) -> tuple[Ledger | None, Out]:
    """Its bytes are free."""
    if e.task not in r.tasks:
        return r, ()
    r = replace(r, nbytes=r.nbytes - r.tasks[e.task], tasks=r.tasks.delete(e.task))
    return (r if r.tasks else None), ()
