"""F6: a chain of tasks on a node that dies; after the artifact of *Ownership*, NSDI 2021."""

from __future__ import annotations

from freehold.core.values import Description as Task
from freehold.simulator.published.worlds import Way, cluster, world
from freehold.simulator.scripts import Body, Caller, Script, fine
from freehold.simulator.world.description import Crash

SECONDS = 10.0  # that the whole chain takes, were there nothing but its tasks
KILLED_AT = 5.0  # of them
SIZES = {"small": 28, "large": 10 * 2**20}


def sleep(milliseconds: int, nbytes: int) -> Body:
    """Return a task that sleeps, and returns what it was given."""

    def body(_: Caller, task: Task) -> Script:
        yield milliseconds / 1e3
        return nbytes

    return body


def recovery(way: Way, milliseconds: int) -> float:
    """Return the seconds that a chain takes."""
    scheme, size, *failure = way.series.split(", ")
    constants = cluster("m5.xlarge", scheme)
    description, startup = constants.description(2, 4), constants.startup()
    crash = Crash(at=startup + KILLED_AT, node=1, restart=description.detection / 2)  # sooner than anybody minds
    functions = {"step": sleep(milliseconds, SIZES[size])}
    found = world("m5.xlarge", way, 2, 4, functions, (crash,) if failure else ())
    found.populate(idle_head=True)
    driver, took = found.join(0), list[float]()
    found.start(driver, chain(driver, round(SECONDS / milliseconds * 1e3), startup, took))
    found.run_all()
    return took[0]


def chain(driver: Caller, length: int, startup: float, took: list[float]) -> Script:
    """Submit all tasks at once, each with what the one before returns, and wait for the last."""
    yield startup
    last = driver.submit("step")
    for _ in range(length - 1):
        before, last = last, driver.submit("step", values=[last])
        driver.drop(before)
    fine((yield from driver.get(last)))
    took.append(driver.now())
