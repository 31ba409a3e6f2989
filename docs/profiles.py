"""Take a profile of each row of the benchmark, and write it into docs/speed.md.

    python docs/profiles.py                     all rows; about two minutes
    python docs/profiles.py round-trip argument these, and write nothing

A signal comes every millisecond of real time; its handler looks which file of freehold the main thread is in, and
counts for the layer to which the file belongs.  So waiting counts too, and so does what C code does for a line.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

from freehold.backends.bench.contenders.ours import OURS, WORKERS
from freehold.backends.bench.rows import BATCH, ROWS, Row

PAGE = Path(__file__).with_name("speed.md")
BEGIN, END = "<!-- profiles begin -->\n", "<!-- profiles end -->\n"
SECONDS = 2.0  # of a profile, and half of that before it
INTERVAL = 0.001  # seconds
LAYERS = {
    "call": "core/api core/remote core/arguments core/cluster core/callsites core/refs core/session core/waits",
    "values": "core/serde core/tasks core/freshness core/complaints",
    "tables": "core/",  # all other files of the core: the tables, the strides, the ring
    "driver": "backends/local/driver backends/local/worker backends/local/pump backends/local/timers "
    "backends/interrupts backends/local/output",
    "link": "backends/local/channel backends/local/wire",
    "store": "backends/local/arena backends/local/allocator",
    "waiting": "backends/local/spin",
    "rest": "",  # the user's code, and what it calls
}


class Sampler:
    """Counts where the main thread is, each time it is called as a signal handler."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.files: dict[str, str] = {}  # file -> its layer, "" for none of ours

    def __call__(self, number: int, frame: FrameType | None) -> None:
        while frame is not None:
            file = frame.f_code.co_filename
            if file not in self.files:
                _, _, name = file.rpartition("/freehold/")
                ours = name != file and not name.startswith("backends/bench")
                found = [layer for layer, starts in LAYERS.items() if ours and name.startswith(tuple(starts.split()))]
                self.files[file] = found[0] if found else ""
            if layer := self.files[file]:
                self.seen[layer] += 1
                return
            frame = frame.f_back
        self.seen["rest"] += 1


def begin(seconds: float = 0.0) -> int:
    """Begin to count in this process, and stay a while, so that another worker is given the next task."""
    import os

    if not isinstance(signal.getsignal(signal.SIGALRM), Sampler):
        signal.signal(signal.SIGALRM, Sampler())
        signal.setitimer(signal.ITIMER_REAL, INTERVAL, INTERVAL)
    time.sleep(seconds)
    return os.getpid()


def end(seconds: float = 0.0) -> tuple[int, dict[str, int]]:
    """Return what was counted in this process."""
    import os

    signal.setitimer(signal.ITIMER_REAL, 0)
    sampler: Any = signal.getsignal(signal.SIGALRM)
    time.sleep(seconds)
    return os.getpid(), dict(sampler.seen)


def in_all_workers(function: Any) -> list[Any]:
    """Return what a function of this file returns in each worker."""
    import freehold

    task, found = freehold.remote(function), dict[Any, Any]()
    while len(found) < WORKERS:
        for answer in freehold.get([task.remote(0.05) for _ in range(WORKERS)]):
            found.setdefault(answer if isinstance(answer, int) else answer[0], answer)
    return list(found.values())


def profile(row: Row) -> dict[str, Any]:
    """Return the seconds of one operation, and what was counted in the program and in its workers."""
    OURS.begin(row.nodes)
    many = OURS.rates[row.function, ""]()
    calls, took = 1, 0.0
    start = time.perf_counter()
    while time.perf_counter() - start < SECONDS / 2:
        took = many(calls)
        if took < SECONDS / 20:
            calls *= 2
    calls = max(1, int(calls * SECONDS / took))
    workers = bool(row.nodes) and row.function not in ("put-small", "get-small", "put-warm", "get-large")
    if workers:
        in_all_workers(begin)
    begin()
    seconds = many(calls)
    _, mine = end()
    theirs: Counter[str] = Counter()
    for _, seen in in_all_workers(end) if workers else ():
        theirs.update(seen)
    OURS.end()
    return {"seconds": seconds / calls, "program": mine, "workers": dict(theirs)}


def line(row: Row, who: str, seconds: float, seen: dict[str, int], share: int) -> str:
    """Return one line of the table: microseconds of one operation, by layer."""
    total = sum(seen.values()) / share
    figures = [seen.get(layer, 0) / total * seconds * 1e6 for layer in LAYERS]
    return f"| {row.title} | {who} | {seconds * 1e6:,.3g} | " + " | ".join(f"{figure:.3g}" for figure in figures) + " |"


def lines(rows: list[Row]) -> list[str]:
    """Return the table, each row measured in a process of its own."""
    found = [
        "| one operation, in us | where | all | " + " | ".join(LAYERS) + " |",
        "|---|---|" + "---|" * (len(LAYERS) + 1),
    ]
    for row in rows:
        command = [sys.executable, __file__, "--measure", row.name]
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode:
            raise SystemExit(f"{row.name}: {run.stderr}")
        said = json.loads(run.stdout.splitlines()[-1])
        each = BATCH if row.amount == BATCH or row.name == "wait-one-by-one" else 1
        seconds = said["seconds"] / each
        found.append(line(row, "program", seconds, said["program"], 1))
        if said["workers"]:
            found.append(line(row, "both workers", seconds, said["workers"], WORKERS))
        print(*found[2:][-1 - bool(said["workers"]) :], sep="\n", flush=True)
    return found


def main(names: list[str]) -> None:
    """Measure, and write the table unless only some rows are wanted."""
    if names[:1] == ["--measure"]:
        (row,) = [row for row in ROWS if row.name == names[1]]
        print(json.dumps(profile(row)))
        return
    known = [row for row in ROWS if row.kind == "rate" and row.nodes and not row.hogs and not row.variants]
    found = lines([row for row in known if not names or row.name in names])
    if not names:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        _, _, after = rest.partition(END)
        PAGE.write_text(before + BEGIN + "\n".join(found) + "\n" + END + after)


if __name__ == "__main__":
    main(sys.argv[1:])
