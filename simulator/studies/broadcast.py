"""Study: one object is read by all nodes at once: how long does that take, beside what could be done?"""

from __future__ import annotations

from math import ceil, log2
from random import Random
from typing import TYPE_CHECKING, Any

from freehold.core.policies import DEFAULT, Policy
from freehold.simulator.scripts import Script
from freehold.simulator.studies.plots import GREY, drawn, line
from freehold.simulator.studies.study import Point, Row, Rows, Study
from freehold.simulator.users import User, Users
from freehold.simulator.world.description import Description
from freehold.simulator.world.units import shown, sized

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NBYTES = 1 << 30
HOW: dict[str, tuple[float, dict[str, Any]]] = {  # begin so long after each other on average; by which rules
    "all at once": (1e-6, {}),
    "in turn, nearest copy": (0.2, {}),
    "in turn, random copy": (0.2, {"location": "random"}),
    "all at once, relay": (1e-6, {"relay": True}),
    "in turn, relay": (0.2, {"relay": True}),
}


def run(point: Point, seed: int) -> list[Row]:
    """Let each of so many nodes read one object."""
    apart, rules = HOW[point["readers"]]
    world = Users(Description(nodes=1 + point["nodes"]), Policy(seed=seed, **rules))
    owner, *readers = world.populate(tasks=False)
    objects: list[int] = []
    world.start(owner, own(owner, objects))
    world.run_all()
    began, random, after = world.clock.now, Random(seed), 0.0
    for reader in readers:
        world.start(reader, read(reader, objects[0]), after=after)
        after += random.expovariate(1 / apart)
    world.run_all()
    return [{"seconds": world.clock.now - began}]


def own(owner: User, objects: list[int], nbytes: int = NBYTES) -> Script:
    """Put the object."""
    object = yield from owner.put(nbytes)
    objects.append(object)


def read(reader: User, object: int) -> Script:
    """Read the object, which was found inside another one."""
    outer = yield from reader.put(10)
    reader.find(outer, object)
    yield from reader.get(object)


# ------------------------------------------------------------------ what could be done


def one_source(nodes: int) -> float:
    """Return the seconds in which one cable can send the object to all."""
    return nodes * NBYTES / Description().network.bandwidth


def tree(nodes: int) -> float:
    """Return the seconds if whoever has the whole object sends it to another one."""
    return ceil(log2(nodes + 1)) * one_source(1)


def pipeline(nodes: int) -> float:
    """Return the seconds if each sends every chunk on to the next as soon as it has come."""
    network = Description().network
    return one_source(1) + nodes * (DEFAULT.chunk_bytes / network.bandwidth + 2 * network.latency)


BOUNDS = {"one source": one_source, "tree of whole copies": tree, "pipeline of chunks": pipeline}


# ------------------------------------------------------------------ figures, and a sentence


def against_bounds(rows: Rows) -> Figure:
    """Draw the time against nodes, and beside it what could be done."""
    figure, axes = drawn()
    nodes = rows.values("nodes")
    for name, style in zip(BOUNDS, (":", "--", "-."), strict=True):
        axes.plot(nodes, [BOUNDS[name](count) for count in nodes], style, color=GREY, label=name, linewidth=0.8)
    for index, how in enumerate(rows.values("readers")):
        line(axes, rows.where(readers=how), "nodes", "seconds", how, index)
    axes.set(xscale="log", yscale="log", xlabel="nodes that read", ylabel=f"until all have {sized(NBYTES)} (s)")
    axes.legend(frameon=False)
    return figure


def conclude(rows: Rows) -> str:
    """Say how far a broadcast is from what could be done."""
    nodes = max(rows.values("nodes"))
    found = {how: rows.where(nodes=nodes, readers=how).over_seeds("seconds") for how in rows.values("readers")}
    said = [
        f"{shown(one.middle, 's')} if they read {how} ({shown(one.least, 's')} to {shown(one.most, 's')} over seeds)"
        for how, one in found.items()
    ]
    relay, bound = found["all at once, relay"], pipeline(nodes)
    best = f"a pipeline of chunks could do it in {shown(bound, 's')}"
    beside = (
        f"relay takes {relay.middle / bound:.2f} times that ({relay.least / bound:.2f} to {relay.most / bound:.2f})"
    )
    return f"{sized(NBYTES)} comes to {nodes} nodes in {', '.join(said)}; {best}, {beside}."


STUDY = Study(
    "broadcast",
    "One object is read by all nodes at once: how long does that take, beside what could be done?",
    {"nodes": (1, 2, 4, 8, 16, 32, 64), "readers": tuple(HOW)},
    run,
    conclude,
    {"broadcast": against_bounds},
    compares=("readers",),
    nodes=lambda point: 1 + point["nodes"],
)
