"""What is measured, in which unit, and what freehold must reach: one line of data for each row of the table.

The targets were set before the code, on one machine: 2 cores of a virtual AMD EPYC, Python 3.11.  ``seen`` says what
they were set against: raw limits, throw-away sketches and peers, as measured there.  A run measures the limits and
the peers again, on the machine at hand, and those are what a reader should compare with.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Unit = Literal["/s", "GiB/s", "us", "ms", "s", "B"]
LARGE = 100_000_000  # bytes of a large array
MIDDLE = 10_000_000
SMALL = 1_000_000
MANY = 1_000_000  # objects, or tasks
BATCH = 1_000  # tasks in flight, or waited for
REFS = 10_000  # in one object
SCALE = {"us": 1e6, "ms": 1e3, "s": 1.0}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table."""

    name: str
    title: str
    unit: Unit
    target: float | None = None  # in the unit; None: the row only informs
    target_part: tuple[str, float] | None = None  # of a raw limit of the same run: its name, and the part
    seen: str = ""  # what the target was set against
    probe: str = ""  # the function that contenders register; "": as the row's name
    kind: Literal["rate", "fresh", "whole"] = "rate"  # fresh: each window in a new process; whole: so, and many rows
    amount: float = 1  # operations, or bytes, of one call
    calls: int = 1  # fresh: in one window
    count: int = 0  # whole: objects or tasks
    nodes: int = 1  # of the cluster; 0 for none
    hogs: int = 0  # processes in an endless loop beside it
    variants: bool = False  # compares freehold with itself under other switches, and with nobody else

    @property
    def function(self) -> str:
        """The probe's name."""
        return self.probe or self.name

    @property
    def higher_is_better(self) -> bool:
        """Whether the figure is a rate."""
        return self.unit in ("/s", "GiB/s")

    def figure(self, seconds: float) -> float:
        """Return what one call of so many seconds is in the row's unit."""
        if self.unit == "/s":
            return self.amount / seconds
        if self.unit == "GiB/s":
            return self.amount / seconds / 2**30
        return seconds / self.amount * SCALE[self.unit]

    def times_better(self, figure: float, other: float) -> float:
        """Return how many times better a figure is than another; below 1 it is worse."""
        return figure / other if self.higher_is_better else other / figure


ROWS: tuple[Row, ...] = (
    Row(
        name="step-changing", title="one table step, changing", unit="us", target=1.0, nodes=0, seen="a sketch: 0.5 us"
    ),
    Row(name="step-unchanging", title="one table step, unchanging", unit="us", target=0.5, nodes=0),
    Row(name="import", title="import", unit="s", target=0.1, probe="life", kind="whole", nodes=0),
    Row(
        name="init",
        title="init, 1 node, 2 workers",
        unit="s",
        target=0.3,
        seen="fork 0.03 s, Ray 2.5-3.5 s, loky 0.2 s",
        probe="life",
        kind="whole",
        nodes=0,
    ),
    Row(
        name="first-result",
        title="a new process until it has a task's result",
        unit="s",
        probe="life",
        kind="whole",
        nodes=0,
    ),
    Row(name="shutdown", title="shutdown", unit="s", target=0.1, probe="life", kind="whole", nodes=0),
    Row(
        name="shutdown-busy",
        title="shutdown while a task runs",
        unit="s",
        target=0.1,
        probe="life-busy",
        kind="whole",
        nodes=0,
    ),
    Row(
        name="put-small",
        title="put small, and drop",
        unit="/s",
        target=200_000,
        seen="a sketch: 315,000/s, Ray 1,900/s",
    ),
    Row(
        name="get-small",
        title="get small, in-process",
        unit="/s",
        target=600_000,
        seen="a sketch without unpickling: 2.9 M/s, Ray 7,900/s",
    ),
    Row(
        name="object-memory",
        title="memory per live small object at its owner",
        unit="B",
        target=800,
        seen="Ray 3,000 B",
        kind="whole",
        count=MANY,
    ),
    Row(
        name="put-warm",
        title="put 100 MB, warm arena",
        unit="GiB/s",
        target=9.3,
        target_part=("memcpy", 0.8),
        seen="0.8 x memcpy of 11.6 GiB/s, Ray 2.2 GiB/s",
        amount=LARGE,
    ),
    Row(
        name="put-first-touch",
        title="put 100 MB, first touch",
        unit="GiB/s",
        target=2.2,
        seen="reserve + copy 3.1, fresh shared_memory 1.1 GiB/s",
        kind="fresh",
        amount=LARGE,
        calls=4,
    ),
    Row(
        name="get-large",
        title="get 100 MB, same node, hold granted",
        unit="us",
        target=20,
        seen="a sketch: 4 us, Ray 140 us",
    ),
    Row(
        name="round-trip",
        title="task round trip, one at a time",
        unit="/s",
        target=25_000,
        seen="socket echo blocking 18-29k/s, spinning 126-165k/s; a sketch: 45k/s; "
        "Pool 8,700/s, ProcessPool 8,000/s, Ray 520/s, Dask 90/s",
    ),
    Row(
        name="round-trip-hogs",
        title="the same beside two CPU hogs",
        unit="/s",
        target=12_000,
        seen="a sketch: 31k/s",
        probe="round-trip",
        hogs=2,
    ),
    Row(
        name="in-flight",
        title="tasks, 1,000 in flight",
        unit="/s",
        target=80_000,
        seen="a sketch: 165k/s; Pool 28,000/s, ProcessPool 11,400/s, loky 5,500/s, Ray 1,600/s, Dask 470/s",
        amount=BATCH,
    ),
    Row(
        name="queued-memory",
        title="1,000,000 tasks queued: memory of each",
        unit="B",
        target=1_500,
        probe="queued",
        kind="whole",
        count=MANY,
    ),
    Row(
        name="queued-drain",
        title="1,000,000 tasks queued: drained",
        unit="/s",
        target=50_000,
        seen="Ray 5,400/s on 64 cores",
        probe="queued",
        kind="whole",
        count=MANY,
    ),
    Row(
        name="argument",
        title="task with a 10 MB reference as argument",
        unit="/s",
        target=12_000,
        seen="Ray 340/s, Dask 84/s, loky 44/s",
    ),
    Row(
        name="return",
        title="task that returns 10 MB",
        unit="GiB/s",
        target=4.0,
        seen="Ray 1.3, Dask 0.6, loky 0.2 GiB/s",
        amount=MIDDLE,
    ),
    Row(
        name="wait-one-by-one",
        title="1,000 tasks submitted and waited for one by one",
        unit="/s",
        target=25,
        seen="submit 12 ms + waits 9 ms, Ray 1.6/s",
    ),
    Row(
        name="borrowed-refs",
        title="get one object that holds 10,000 references",
        unit="/s",
        target=20,
        seen="unpickle + records 11 ms, Ray 10.8/s",
    ),
    Row(
        name="nodes-large",
        title="100 MB between two local nodes",
        unit="GiB/s",
        target=2.5,
        seen="loopback TCP 2.7, Unix 4.2, Ray 0.76 GiB/s",
        amount=LARGE,
        nodes=2,
    ),
    Row(
        name="nodes-small",
        title="1 MB between two local nodes",
        unit="ms",
        target=0.6,
        seen="sockets only 0.18 ms, Ray 6.7 ms",
        nodes=2,
    ),
    Row(name="defaults-put-small", title="put small, and drop", unit="/s", probe="put-small", variants=True),
    Row(name="defaults-round-trip", title="task round trip", unit="/s", probe="round-trip", variants=True),
    Row(
        name="defaults-in-flight",
        title="tasks, 1,000 in flight",
        unit="/s",
        probe="in-flight",
        amount=BATCH,
        variants=True,
    ),
)
