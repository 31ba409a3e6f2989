"""Run the points of a study on all cores; what is finished is kept, and an interrupted study goes on where it was.

A folder has ``rows.csv``, to which a point's rows are added at once when it is finished, and ``manifest.json``, which
says what they are rows of.  At the end the rows are sorted, so that they do not depend on who was first.

Refuses to know what is measured.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import multiprocessing
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from freehold.simulator.studies.study import Point, Row, Rows, Study

Job = tuple[Point, int]
RUNNING: list[Study] = []  # of this process, if it is one that runs points


class ProcessLost(Exception):
    """A process that ran points died before its time."""


class Folder:
    """Where a study's rows are kept.

    Args:
        path: of the folder; it is made.
        study: whose.
    """

    def __init__(self, path: Path, study: Study) -> None:
        self.path, self.study = path, study
        self.rows_at, self.manifest_at = path / "rows.csv", path / "manifest.json"

    def manifest(self) -> dict[str, Any]:
        """Return what the rows depend on."""
        return {
            "study": self.study.name,
            "axes": {name: list(values) for name, values in self.study.axes.items()},
            "seeds": self.study.seeds,
            "freehold": version("freehold"),
            "source": source(),
            "python": ".".join(map(str, sys.version_info[:2])),
        }

    def open(self) -> list[Row]:
        """Return the rows of points that are finished; more seeds than before only add to them.

        Raises:
            ValueError: the folder has rows of something else, or does not say of what.
            OSError: it cannot be made, or nothing can be written there.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        if self.manifest_at.exists():
            before = self.before()
            for name, value in self.manifest().items():
                if before.get(name) != value and not (name == "seeds" and before.get(name, 0) < value):
                    what = f"{name} was {before.get(name)!r}, and is {value!r}"
                    raise ValueError(
                        f"{self.manifest_at}: the rows there are of something else: {what}; choose another folder"
                    )
        put(self.manifest_at, json.dumps(self.manifest(), indent=2) + "\n")
        rows = self.finished(list(self.read()))
        self.write(rows)
        return rows

    def before(self) -> dict[str, Any]:
        """Return what the rows that are there depend on.

        Raises:
            ValueError: that cannot be read.
        """
        try:
            found = json.loads(self.manifest_at.read_text("utf-8"))
            if not isinstance(found, dict):
                raise ValueError(f"it is no table, but {found!r}")
        except ValueError as error:
            what = f"this does not say of what the rows there are: {error}"
            raise ValueError(f"{self.manifest_at}: {what}; remove it with them, or choose another folder") from None
        return found

    def read(self) -> Iterator[Row]:
        """Yield all rows; the last may have been cut off, and is left out then."""
        if not self.rows_at.exists():
            return
        text = self.rows_at.read_text("utf-8")
        whole = text[: text.rfind("\n") + 1]
        for row in csv.DictReader(io.StringIO(whole)):
            yield {name: parsed(value) for name, value in row.items()}

    def finished(self, rows: list[Row]) -> list[Row]:
        """Return the rows of points that have all of theirs, sorted like the points."""
        order = {self.key(point, seed): index for index, (point, seed) in enumerate(self.study.points())}
        there = Counter(self.key(row, row["seed"]) for row in rows)
        kept = [row for row in rows if there[self.key(row, row["seed"])] == row["of"]]
        return sorted(kept, key=lambda row: (order.get(self.key(row, row["seed"]), 0), row["row"]))

    def key(self, point: Point, seed: int) -> tuple[str, ...]:
        """Return what names a point with a seed."""
        return (*[str(point[name]) for name in self.study.axes], str(seed))

    def write(self, rows: list[Row]) -> None:
        """Write rows in place of all that were there."""
        put(self.rows_at, as_csv(rows, header=True) if rows else "")

    def add(self, rows: list[Row]) -> list[Row]:
        """Add the rows of one point, at once; return them."""
        header = not self.rows_at.stat().st_size
        with open(self.rows_at, "a", encoding="utf-8") as file:
            file.write(as_csv(rows, header=header))
        return rows


def put(path: Path, text: str) -> None:
    """Write a file in place of what was there; who reads meanwhile, or after a crash, reads the old or the new one."""
    beside = path.with_suffix(".new")
    beside.write_text(text, "utf-8")
    os.replace(beside, path)


def source() -> str:
    """Return a hash of all code that has a part in what is measured, with the constants in it."""
    here, found = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted([*here.rglob("*.py"), *here.rglob("*.toml"), *(here.parent / "core").glob("*.py")]):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def as_csv(rows: list[Row], *, header: bool) -> str:
    """Return rows as lines of CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def parsed(value: str) -> Any:
    """Return a number, if a text is one."""
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def run_study(
    study: Study, path: Path, processes: int = 0, told: Callable[[int, int], Any] = lambda done, all: None
) -> Rows:
    """Run what is not finished of a study; return all rows.

    Args:
        study: which.
        path: the folder of its rows.
        processes: that run points at a time; 0: as many as there are processors.
        told: called with how many points are finished, and how many there are.

    Raises:
        ValueError: the folder has rows of something else.
        OSError: it cannot be made, or nothing can be written there.
        ProcessLost: one of the processes died; what was finished by then is kept.
    """
    folder = Folder(path, study)
    rows = folder.open()
    done = {folder.key(row, row["seed"]) for row in rows}
    jobs = [job for job in study.points() if folder.key(*job) not in done]
    every = len(study.points())
    told(every - len(jobs), every)
    finished = SimpleQueue[Future[list[Row]]]()
    try:
        with running(study, min(at_a_time(processes), max(1, len(jobs)))) as pool:
            for job in jobs:
                pool.submit(run_job, job).add_done_callback(finished.put)
            for count in range(every - len(jobs) + 1, every + 1):
                rows += folder.add(finished.get().result())
                told(count, every)
    except BrokenProcessPool:
        while not finished.empty():
            ended = finished.get()
            if not ended.cancelled() and not ended.exception():
                folder.add(ended.result())
        what = "a process that ran points was killed, as Linux does when memory is short"
        again = "say it again to go on, with fewer --processes"
        raise ProcessLost(f"{what}; {folder.rows_at} has what is finished: {again}") from None
    rows = folder.finished(rows)
    folder.write(rows)
    return Rows(rows)


def at_a_time(processes: int) -> int:
    """Return how many processes run points if so many are asked for; 0: as many as there are processors."""
    return processes or len(os.sched_getaffinity(0))


@contextmanager
def running(study: Study, processes: int) -> Iterator[ProcessPoolExecutor]:
    """Yield processes that run points; whatever goes wrong meanwhile ends them all."""
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("fork"), begin, (study,))
    try:
        yield pool
    except BaseException:
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def begin(study: Study) -> None:
    """Keep what a process has inherited, and cannot be sent; who has started it ends it, on Ctrl-C too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    RUNNING.append(study)


def run_job(job: Job) -> list[Row]:
    """Run one point with one seed."""
    point, seed = job
    found = RUNNING[-1].run(point, seed)
    return [{**point, "seed": seed, "row": index, "of": len(found), **row} for index, row in enumerate(found)]


def digest(rows: Rows) -> str:
    """Return a hash of all rows: the same for the same study, however it was run."""
    return hashlib.sha256(as_csv(rows.rows, header=True).encode()).hexdigest() if len(rows) else ""
