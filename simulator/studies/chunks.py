"""Study: how large are the chunks of a transfer to be, near, far, and where they are sent on?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freehold.core.policies import DEFAULT, Policy
from freehold.simulator.studies.broadcast import own, read
from freehold.simulator.studies.plots import GREY, drawn, label_sizes, legend_above, line
from freehold.simulator.studies.study import Point, Row, Rows, Study
from freehold.simulator.users import Users
from freehold.simulator.world.description import Description, Network
from freehold.simulator.world.units import sized

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NBYTES = 1 << 28
WAYS: dict[str, tuple[int, float, dict[str, Any]]] = {  # nodes that read, seconds on each cable, rules
    "15 us away": (1, Network().latency, {}),
    "10 ms away, one by one": (1, 5e-3, {"chunks_in_flight": 1}),
    "10 ms away": (1, 5e-3, {}),
    "16 nodes, relay": (16, Network().latency, {"relay": True}),
}
KIB = 2**10
CHUNKS = tuple([64 * KIB << 2 * step for step in range(7)])


def run(point: Point, seed: int) -> list[Row]:
    """Let nodes read one object, all at once."""
    nodes, latency, rules = WAYS[point["way"]]
    description = Description(nodes=1 + nodes, network=Network(latency=latency))
    world = Users(description, Policy(seed=seed, chunk_bytes=point["nbytes"], **rules))
    owner, *readers = world.populate(tasks=False)
    objects: list[int] = []
    world.start(owner, own(owner, objects, NBYTES))
    world.run_all()
    began = world.clock.now
    for reader in readers:
        world.start(reader, read(reader, objects[0]))
    world.run_all()
    return [{"times": (world.clock.now - began) * description.network.bandwidth / NBYTES}]


# ------------------------------------------------------------------ figures, and a sentence


def by_size(rows: Rows) -> Figure:
    """Draw the time against the size of chunks, in multiples of what the bytes take on one cable."""
    figure, axes = drawn(2.8)
    for index, way in enumerate(rows.values("way")):
        line(axes, rows.where(way=way), "nbytes", "times", way, index)
    axes.axvline(DEFAULT.chunk_bytes, color=GREY, linewidth=0.8)
    label_sizes(axes, rows.values("nbytes"))
    axes.set(yscale="log", xlabel="chunk size; the line: the default", ylabel=f"time / {sized(NBYTES)} on one cable")
    legend_above(axes)
    return figure


def conclude(rows: Rows) -> str:
    """Say which size is best, and how much is lost by the default."""
    said = []
    for way in rows.values("way"):
        found = {
            nbytes: rows.where(way=way, nbytes=nbytes).over_seeds("times").middle for nbytes in rows.values("nbytes")
        }
        best = min(found, key=lambda nbytes: found[nbytes])
        nearest = min(found, key=lambda nbytes: abs(nbytes - DEFAULT.chunk_bytes))
        said.append(f"{sized(best)} to {way} ({found[best]:.2f}, and {found[nearest]:.2f} with {sized(nearest)})")
    return f"{sized(NBYTES)} come soonest, in multiples of their time on one cable, in chunks of {'; '.join(said)}."


STUDY = Study(
    "chunks",
    "How large are the chunks of a transfer to be, near, far, and where they are sent on?",
    {"way": tuple(WAYS), "nbytes": CHUNKS},
    run,
    conclude,
    {"chunks": by_size},
    seeds=3,
    nodes=lambda point: 1 + WAYS[point["way"]][0],
)
