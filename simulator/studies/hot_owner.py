"""Study: everybody reads objects of one owner: how many resolutions does it serve, and who waits how long?"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Literal

from freehold.core.policies import Policy
from freehold.simulator.scripts import Script
from freehold.simulator.studies.plots import drawn, line
from freehold.simulator.studies.study import Point, Row, Rows, Spread, Study, middle
from freehold.simulator.users import User, Users
from freehold.simulator.world.description import Description

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OBJECTS = 40  # of the owner; each reader reads each of them once
NBYTES = 1000
NAMES: dict[str, Literal["promote", "copy"]] = {"promoted": "promote", "in the reply": "copy"}


def run(point: Point, seed: int) -> list[Row]:
    """Let so many readers, each on a node of its own, read one object after the other."""
    policy = Policy(seed=seed, borrow=NAMES[point["values"]])
    world = Users(Description(nodes=1 + point["readers"]), policy)
    owner, *readers = world.populate(tasks=False)
    objects: list[int] = []
    took: list[float] = []
    world.start(owner, own(owner, objects))
    world.run_all()
    began, random = world.clock.now, Random(seed)
    for reader in readers:
        world.start(reader, read(reader, objects, random, took), after=random.random() * 1e-3)
    world.run_all()
    took.sort()
    served = len(took) / (world.clock.now - began)
    return [{"median": middle(took), "p99": took[len(took) * 99 // 100], "served": served}]


def own(owner: User, objects: list[int]) -> Script:
    """Put all objects."""
    for _ in range(OBJECTS):
        object = yield from owner.put(NBYTES)
        objects.append(object)


def read(reader: User, objects: list[int], random: Random, took: list[float]) -> Script:
    """Read all objects, in an order of its own, and let each go at once."""
    outer = yield from reader.put(10)
    for object in random.sample(objects, len(objects)):
        began = reader.now()
        reader.find(outer, object)
        yield from reader.get(object)
        took.append(reader.now() - began)
        reader.drop(object)


# ------------------------------------------------------------------ figures, and a sentence


def served(rows: Rows) -> Figure:
    """Draw how many resolutions a second the owner serves, against readers."""
    figure, axes = drawn()
    for index, how in enumerate(rows.values("values")):
        some = Rows([{**row, "thousands": row["served"] / 1e3} for row in rows.where(values=how)])
        line(axes, some, "readers", "thousands", how, index)
    axes.set(xscale="log", xlabel="readers", ylabel="resolutions (thousands a second)", ylim=(0, None))
    axes.legend(frameon=False, title="small values are")
    return figure


def waits(rows: Rows) -> Figure:
    """Draw the latency of the middle and of the slowest, against readers."""
    figure, axes = drawn()
    for index, how in enumerate(rows.values("values")):
        for column, style, of in (("median", "-", "median"), ("p99", "--", "99th percentile")):
            some = Rows([{**row, "ms": row[column] * 1e3} for row in rows.where(values=how)])
            line(axes, some, "readers", "ms", f"{how}, {of}", index, linestyle=style)
    axes.set(xscale="log", yscale="log", xlabel="readers", ylabel="latency (ms)")
    axes.legend(frameon=False)
    return figure


def most(rows: Rows) -> Spread:
    """Return how many resolutions a second are served at the most."""
    return max(rows.where(readers=readers).over_seeds("served") for readers in rows.values("readers"))


def conclude(rows: Rows) -> str:
    """Say how many resolutions one owner serves."""
    said = []
    for how in rows.values("values"):
        found = most(rows.where(values=how))
        seeds = f"{found.least:,.0f} to {found.most:,.0f} over seeds"
        said.append(f"{found.middle:,.0f} a second if small values are {how} ({seeds})")
    return f"One owner serves {' and '.join(said)}; more readers only wait longer."


STUDY = Study(
    "hot-owner",
    "Everybody reads objects of one owner: how many resolutions does it serve, and from where on do readers wait?",
    {"readers": (1, 2, 4, 8, 16, 32, 64, 128, 256), "values": tuple(NAMES)},
    run,
    conclude,
    {"hot-owner-served": served, "hot-owner-latency": waits},
    nodes=lambda point: 1 + point["readers"],
)
