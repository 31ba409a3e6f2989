"""How long tasks are to last: as somebody has declared, or as long as the tasks of a run that was recorded did.

    [tasks]
    recorded = "traces/run-0001"

    [tasks.seconds]
    work = "20 ms"

Refuses to know how a simulated task comes to last so long.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import msgspec

from freehold.core.journal import KINDS, Entry, read
from freehold.core.messages import TaskQuery
from freehold.core.task_events import RunEnded, TaskSubmitted
from freehold.simulator.world.units import Seconds

WANTED = {kind.__name__ for kind in (RunEnded, TaskQuery, TaskSubmitted)}  # ends of tasks, and what tells their names


class Tasks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long tasks are to last; of a function that is found in neither, as long as they sleep and wait."""

    seconds: dict[str, Seconds] = {}  # by the names of functions; they go before what was recorded
    recorded: str = ""  # the folder of a run, as init(trace=) makes one; "" for none


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
