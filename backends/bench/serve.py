"""The process of one contender: takes requests, one JSON line each, and times what they ask for.

    python -m freehold.backends.bench.serve ours:OURS

``["begin", probe, title, nodes]`` sets a rate up, ``["cold"]`` does it once, ``["window", seconds]`` does it for so
long; both answer with the seconds of one call.  ``["whole", probe, title, nodes, count]`` does all at once.  An end
of the requests ends the process, in order.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import IO, Any

import psutil

from freehold.backends.bench.contender import Contender, Timed

LEAD = 5  # before a window, the fifth part of one goes untimed: the contender was stopped
PR_SET_PDEATHSIG = 1
GROWTH_MAX = 10  # of the calls between two looks at the clock


class Meter:
    """How often an operation is done between two looks at the clock: it adapts, so that looking costs nothing."""

    def __init__(self, many: Timed) -> None:
        self.many = many
        self.calls = 1

    def window(self, seconds: float) -> float:
        """Do the operation for at least so many timed seconds; return the seconds of one call."""
        done, spent = 0, 0.0
        while spent < seconds:
            took = self.many(self.calls)
            done, spent = done + self.calls, spent + took
            wanted = seconds / 10 / max(took / self.calls, 1e-9)
            self.calls = max(1, min(int(wanted), self.calls * GROWTH_MAX))
        return spent / done


class Service:
    """Answers requests about one contender."""

    def __init__(self, contender: Contender) -> None:
        self.contender = contender
        self.begun = False
        self.meter: Meter | None = None

    def answer(self, what: str, *arguments: Any) -> Any:
        """Return the answer to a request, None if the contender has no such operation."""
        methods: dict[str, Callable[..., Any]] = {
            "begin": self.begin,
            "cold": self.cold,
            "window": self.window,
            "whole": self.whole,
        }
        return methods[what](*arguments)

    def begin(self, probe: str, title: str, nodes: int) -> bool | None:
        """Set up how the contender does a rate."""
        function = self.contender.rates.get((probe, title))
        if function is None:
            return None
        self.start(nodes)
        self.meter = Meter(function())
        return True

    def start(self, nodes: int) -> None:
        """Start the contender."""
        self.contender.begin(nodes)
        self.begun = True

    def cold(self, calls: int = 1) -> float:
        """Do the operation for the first time."""
        assert self.meter is not None
        return self.meter.many(calls) / calls

    def window(self, seconds: float) -> float:
        """Do the operation for a while; first, unless it takes long, until the contender has come to itself again."""
        assert self.meter is not None
        if self.meter.calls > 1:
            self.meter.window(seconds / LEAD)
        return self.meter.window(seconds)

    def whole(self, probe: str, title: str, nodes: int, count: int) -> dict[str, float] | None:
        """Do all of a whole, with so many objects or tasks."""
        function = self.contender.wholes.get((probe, title))
        if function is None:
            return None
        self.start(nodes)
        return function(count)

    def end(self) -> None:
        """End the contender."""
        self.meter = None
        if self.begun:
            self.contender.end()


def main(place: str, answers: IO[str]) -> None:
    """Answer requests until there are no more."""
    module, _, attribute = place.partition(":")
    service = Service(getattr(import_module(f"freehold.backends.bench.contenders.{module}"), attribute))
    try:
        for line in sys.stdin:
            answers.write(json.dumps({"answer": service.answer(*json.loads(line))}) + "\n")
            answers.flush()
    finally:
        thaw()
        service.end()


def outlive_no_benchmark() -> None:
    """Let this process run on, to its end, when the benchmark is killed while this process is stopped."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGCONT, 0, 0, 0)


def thaw() -> None:
    """Let everything run on that this process has started: it may have been stopped with it."""
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            child.resume()


if __name__ == "__main__":
    outlive_no_benchmark()
    channel = os.fdopen(os.dup(1), "w")  # what libraries print must not come between the answers
    os.dup2(2, 1)
    main(sys.argv[1], channel)
