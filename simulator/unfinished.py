"""The tasks of a simulated cluster that are not over: a deadlock is told by them, and they are reported at the end.

Refuses to know why they are not over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from freehold.core.hosted import Hosted
from freehold.core.ids import party_name
from freehold.core.queries import calls, runs
from freehold.core.values import Description
from freehold.core.worker import Worker

NAMED_MAX = 5  # tasks of a report; the others are counted


class Task(NamedTuple):
    """A task that is not over."""

    returns: range  # it is called like the first of them
    name: str
    worker: int  # where it runs, 0 if it has not begun
    awaits: tuple[int, ...]  # arguments without which it cannot begin

    def __str__(self) -> str:
        return f"{self.name} on {party_name(self.worker)}" if self.worker else f"{self.name} (not begun)"


def task_of(description: Description, worker: int = 0, *, resolving: bool = False) -> Task:
    """Return the task of a description; ``resolving``: some of its arguments are not there."""
    returns = range(description.task, description.task + description.returns)
    missing = [slot.object for slot in description.slots if slot.value is None and not slot.nodes and not slot.nbytes]
    return Task(returns, description.name, worker, tuple(missing) if resolving else ())


def tasks(drivers: Mapping[int, Hosted]) -> Iterator[Task]:
    """Yield the tasks whose functions run, and those that have not begun, wherever they are."""
    for me, driver in drivers.items():
        if not isinstance(driver.party, Worker):
            continue
        for description, begun in runs(driver.party):
            yield task_of(description, me if begun else 0)
        for description, resolving, worker in calls(driver.party):
            if not worker or on_its_way(description.task, drivers.get(worker)):
                yield task_of(description, resolving=resolving)


def on_its_way(task: int, worker: Hosted | None) -> bool:
    """Tell whether a task that was sent to a worker has not come there; else it is there, or is done."""
    return worker is None or (task not in worker.party.tables["running"] and worker.ring.first(task) is None)


def unfinished(drivers: Mapping[int, Hosted]) -> str:
    """Return which tasks are not over, in words, those that have begun first; "" if there are none."""
    found = sorted(tasks(drivers), key=lambda task: (not task.worker, task.returns.start))
    if not found:
        return ""
    more = f" and {len(found) - NAMED_MAX} more" if found[NAMED_MAX:] else ""
    return f"{len(found)} task{'s' * (len(found) > 1)} had not ended: {', '.join(map(str, found[:NAMED_MAX]))}{more}"
