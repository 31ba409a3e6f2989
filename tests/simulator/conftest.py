"""A simulated cluster for one test; afterwards Python must be as it was before."""

from __future__ import annotations

import gc
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from greenlet import getcurrent, greenlet

import freehold
from freehold.core import cluster
from freehold.simulator.cluster import Simulated

Start = Callable[..., Simulated]


@pytest.fixture
def sim() -> Iterator[Start]:
    """Return the function that starts a simulated cluster, and returns its world."""
    before = traces()

    def start(**arguments: Any) -> Simulated:
        freehold.init(backend="sim", **{"num_nodes": 2, **arguments})
        assert cluster.active is not None
        world = cluster.active.host.world  # type: ignore[attr-defined]
        assert isinstance(world, Simulated)
        return world

    yield start
    freehold.shutdown()
    assert traces() == before


def traces() -> tuple[object, ...]:
    """Return what a simulation may change, and must put back."""
    here = getcurrent()
    gc.collect()
    some = [one for one in gc.get_objects() if isinstance(one, greenlet) and one is not here and not one.dead]
    alive = sum(one.parent is not None for one in some)  # without a parent it is a thread's, which may just be ending
    return time.sleep, time.time, time.monotonic, gc.isenabled(), signal.getsignal(signal.SIGINT), alive, cluster.active


@pytest.fixture(autouse=True)
def figures_are_closed() -> Iterator[None]:
    """Matplotlib keeps each figure until it is told not to, and warns of the twenty-first."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
