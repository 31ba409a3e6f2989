"""Simulated tasks that go on when their bodies have ended, until they have lasted as long as they are to.

A body takes no simulated time but for its sleeps and waits.  If it ends sooner than its task is to, the task goes on;
if it has lasted longer, so has the task.

Refuses to know what tasks do, and where they run.
"""

from __future__ import annotations

from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING

from freehold.core.effects import Run
from freehold.core.tasks import run_task
from freehold.simulator.world.tasks import Tasks, recorded

if TYPE_CHECKING:
    from freehold.simulator.driver import Simulator


class Durations:
    """How long each task is to last, in the order in which they begin.

    Args:
        tasks: what is known of them.

    Raises:
        ValueError: there is no record of a run where one should be.
    """

    def __init__(self, tasks: Tasks) -> None:
        self.declared = tasks.seconds
        runs = recorded(tasks.recorded) if tasks.recorded else {}
        self.recorded = {name: cycle(seconds) for name, seconds in runs.items()}

    def next(self, name: str) -> float:
        """Return for how many seconds at least a task is to last that begins now, by the name of its function."""
        bare = name.rpartition(".")[2]  # as its definition has it, wherever that is
        for known in (name, bare):
            if known in self.declared:
                return self.declared[known]
        return next(self.recorded[name]) if name in self.recorded else 0.0


# ------------------------------------------------------------------ tasks that go on when their bodies have ended


class CutShort(BaseException):
    """A task was cancelled when its body had ended, and its time had not."""


def run_for(driver: Simulator, run: Run, seconds: float) -> None:
    """Run a task that is over when its body is, and so much time has passed at least."""
    session, until = driver.session, driver.now() + seconds * driver.pace
    assert session is not None
    try:
        run_task(session, run, driver.now, partial(go_on, driver, run, until))  # the time that it has spent is its own
    except CutShort:
        session.doomed.add(run.task)
        run_task(session, run, driver.now)  # which finds it cancelled, and calls nothing


def go_on(driver: Simulator, run: Run, until: float) -> None:
    """Let a task whose body has ended last until some time, unless it was cancelled."""
    session, left = driver.session, until - driver.now()
    assert session is not None
    if left <= 0 or run.task in session.doomed:
        return
    beneath = session.task, session.task_name
    session.task, session.task_name = run.task, run.description.name  # whoever cancels it finds it here
    try:
        driver.world.strands.sleep(left)
    except KeyboardInterrupt:
        raise CutShort from None
    finally:
        session.task, session.task_name = beneath
