"""F8: what it costs if tasks do not run where their arguments are; after figure 8a of *Ray*, OSDI 2018."""

from __future__ import annotations

from random import Random

from freehold.core.values import Description as Task
from freehold.simulator.published.throughput import pinned, small
from freehold.simulator.published.worlds import Way, world
from freehold.simulator.scripts import Caller, Script, fine

TASKS = 200


def latency(way: Way, megabytes: float, *, locality: bool) -> float:
    """Return the seconds that a task takes whose argument lies on one of two nodes."""
    nbytes = round(megabytes * 1e6)

    def make(_: Caller, task: Task) -> Script:
        return nbytes
        yield

    cluster = world("m4.16xlarge", way, 2, 8, {"make": make, "use": small})
    cluster.populate()
    driver, took = cluster.join(0), list[float]()
    cluster.start(driver, use(driver, Random(1), took, locality=locality))
    cluster.run_all()
    return sum(took) / len(took)


def use(driver: Caller, random: Random, took: list[float], *, locality: bool) -> Script:
    """Use objects one after the other, each where it lies, or wherever."""
    for _ in range(TASKS):
        object = driver.submit("make", shape=pinned(random.randrange(2)))
        fine((yield from driver.get(object)))
        began = driver.now()
        result = driver.submit(
            "use", values=[object], shape=(("CPU", 1.0),) if locality else pinned(random.randrange(2))
        )
        fine((yield from driver.get(result)))
        took.append(driver.now() - began)
        driver.drop(object, result)


def compared(way: Way, megabytes: float) -> float:
    """Return how many times as long as with locality tasks take without, or than tasks on 100 KB with locality."""
    with_locality = latency(way, megabytes, locality=True)
    if way.series == "without locality":
        return latency(way, megabytes, locality=False) / with_locality
    return with_locality / latency(way, 0.1, locality=True)
