"""Study: how near to the shortest time that their shape allows do graphs of tasks come?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import networkx as nx

from freehold.core.policies import Policy
from freehold.simulator.graphs import chain, functions, least, reduction, shuffle, submitted, tangle, with_all
from freehold.simulator.studies.plots import drawn, legend_above, line
from freehold.simulator.studies.study import Point, Row, Rows, Study
from freehold.simulator.users import Users
from freehold.simulator.world.description import Description
from freehold.simulator.world.units import shown, sized

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHAPES = ("chain", "reduction", "shuffle", "tangle")
CPUS = 2  # of each node
SECONDS = 0.01  # that each task computes


def shaped(shape: str, seed: int) -> nx.DiGraph:
    """Return a graph of 64 tasks, or one less."""
    return {
        "chain": lambda: chain(64),
        "reduction": lambda: reduction(5),
        "shuffle": lambda: shuffle(32),
        "tangle": lambda: tangle(64, 3.0, seed),
    }[shape]()


def run(point: Point, seed: int) -> list[Row]:
    """Run a graph from a program on the first node."""
    graph = with_all(shaped(point["shape"], seed), SECONDS, point["nbytes"])
    description = Description(nodes=point["nodes"], cpus=CPUS)
    world, took = Users(description, Policy(seed=seed), functions(graph)), list[float]()
    driver, *_ = world.populate()
    world.start(driver, submitted(driver, graph, took))
    world.run_all()
    return [{"seconds": took[0], "times": took[0] / least(graph, CPUS * point["nodes"])}]


# ------------------------------------------------------------------ figures, and a sentence


def times(rows: Rows) -> Figure:
    """Draw how many times as long as the least each shape takes, against nodes; dashed with large values."""
    figure, axes = drawn(2.8)
    for nbytes, style in zip(rows.values("nbytes"), ("-", "--"), strict=False):
        for index, shape in enumerate(rows.values("shape")):
            label = f"{shape}, {sized(nbytes)}"
            line(axes, rows.where(nbytes=nbytes, shape=shape), "nodes", "times", label, index, style)
    axes.set(xscale="log", yscale="log", xlabel="nodes", ylabel="time / least that shape and CPUs allow")
    axes.set_xticks(rows.values("nodes"), [str(nodes) for nodes in rows.values("nodes")])
    axes.minorticks_off()
    axes.set_yticks([1, 2, 5, 10], ["1", "2", "5", "10"])
    legend_above(axes)
    return figure


def conclude(rows: Rows) -> str:
    """Say how many times as long as the least each shape takes on most nodes."""
    said = []
    for nbytes in rows.values("nbytes"):
        some = []
        for shape in rows.values("shape"):
            found = rows.where(nodes=max(rows.values("nodes")), nbytes=nbytes, shape=shape).over_seeds("times")
            some.append(f"a {shape} {found.middle:.2f} ({found.least:.2f} to {found.most:.2f} over seeds)")
        said.append(f"with values of {sized(nbytes)} {', '.join(some)}")
    return (
        f"On {max(rows.values('nodes'))} nodes with {CPUS} CPUs graphs of tasks of {shown(SECONDS, 's')} take so many"
        f" times the least that their shape and the CPUs allow: {'; '.join(said)}."
    )


STUDY = Study(
    "graphs",
    "How near to the shortest time that their shape allows do graphs of tasks come?",
    {"shape": SHAPES, "nbytes": (1024, 4 * 2**20), "nodes": (1, 2, 4, 8, 16)},
    run,
    conclude,
    {"graphs": times},
    seeds=3,
    compares=("shape", "nbytes"),
    nodes=lambda point: int(point["nodes"]),
    tasks=True,
)
