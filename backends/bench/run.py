"""A run: rows one after the other; in each, one window of every contender, and again, so that all see the same weather.

Whoever is not being measured stays warm but is stopped: Ray and Dask cost the machine a good part even when they wait.

Decides in which order things are measured, and what becomes of a contender that cannot.  How an operation is done
and timed is left to the contenders and to ``serve.py``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import msgspec

from freehold.backends.bench.contenders import LIMITS, OURS, VARIANTS, Entry
from freehold.backends.bench.machine import facts, load
from freehold.backends.bench.peers import Peers
from freehold.backends.bench.problems import BenchError
from freehold.backends.bench.rows import ROWS, Row
from freehold.backends.bench.spread import Figures
from freehold.backends.bench.subject import Failed, Subject, become_reaper, end_orphans, start_hogs, stop_hogs

NO_OPERATION = "-"


class Settings(msgspec.Struct, frozen=True):
    """How a run is made."""

    rounds: int = 5
    seconds: float = 0.5  # of a window
    whole_rounds: int = 3  # of what takes long, at most
    part: float = 1.0  # of the objects and tasks of a whole


QUICK = Settings(rounds=2, seconds=0.05, whole_rounds=1, part=0.01)


class Report(msgspec.Struct):
    """What a run has found."""

    facts: dict[str, str]
    settings: Settings
    titles: list[str]  # of the contenders, freehold first; without limits and variants
    rows: dict[str, dict[str, Figures]]  # row -> contender, or limit, or variant
    remarks: list[str] = []


class Lane(msgspec.Struct):
    """One contender in one row."""

    title: str
    entry: Entry
    python: str
    limit: str = ""  # which of a row's limits it is


Tell = Callable[[str], object]


def chosen_rows(only: Sequence[str]) -> list[Row]:
    """Return the rows with these names, all if there are none.

    Raises:
        BenchError: a name is unknown.
    """
    names = [row.name for row in ROWS]
    for name in only:
        if name not in names:
            raise BenchError(f"there is no row {name!r}; there are {', '.join(names)}")
    return [row for row in ROWS if not only or row.name in only]


def run(rows: Sequence[Row], peers: Peers, settings: Settings, tell: Tell) -> Report:
    """Measure rows, one after the other.

    Args:
        rows: what to measure.
        peers: whom to measure beside freehold.
        settings: how often and how long.
        tell: told what is done now, once for each row and round.
    """
    become_reaper()
    titles = [OURS.title, *(entry.title for entry, _ in peers.entries)]
    report = Report(facts(peers), settings, titles, {row.name: {} for row in rows})
    try:
        for group in groups(rows):
            tell(group[0].title)
            measured = Measuring(group, lanes_of(group[0], peers), settings, report)
            with ExitStack() as stack:
                stack.callback(measured.end)
                hogs = start_hogs(group[0].hogs)
                stack.callback(stop_hogs, hogs)
                measured.known = [hog.pid for hog in hogs]
                measured.measure(tell)
    finally:
        end_orphans(())  # a signal may come while a process is being started
    report.facts["load after"] = load()
    return report


def groups(rows: Sequence[Row]) -> list[list[Row]]:
    """Return the rows, those that come out of one measurement together."""
    found: dict[tuple[str, int, bool], list[Row]] = {}
    for row in rows:
        found.setdefault((row.function, row.hogs, row.variants), []).append(row)
    return list(found.values())


def lanes_of(row: Row, peers: Peers) -> list[Lane]:
    """Return who takes part in a row."""
    ours = Lane(OURS.title, OURS, sys.executable)
    if row.variants:
        return [ours, *(Lane(entry.title, entry, sys.executable) for entry in VARIANTS)]
    from freehold.backends.bench.contenders.limits import LIMITS as limits

    named = [title for probe, title in [*limits.rates, *limits.wholes] if probe == row.function]
    beside = [Lane(entry.title, entry, python) for entry, python in peers.entries]
    return [ours, *(Lane(f"limit: {title}", LIMITS, sys.executable, title) for title in named), *beside]


class Measuring:
    """The measurement of rows that come out of one probe.

    Args:
        rows: they share a probe.
        lanes: who takes part.
        settings: how often and how long.
        report: to what the figures are added.
    """

    def __init__(self, rows: Sequence[Row], lanes: Sequence[Lane], settings: Settings, report: Report) -> None:
        self.rows = rows
        self.row = rows[0]
        self.lanes = list(lanes)
        self.settings = settings
        self.report = report
        self.subjects: dict[str, Subject] = {}
        self.known: list[int] = []  # processes beside the subjects that are needed

    def measure(self, tell: Tell) -> None:
        """Measure all rounds."""
        if self.row.kind == "rate":
            for lane in list(self.lanes):
                self.attempt(lane, self.begin)
            rounds, window = self.settings.rounds, self.window
        elif self.row.kind == "fresh":
            rounds, window = self.settings.rounds, self.fresh
        else:
            rounds, window = min(self.settings.rounds, self.settings.whole_rounds), self.whole
        for number in range(rounds):
            tell(f"{self.row.title}, round {number + 1} of {rounds}")
            for lane in list(self.lanes):
                self.attempt(lane, window)

    def attempt(self, lane: Lane, action: Callable[[Lane], str]) -> None:
        """Do something with a contender; one that cannot takes no further part in the row."""
        try:
            missing = action(lane)
        except Failed as failure:
            missing = str(failure)
            if lane.title in self.subjects:
                self.subjects[lane.title].kill()
        if missing:
            self.lanes.remove(lane)
            self.dismiss(lane)
            for row in self.rows:
                self.figures(row, lane).missing = missing

    def figures(self, row: Row, lane: Lane) -> Figures:
        """Return the figures of a contender in a row."""
        return self.report.rows[row.name].setdefault(lane.title, Figures())

    def subject(self, lane: Lane) -> Subject:
        """Return the contender's process, a new one if there is none."""
        if lane.title not in self.subjects:
            self.subjects[lane.title] = Subject(lane.entry, lane.python)
        return self.subjects[lane.title]

    def dismiss(self, lane: Lane) -> None:
        """End the contender's process, and what it left behind."""
        subject = self.subjects.pop(lane.title, None)
        if subject is not None:
            subject.end()
            self.end_orphans(lane.title)

    def end_orphans(self, title: str) -> None:
        """End what a contender left behind, and say so if it did not go by itself."""
        known = [*self.known, *(subject.process.pid for subject in self.subjects.values())]
        for name in end_orphans(known):
            self.report.remarks.append(f"{title} left the process {name} behind, which was killed")

    def end(self) -> None:
        """End all processes."""
        with ExitStack() as stack:
            for lane in self.lanes:
                stack.callback(self.dismiss, lane)

    # ------------------------------------------------------------------ the kinds of rows

    def begin(self, lane: Lane) -> str:
        """Start a contender, do the operation for the first time, and warm up."""
        subject = self.subject(lane)
        if not subject.ask("begin", self.row.function, lane.limit, self.row.nodes):
            return NO_OPERATION
        self.figures(self.row, lane).cold = self.row.figure(subject.ask("cold"))
        subject.ask("window", self.settings.seconds)
        subject.freeze()
        return ""

    def window(self, lane: Lane) -> str:
        """Measure one window of a contender that is warm, while the others are frozen."""
        subject = self.subject(lane)
        subject.thaw()
        seconds = subject.ask("window", self.settings.seconds)
        subject.freeze()
        self.figures(self.row, lane).windows.append(self.row.figure(seconds))
        return ""

    def fresh(self, lane: Lane) -> str:
        """Measure a few operations in a new process."""
        subject = self.subject(lane)
        if not subject.ask("begin", self.row.function, lane.limit, self.row.nodes):
            return NO_OPERATION
        seconds = subject.ask("cold", self.row.calls)
        self.figures(self.row, lane).windows.append(self.row.figure(seconds))
        self.dismiss(lane)
        return ""

    def whole(self, lane: Lane) -> str:
        """Let a new process do all of it, and take the figures of all rows."""
        count = max(1, int(self.row.count * self.settings.part / lane.entry.part))
        found: Any = self.subject(lane).ask("whole", self.row.function, lane.limit, self.row.nodes, count)
        self.dismiss(lane)
        if found is None:
            return NO_OPERATION
        for row in self.rows:
            figures = self.figures(row, lane)
            if row.name in found:
                figures.windows.append(found[row.name])
            else:
                figures.missing = NO_OPERATION
        return ""
