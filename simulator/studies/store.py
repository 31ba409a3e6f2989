"""Study: what fills an object store, over time, while tasks shuffle what is larger than all stores together?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freehold.core.node import Node
from freehold.core.policies import Policy
from freehold.core.values import Description as Task
from freehold.simulator.scripts import Script
from freehold.simulator.studies.plots import COLOURS, drawn, legend_above
from freehold.simulator.studies.study import Point, Row, Rows, Study, middle
from freehold.simulator.users import User, Users
from freehold.simulator.world.description import Description
from freehold.simulator.world.units import shown, sized

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NODES, CPUS = 4, 4
STORE = 512 * 2**20
PART = 4 * 2**20  # bytes of what one task returns for another
PARTS = 16  # of each task of the first round, and as many tasks in the second
KINDS = {"primary copies": ("PRIMARY", "RETIRING"), "copies that may be evicted": ("SECONDARY",), "on their way": ()}
TICK = 0.005  # seconds between two looks


def run(point: Point, seed: int) -> list[Row]:
    """Shuffle, and look at all stores now and then; each row is one look."""
    description = Description(nodes=NODES, cpus=CPUS, store=STORE)
    world = Users(description, Policy(seed=seed), {"map": split, "reduce": merge})
    driver, *_ = world.populate()
    rows, over = list[Row](), list[float]()
    world.start(driver, shuffle(driver, point["rounds"], over))
    world.start(driver, look(world, over, rows))
    world.run_all()
    return rows


def split(_: Any, task: Task) -> Script:
    """Compute for a while; return a part for each task of the second round."""
    yield 0.02
    return [PART] * PARTS


def merge(user: User, task: Task) -> Script:
    """Compute for a while; return little."""
    yield 0.02
    return 1000


def shuffle(driver: User, rounds: int, over: list[float]) -> Script:
    """Run all rounds; nothing is kept longer than it is needed."""
    for _ in range(rounds):
        firsts = [driver.submit("map", returns=PARTS) for _ in range(PARTS)]
        merged = [driver.submit("reduce", values=[first + part for first in firsts]) for part in range(PARTS)]
        driver.drop(*[first + part for first in firsts for part in range(PARTS)])
        yield from driver.get(*merged)
        driver.drop(*merged)
    over.append(driver.now())


def look(world: Users, over: list[float], rows: list[Row]) -> Script:
    """Look at all stores until all is over."""
    began = world.clock.now
    while not over:
        seen = dict.fromkeys(KINDS, 0)
        for driver in world.drivers.values():
            if isinstance(driver.party, Node):
                for kind, nbytes in kinds(driver.party):
                    seen[kind] += nbytes
        rows.append({"seconds": world.clock.now - began, **seen})
        yield TICK


def kinds(node: Node) -> list[tuple[str, int]]:
    """Return kind and bytes of what is in a node's store."""
    found = []
    for copy in node.copies.values():
        if copy.place:
            kind = next((name for name, states in KINDS.items() if copy.state.name in states), "on their way")
            found.append((kind, copy.nbytes))
    return found


# ------------------------------------------------------------------ figures, and a sentence


def over_time(rows: Rows) -> Figure:
    """Draw what is in all stores, by kind."""
    figure, axes = drawn()
    some = rows.where(seed=0, rounds=max(rows.values("rounds")))
    at = [row["seconds"] for row in some]
    stacks = [[row[kind] / 2**20 for row in some] for kind in KINDS]
    axes.stackplot(at, stacks, labels=KINDS, colors=COLOURS[: len(KINDS)], linewidth=0)
    axes.axhline(NODES * STORE / 2**20, color="black", linewidth=0.8)
    axes.set(xlabel="time (s); the line: all stores are full", ylabel="in all stores (MiB)", xlim=(0, max(at)))
    legend_above(axes)
    return figure


def conclude(rows: Rows) -> str:
    """Say how full the stores become, and of what."""
    most, part = [], []
    for seed in rows.values("seed"):
        some = rows.where(seed=seed, rounds=max(rows.values("rounds")))
        fullest = max(some, key=lambda row: sum(row[kind] for kind in KINDS))
        most.append(sum(fullest[kind] for kind in KINDS) / (NODES * STORE))
        part.append(fullest["copies that may be evicted"] / sum(fullest[kind] for kind in KINDS))
    took = [max(row["seconds"] for row in rows.where(seed=seed)) for seed in rows.values("seed")]
    nbytes = max(rows.values("rounds")) * PARTS * PARTS * PART
    return (
        f"{sized(nbytes)} are shuffled through {NODES} stores of {sized(STORE)} in {shown(middle(took), 's')}; when"
        f" they are fullest {middle(most):.0%} of them is taken ({min(most):.0%} to {max(most):.0%} over seeds), and"
        f" {middle(part):.0%} of that could be evicted at once."
    )


STUDY = Study(
    "store",
    "What fills object stores, over time, while tasks shuffle more than they hold?",
    {"rounds": (4,)},
    run,
    conclude,
    {"store-over-time": over_time},
    seeds=3,
    nodes=lambda point: NODES,
    tasks=True,
)
