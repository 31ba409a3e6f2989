"""F1, F3 and F4: how long a task takes, and how many a cluster runs; after the artifact of *Ownership*, NSDI 2021."""

from __future__ import annotations

from collections.abc import Sequence

from freehold.core.values import Description as Task
from freehold.core.values import Shape
from freehold.simulator.published.worlds import Way, world
from freehold.simulator.scripts import Caller, Script, fine

MIB = 2**20
CALLS = 1000
NODES_PER_DRIVER = 5
TASKS, ROUNDS = 100, 3  # of each node; the artifact has 2,000 and 10, with which a driver is as busy
CPUS = 28  # of a node of 32, less those that are reserved for a driver


def small(_: Caller, task: Task) -> Script:
    """Return two bytes."""
    return 2
    yield


def large(_: Caller, task: Task) -> Script:
    """Return 1 MiB."""
    return MIB
    yield


def pinned(node: int) -> Shape:
    """Return what a task occupies that runs on one node."""
    return ("CPU", 1.0), (f"node:{node}", 1e-6)


def latency(way: Way, worker: str) -> float:
    """F1: return milliseconds for each of many calls on one object of 1 MiB, of which one runs at a time."""
    nodes = 1 if worker == "local" else 2
    cluster = world("m5.8xlarge", way, nodes, 1, {"make": large, "use": small})
    cluster.populate(idle_head=nodes > 1)
    driver, took = cluster.join(0), list[float]()
    cluster.start(driver, calls(driver, pinned(nodes - 1), took))
    cluster.run_all()
    return took[0] / CALLS * 1e3


def calls(driver: Caller, shape: Shape, took: list[float]) -> Script:
    """Have an object made, warm up, and call many times."""
    object = driver.submit("make", shape=shape)
    warm = driver.submit("use", values=[object], shape=shape)
    fine((yield from driver.get(warm)))
    began = driver.now()
    results = [driver.submit("use", values=[object], shape=shape) for _ in range(CALLS)]
    fine((yield from driver.get(*results)))
    took.append(driver.now() - began)


def spread(way: Way, nodes: int) -> float:
    """F3: return tasks a second, of drivers on nodes of their own."""
    return throughput(way, nodes, together=False)


def colocated(way: Way, nodes: int) -> float:
    """F4: return tasks a second, of drivers that are all on one node more."""
    return throughput(way, nodes, together=True)


def throughput(way: Way, nodes: int, *, together: bool) -> float:
    """Return tasks a second, of drivers for five nodes each."""
    cluster = world("m5.8xlarge", way, nodes + 1, CPUS, {"work": small, "gather": small})
    cluster.populate()
    groups = [range(first, min(first + NODES_PER_DRIVER, nodes + 1)) for first in range(1, nodes + 1, NODES_PER_DRIVER)]
    drivers = [cluster.join(0 if together else group[0]) for group in groups]
    for rounds in (1, ROUNDS):  # first to warm up
        began = cluster.clock.now
        for driver, group in zip(drivers, groups, strict=True):
            cluster.start(driver, drive(driver, group, rounds))
        cluster.run_all()
    return nodes * TASKS * ROUNDS / (cluster.clock.now - began)


def drive(driver: Caller, nodes: Sequence[int], rounds: int) -> Script:
    """Submit tasks to each node, and one that gathers them, on which those of the next round depend."""
    gathered: dict[int, int] = {}
    for _ in range(rounds):
        for node in nodes:
            before = [gathered[node]] if node in gathered else []
            refs = list[int]()
            for _ in range(TASKS):
                refs.append(driver.submit("work", values=before, shape=pinned(node)))
                yield 0.0  # others of the same machine have their turn
            gathered[node] = driver.submit("gather", values=refs, shape=pinned(node))
            driver.drop(*refs, *before)
    fine((yield from driver.get(*gathered.values())))
    driver.drop(*gathered.values())
