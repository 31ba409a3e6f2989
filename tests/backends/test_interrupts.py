"""Ctrl-C wherever it may come in a program, one place after the other."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import numpy as np
import pytest

import freehold
from freehold.backends.interrupts import Interrupts
from freehold.core import cluster
from freehold.specs.leftovers import settled


@freehold.remote
def total(array: Any) -> int:
    return int(array.sum())


@freehold.remote
def twice(refs: list[Any]) -> int:
    return sum(freehold.get(refs)) * 2


def program() -> None:
    """Put, pass on, compute, wait, drop; with values that are promoted and copied to another node."""
    large = freehold.put(np.ones(20_000))
    sums = [total.remote(large), total.options(node=1).remote(large)]
    result = twice.remote(sums)
    freehold.wait([result], timeout=5)
    assert freehold.get(result, timeout=5) == 80_000
    view = freehold.get(large)
    assert view[0] == 1


@pytest.fixture(params=["inline", pytest.param("local", marks=[pytest.mark.local, pytest.mark.slow])])
def usable(request: pytest.FixtureRequest, unseen: None) -> Iterator[Callable[[], None]]:
    """Start a cluster; return a function that sees that it works, and that it has forgotten everything else."""
    with freehold.init(backend=request.param, num_nodes=2, num_cpus=1):
        program()
        gc.freeze()  # a look for what is left collects garbage first

        def check() -> None:
            program()
            assert settled(cluster.engine())[0] == []

        yield check
        gc.unfreeze()


class Press:
    """A profiler that presses Ctrl-C at the given call of a function of Python, as if it had no frame itself."""

    def __init__(self, place: int) -> None:
        self.left = place

    def __call__(self, frame: Any, event: str, _: object) -> None:
        if event == "call":
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(autouse=True)
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt = Interrupts.interrupt
    press = Press.__call__.__code__

    def from_beneath(self: Interrupts, number: int, frame: FrameType) -> bool:
        return interrupt(self, number, frame.f_back if frame.f_code is press else frame)

    monkeypatch.setattr(Interrupts, "interrupt", from_beneath)


def interrupted(place: int) -> bool:
    """Run the program with Ctrl-C at one place; tell whether it got that far."""
    press = Press(place)
    try:
        sys.setprofile(press)
        try:
            program()
        finally:
            sys.setprofile(None)
        deadline = time.monotonic() + 10
        while press.left <= 0 and time.monotonic() < deadline:
            time.sleep(0.0001)
    except KeyboardInterrupt:
        return True
    assert press.left > 0, "it never came"
    return False


@pytest.mark.parametrize("stride", [97, pytest.param(1, marks=[pytest.mark.soak, pytest.mark.timeout(900)])])
def test_ctrl_c_anywhere_loses_nothing(usable, stride: int) -> None:
    """At every so many-th call of a function: it is raised, once, and what was under way ends or is forgotten."""
    usable()
    place = 1
    while interrupted(place):
        usable()
        place += stride
    assert place > 500
