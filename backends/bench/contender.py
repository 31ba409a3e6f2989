"""A contender: who is measured, and the functions by which it does the rows.

A function for a *rate* sets things up and returns a ``Timed``: it does the operation n times and returns the seconds
that they took.  How often, and what becomes of the seconds, is decided in ``serve.py``, the same for all.  A function
for a *whole* takes a count and returns figures by the names of rows.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Timed = Callable[[int], float]
Whole = Callable[[int], dict[str, float]]
PAGE = os.sysconf("SC_PAGESIZE")
LIFE_SECONDS_MAX = 60
BLOCKERS = 2  # one for each worker


class Contender:
    """Who is measured.

    Args:
        name: as the command line names it.
        begin: start a cluster of so many nodes, with two workers together.
        end: end it.
    """

    def __init__(self, name: str, begin: Callable[[int], object], end: Callable[[], object]) -> None:
        self.name = name
        self.begin = begin
        self.end = end
        self.rates: dict[tuple[str, str], Callable[[], Timed]] = {}  # (probe, title) -> how
        self.wholes: dict[tuple[str, str], Whole] = {}

    def rate(self, probe: str, title: str = "") -> Callable[[Callable[[], Timed]], Callable[[], Timed]]:
        """Register how a rate is done; ``title`` tells limits of one row apart."""

        def register(function: Callable[[], Timed]) -> Callable[[], Timed]:
            self.rates[probe, title] = function
            return function

        return register

    def whole(self, probe: str, title: str = "") -> Callable[[Whole], Whole]:
        """Register how a whole is done."""

        def register(function: Whole) -> Whole:
            self.wholes[probe, title] = function
            return function

        return register


def nothing(*_: object) -> None:
    """Begin or end nothing."""


def timed(many: Callable[[int], object]) -> Timed:
    """Return the function with the seconds that it takes."""

    def measured(n: int) -> float:
        start = time.perf_counter()
        many(n)
        return time.perf_counter() - start

    return measured


def repeated(operation: Callable[[], object]) -> Timed:
    """Return a loop around an operation that takes so long that the call costs nothing beside it."""

    def many(n: int) -> None:
        for _ in range(n):
            operation()

    return timed(many)


def resident() -> int:
    """Return the bytes of memory that this process has in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def lives(contender: Contender, module: str) -> None:
    """Register the rows about the whole life of a process that uses a module; each window is a new process."""

    def life(*options: str) -> dict[str, float]:
        command = [sys.executable, "-P", str(Path(__file__).with_name("life.py")), module, *options]
        answer = subprocess.run(command, capture_output=True, timeout=LIFE_SECONDS_MAX)
        if answer.returncode:
            raise RuntimeError(f"{module}: {answer.stderr.decode(errors='replace').strip().splitlines()[-1]}")
        figures: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
        return figures

    contender.whole("life")(lambda _: life())
    contender.whole("life-busy")(lambda _: {"shutdown-busy": life("busy")["shutdown"]})


def slope(count: int, make: Callable[[], Any]) -> float:
    """Return the bytes that each of ``count`` objects takes; a tenth as many, made before, use up old room."""
    early = [make() for _ in range(count // 10)]
    late = [None] * count
    before = resident()
    for place in range(count):
        late[place] = make()
    grown = resident() - before
    del early
    return grown / count


def queue_behind_blockers(
    count: int, block: Callable[[str], Any], submit: Callable[[], Any], finish: Callable[[Sequence[Any]], object]
) -> dict[str, float]:
    """Queue tasks while all workers are blocked, then let them go; return bytes of each, and tasks a second."""
    with tempfile.TemporaryDirectory() as folder:
        blockers = [block(folder) for _ in range(BLOCKERS)]
        while len(os.listdir(folder)) < BLOCKERS:
            time.sleep(0.001)
        queue: list[Any] = [None] * count
        before = resident()
        for place in range(count):
            queue[place] = submit()
        grown = resident() - before
        start = time.perf_counter()
        Path(folder, "open").touch()
        finish(queue)
        seconds = time.perf_counter() - start
        finish(blockers)
    return {"queued-memory": grown / count, "queued-drain": count / seconds}
