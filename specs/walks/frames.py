"""What the Python side of a worker remembers, in the model of user code: its variables, and the calls that run.

Refuses to know what user code does with them.
"""

from __future__ import annotations

from collections import Counter

from freehold.core.effects import Run
from freehold.core.events import Event

REQUESTS = 1 << 35  # requests are numbered apart from what a party mints: both name timers
SMALL, LARGE = 10, 100  # bytes; the policy's limit must lie between


class Frame:
    """A call of user code: a program, or a task that runs."""

    def __init__(self, worker: int, run: Run | None = None) -> None:
        self.worker = worker
        self.run = run
        self.handles: list[int] = []  # its local variables
        self.request = 0  # the call that it waits for
        self.reading: tuple[int, ...] = ()  # what it reads once that returns
        self.asking: tuple[int, ...] = ()  # of what it is told by then whether it is there
        self.interrupted = False
        self.ready = False  # its call may return, as soon as nothing runs on top of it

    @property
    def task(self) -> int:
        """The task that runs, 0 for a program."""
        return self.run.task if self.run else 0


class Process:
    """The Python side of one worker."""

    def __init__(self, me: int) -> None:
        self.me = me
        self.names = 0
        self.requests = REQUESTS
        self.handles: Counter[int] = Counter()  # object -> variables here that refer to it
        self.told: set[int] = set()  # objects of which the core believes that user code here holds a reference
        self.dropped: list[int] = []  # objects whose last handle has died since the last look
        self.functions: set[int] = set()  # functions that are cached, each with a handle
        self.kept: list[int] = []  # global variables
        self.frames: list[Frame] = []
        self.views: list[tuple[int, int]] = []  # (object, place)
        self.futures: dict[int, int] = {}  # request -> object; its closure has a handle
        self.read: dict[int, int | str] = {}  # object with a handle -> the value's token or the cause that was read
        self.ready: set[int] = set()  # objects with a handle that a wait has found

    def reads(self, object: int, outcome: int | str) -> int | str | None:
        """Remember what is read; return what was read before, if that was something else.

        A store that is full says nothing of a value that was there: it may be read again.
        """
        before = self.read.get(object, outcome)
        if not self.handles[object] or (outcome == "full" and type(before) is int):
            return None
        self.read[object] = outcome
        return before if before != outcome else None

    def has_dropped(self, object: int) -> None:
        """Forget of an object whose last handle has died what its core knows, or could say otherwise next time."""
        self.told.discard(object)
        self.read.pop(object, None)
        self.ready.discard(object)


class Resumed(Event, frozen=True, gc=False):
    """A thread that waited goes on."""

    request: int
    failed: bool


class Begun(Event, frozen=True, gc=False):
    """A task's thread begins."""

    run: Run


class Interrupted(Event, frozen=True, gc=False):
    """A thread that waits is interrupted."""

    task: int
