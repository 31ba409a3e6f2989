"""How long simulated tasks last: as long as somebody has declared, or as the tasks of a run that was recorded did.

    [tasks]
    recorded = "traces/run-0001"

    [tasks.seconds]
    work = "20 ms"

A body takes no simulated time but for its sleeps and waits.  If it ends sooner than its task is to, the task goes on;
if it has lasted longer, so has the task.

Refuses to know what tasks do, and where they run.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from freehold.core.effects import Run
from freehold.core.journal import KINDS, Entry, read
from freehold.core.messages import TaskQuery
from freehold.core.task_events import RunEnded, TaskSubmitted
from freehold.core.tasks import run_task
from freehold.simulator.world.units import Seconds

if TYPE_CHECKING:
    from freehold.simulator.driver import Simulator

WANTED = {kind.__name__ for kind in (RunEnded, TaskQuery, TaskSubmitted)}  # ends of tasks, and what tells their names


class Tasks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long tasks are to last; of a function that is found in neither, as long as they sleep and wait."""

    seconds: dict[str, Seconds] = {}  # by the names of functions; they go before what was recorded
    recorded: str = ""  # the folder of a run, as init(trace=) makes one; "" for none


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


# ------------------------------------------------------------------ what was recorded


def recorded(folder: str) -> dict[str, tuple[float, ...]]:
    """Return how long the tasks of a recorded run lasted, by function, in the order in which they began.

    Raises:
        ValueError: one sentence with file, line and value.
    """
    place = Path(folder)
    try:
        states = [(file, file.stat()) for file in sorted(place.glob("*.ndjson"))]
        found = tasks_in(tuple([(str(file), state.st_size, state.st_mtime_ns) for file, state in states]))
    except OSError as error:
        raise ValueError(f"{error.filename} cannot be read: {error.strerror}") from None
    if not found:
        what = "no task has ended in the run of which it is the trace" if states else "it has no trace of a run"
        what = what if place.is_dir() else "there is no such folder"
        raise ValueError(f"{what}: {folder!r}; name a folder that init(trace=) has made, such as traces/run-0001")
    return found


@lru_cache(maxsize=1)  # a description is read more than once until a simulation begins
def tasks_in(files: tuple[tuple[str, int, int], ...]) -> dict[str, tuple[float, ...]]:
    """As ``recorded``, of journals with their sizes and the times when they were written."""
    names: dict[int, str] = {}
    ended: list[tuple[float, int, float]] = []
    for path, nbytes, _ in files:
        for at, event in tasks_told(path) if nbytes else ():  # a worker may end as it begins
            if isinstance(event, RunEnded):
                ended.append((at - event.seconds, event.task, event.seconds))
            else:
                names[event.task] = event.description.name
    found: dict[str, list[float]] = {}
    for _, task, seconds in sorted(ended):
        if task in names:
            found.setdefault(names[task], []).append(seconds)
    return {name: tuple(seconds) for name, seconds in found.items()}


def tasks_told(path: str) -> Iterator[tuple[float, RunEnded | TaskQuery | TaskSubmitted]]:
    """Yield what a journal tells of tasks and their ends, with its time.

    Raises:
        ValueError: it is not a journal, or one of another version, or a line of it cannot be read.
    """
    _, entries = read(path)
    line = 1
    while True:
        line += 1
        try:
            entry = next(entries, None)
            event = decoded(entry) if isinstance(entry, Entry) and entry.kind in WANTED else None
        except msgspec.DecodeError as error:
            raise ValueError(f"{path}:{line} is not a line of a trace: {error}") from None
        if entry is None:
            return
        if isinstance(entry, Entry) and event is not None:
            yield entry.at, event


def decoded(entry: Entry) -> RunEnded | TaskQuery | TaskSubmitted:
    """Return the event that an entry of a journal holds."""
    event = msgspec.json.decode(entry.event, type=KINDS[entry.kind])
    assert isinstance(event, RunEnded | TaskQuery | TaskSubmitted)
    return event
