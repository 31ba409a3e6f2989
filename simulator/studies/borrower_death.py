"""Study: a borrower dies: what does it cost to find out whom it had lent the object to, in a cluster of many nodes?"""

from __future__ import annotations

from itertools import cycle
from math import inf
from typing import TYPE_CHECKING, Literal

from freehold.core.policies import Policy
from freehold.simulator.scripts import Script
from freehold.simulator.studies.plots import drawn, line
from freehold.simulator.studies.study import Point, Row, Rows, Study
from freehold.simulator.users import User, Users
from freehold.simulator.world.description import Description
from freehold.simulator.world.units import shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RULES: dict[str, Literal["inquest", "ray"]] = {"everybody is asked": "inquest", "it is forgotten (Ray)": "ray"}


def run(point: Point, seed: int) -> list[Row]:
    """Let a borrower die, and see what follows until nothing does any more."""
    policy = Policy(seed=seed, borrower_death=RULES[point["rule"]])
    world = Users(Description(nodes=point["nodes"], cpus=1), policy)
    owner, borrower, *_ = world.populate()
    world.start(owner, lend(world, owner, borrower, point["objects"]))
    world.run_all()
    rest(world)
    began, before = world.clock.now, world.clock.pushed
    world.remove(borrower.party.me)
    rest(world)
    return [{"events": world.clock.pushed - before, "seconds": world.clock.now - began}]


def lend(world: Users, owner: User, borrower: User, objects: int) -> Script:
    """Put some objects, and let the borrower find a reference to each, and keep it."""
    found: list[int] = []
    for _ in range(objects):
        object = yield from owner.put(100)
        found.append(object)
    world.start(borrower, keep(borrower, found))


def keep(borrower: User, objects: list[int]) -> Script:
    """Find references, and keep them."""
    outer = yield from borrower.put(10)
    borrower.find(outer, *objects)


def rest(world: Users) -> None:
    """Let everything happen that is under way."""
    while world.clock.peek() < inf:
        world.clock.step()


# ------------------------------------------------------------------ figures, and a sentence


def messages(rows: Rows) -> Figure:
    """Draw how many messages follow a death, against nodes."""
    figure, axes = drawn()
    for index, rule in enumerate(rows.values("rule")):
        for objects, style in zip(rows.values("objects"), cycle(("--", "-")), strict=False):
            some = rows.where(rule=rule, objects=objects)
            line(axes, some, "nodes", "events", f"{rule}, {objects} object{'s' * (objects > 1)}", index, style)
    axes.set(xscale="log", yscale="log", xlabel="nodes", ylabel="messages after a death")
    axes.set_ylim(top=10 * max(row["events"] for row in rows))  # room for the legend
    axes.legend(frameon=False)
    return figure


def conclude(rows: Rows) -> str:
    """Say what a death costs in the largest cluster."""
    nodes, objects = max(rows.values("nodes")), max(rows.values("objects"))
    (asked, forgotten) = (rows.where(nodes=nodes, objects=objects, rule=rule) for rule in RULES)
    one, other = asked.over_seeds("events"), forgotten.over_seeds("events")
    took = asked.over_seeds("seconds")
    more = (one.middle - other.middle) / nodes
    return (
        f"With {nodes} nodes the death of a borrower of {objects} objects costs {one.middle:,.0f} messages and "
        f"{shown(took.middle, 's')} ({shown(took.least, 's')} to {shown(took.most, 's')} over seeds) if everybody is "
        f"asked, and {other.middle:,.0f} messages if it is forgotten: {more:.1f} more for each node."
    )


STUDY = Study(
    "borrower-death",
    "A borrower dies: what does it cost to find out whom it had lent the object to, in a cluster of many nodes?",
    {"nodes": (2, 4, 8, 16, 32, 64, 128), "objects": (1, 100), "rule": tuple(RULES)},
    run,
    conclude,
    {"borrower-death": messages},
    seeds=3,
    compares=("rule",),
    nodes=lambda point: point["nodes"],
    tasks=True,
)
