"""Study: a node dies with values that somebody is about to read: how long until they are there again?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freehold.core.policies import DEFAULT, Policy
from freehold.core.values import Description as Task
from freehold.simulator.scripts import Script
from freehold.simulator.studies.plots import drawn, line
from freehold.simulator.studies.study import Point, Row, Rows, Study
from freehold.simulator.users import User, Users
from freehold.simulator.world.description import Crash, Description
from freehold.simulator.world.units import shown, sized

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHAINS, CPUS = 16, 8
TASK = 0.05  # seconds of each
NBYTES = 4 * 2**20
CRASH = 100.0  # by then all is computed


def run(point: Point, seed: int) -> list[Row]:
    """Let tasks compute on two nodes, of which one dies; the program, on a third, reads what the last ones returned."""
    crash = Crash(at=CRASH, node=1)
    description = Description(nodes=3, cpus=CPUS, detection=point["detection"], faults=(crash,))
    world = Users(description, Policy(seed=seed, backoff=point["backoff"]), {"step": step})
    world.populate(idle_head=True)
    driver, waits = world.join(0), list[float]()
    world.start(driver, compute(world, driver, point["depth"], waits))
    world.run_all()
    lost = [wait for wait in waits if wait > point["detection"]]
    return [{"stall": max(waits), "lost": len(lost)}]


def step(_: Any, task: Task) -> Script:
    """Compute for a while; return a large value."""
    yield TASK
    return NBYTES


def compute(world: Users, driver: User, depth: int, waits: list[float]) -> Script:
    """Submit chains of tasks; when their node has just died, read all."""
    lasts = []
    for _ in range(CHAINS):
        last = driver.submit("step")
        for _ in range(depth - 1):
            before, last = last, driver.submit("step", values=[last])
            driver.drop(before)
        lasts.append(last)
    yield CRASH + 1e-6 - driver.now()
    for last in lasts:
        world.start(driver, read(driver, last, waits))


def read(driver: User, object: int, waits: list[float]) -> Script:
    """Read one value."""
    failure = yield from driver.get(object)
    if failure is not None:
        raise RuntimeError(f"a value was not computed again: {failure}")
    waits.append(driver.now() - CRASH)


# ------------------------------------------------------------------ figures, and a sentence


def against_depth(rows: Rows) -> Figure:
    """Draw the stall against how many tasks are to be done again for each value."""
    figure, axes = drawn()
    backoff = min(rows.values("backoff"), key=lambda seconds: abs(seconds - DEFAULT.backoff))
    for index, detection in enumerate(rows.values("detection")):
        some = rows.where(detection=detection, backoff=backoff)
        line(axes, some, "depth", "stall", f"after {shown(detection, 's')}" if detection else "at once", index)
    axes.set(xlabel=f"tasks of {shown(TASK, 's')} behind each value", ylabel="until all values are there (s)")
    axes.set_ylim(0, 1.4 * max(row["stall"] for row in rows))  # room for the legend
    axes.legend(frameon=False, title="the node is missed", ncols=3, loc="upper left")
    return figure


def conclude(rows: Rows) -> str:
    """Say what a stall consists of."""
    depth, detection = max(rows.values("depth")), max(rows.values("detection"))
    some = rows.where(depth=depth, detection=detection)
    short, long = (some.where(backoff=end(rows.values("backoff"))).over_seeds("stall") for end in (min, max))
    lost = some.over_seeds("lost")
    least, most = (shown(end(rows.values("backoff")), "s") for end in (min, max))
    interval = f"{shown(short.least, 's')} to {shown(short.most, 's')} over seeds"
    return (
        f"When a node dies with {lost.middle:g} of {CHAINS} values of {sized(NBYTES)}, each the end of {depth} tasks of"
        f" {shown(TASK, 's')}, and is missed after {shown(detection, 's')}, all are there again"
        f" {shown(short.middle, 's')} after its death ({interval}); with a back-off of {most} instead of {least} it is"
        f" {shown(long.middle, 's')}, for who waits leaves a question with the owner."
    )


STUDY = Study(
    "recovery",
    "A node dies with values that somebody is about to read: how long until they are there again?",
    {"depth": (1, 2, 4, 8), "detection": (0.0, 0.5, 2.0), "backoff": (0.01, 0.05, 1.0)},
    run,
    conclude,
    {"recovery-stall": against_depth},
    seeds=3,
    nodes=lambda point: 3,
    units={"detection": "s", "backoff": "s"},
    tasks=True,
)
