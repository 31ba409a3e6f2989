"""What tasks do, the same for every contender; workers import it by name."""

from __future__ import annotations

import os
import time
from typing import Any


def same(value: Any) -> Any:
    """Return the value."""
    return value


def first(array: Any) -> float:
    """Read one element of an array, and return it."""
    return float(array[0])


def full(nbytes: int) -> Any:
    """Return a fresh array of so many bytes."""
    import numpy

    return numpy.full(nbytes // 8, 1.0)


def touched(array: Any) -> float:
    """Read every page of an array of floats once."""
    return float(array[::512].sum())


def block(folder: str) -> None:
    """Say in a folder that this task runs, and run until a file named "open" is there."""
    name = f"blocker-{os.getpid()}-{time.monotonic_ns()}"
    with open(os.path.join(folder, name), "x"):
        pass
    while not os.path.exists(os.path.join(folder, "open")):
        time.sleep(0.001)
