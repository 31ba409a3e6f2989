"""Study: of several copies, does it matter which one is pulled, where racks share what leaves them?"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Literal

from freehold.core.policies import Policy
from freehold.simulator.clock import Happening
from freehold.simulator.scripts import Script
from freehold.simulator.studies.plots import drawn, line
from freehold.simulator.studies.study import Point, Row, Rows, Study, middle
from freehold.simulator.users import User, Users
from freehold.simulator.world.description import Description, Network
from freehold.simulator.world.units import shown, sized

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PER_RACK, RACKS = 8, 6
COPIES = 4  # in each rack, before the others read
NBYTES = 1 << 24
POLICIES: dict[str, Literal["nearest", "random"]] = {"the nearest": "nearest", "any": "random"}


class Counted(Users):
    """A cluster that counts the bytes that go over each cable."""

    def __init__(self, description: Description, policy: Policy) -> None:
        super().__init__(description, policy)
        self.counts = Counter[str]()
        self.carry, self.network.carry = self.network.carry, self.count  # type: ignore[method-assign]

    def count(self, source: int, target: int, at: float, nbytes: int, message: Happening) -> None:
        """Let the network carry a message, and count it."""
        for link in self.network.way(source, target):
            self.counts[link.name] += nbytes
        self.carry(source, target, at, nbytes, message)


def run(point: Point, seed: int) -> list[Row]:
    """Give each rack some copies, and then let all others read; each row is one direction of a cable."""
    network = Network(topology="racks", per_rack=PER_RACK, oversubscription=point["oversubscription"])
    policy = Policy(seed=seed, location=POLICIES[point["copy"]])
    world = Counted(Description(nodes=PER_RACK * RACKS, network=network), policy)
    users = world.populate(tasks=False)
    objects, took, random = list[int](), list[float](), Random(seed)
    world.start(users[0], own(users[0], objects))
    world.run_all()
    early = [user for index, user in enumerate(users) if index % PER_RACK < COPIES]
    for reader in early[1:]:
        world.start(reader, read(reader, objects[0], []))
    world.run_all()
    world.counts.clear()
    began = world.clock.now
    for reader in users:
        if reader not in early:
            world.start(reader, read(reader, objects[0], took), after=random.random() * 1e-3)
    world.run_all()
    links, seconds, median = world.network.topology.links, world.clock.now - began, middle(took)
    return [
        {
            "link": link.name,
            "load": world.counts[link.name] / link.bandwidth / seconds,
            "median": median,
            "all": seconds,
        }
        for link in links.values()
    ]


def own(owner: User, objects: list[int]) -> Script:
    """Put the object."""
    objects.append((yield from owner.put(NBYTES)))


def read(reader: User, object: int, took: list[float]) -> Script:
    """Read it, and keep it."""
    outer = yield from reader.put(10)
    reader.find(outer, object)
    began = reader.now()
    yield from reader.get(object)
    took.append(reader.now() - began)


# ------------------------------------------------------------------ figures, and a sentence


def loads(rows: Rows, copy: str) -> Figure:
    """Draw the cables, each with its share of time that it is full, in the direction in which that is more."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    figure, axes = drawn(2.8)
    some = rows.where(copy=copy, oversubscription=max(rows.values("oversubscription")), seed=0)
    load: dict[tuple[str, ...], float] = {}
    for row in some:
        ends = tuple(sorted(row["link"].split("->")))
        load[ends] = max(load.get(ends, 0.0), row["load"])
    colours, scale = colormaps["viridis_r"], Normalize(0.0, 1.0)
    for ends, share in sorted(load.items(), key=lambda item: (item[1], item[0])):
        (x, y), (u, v) = map(place, ends)
        axes.plot([x, u], [y, v], color=colours(scale(share)), linewidth=1.0 + 2.0 * share)
    for name in sorted({name for ends in load for name in ends}):
        axes.plot(*place(name), "s" if name[0] in "rs" else "o", color="black", markersize=4 if name[0] in "rs" else 2)
    bar = figure.colorbar(ScalarMappable(scale, colours), ax=axes, shrink=0.8)
    bar.set_label("load of a cable")
    axes.set_yticks([0, 1, 2], ["nodes", "racks", "spine"])
    axes.set_xticks([])
    axes.grid(visible=False)
    return figure


def place(name: str) -> tuple[float, float]:
    """Return where a node or switch is drawn."""
    number = float("".join(filter(str.isdigit, name)))
    if name.startswith("n"):
        return number, 0.0
    if name.startswith("rack"):
        return number * PER_RACK + (PER_RACK - 1) / 2, 1.0
    return (PER_RACK * RACKS - 1) / 2, 2.0


def against_sharing(rows: Rows) -> Figure:
    """Draw how long a reader waits, against oversubscription."""
    figure, axes = drawn()
    for index, copy in enumerate(rows.values("copy")):
        some = Rows([{**row, "ms": row["median"] * 1e3} for row in rows.where(copy=copy)])
        line(axes, some, "oversubscription", "ms", copy, index)
    axes.set(xscale="log", xlabel="oversubscription of a rack", ylabel=f"until a node has {sized(NBYTES)} (ms)")
    ticks = rows.values("oversubscription")
    axes.set_xticks(ticks, [f"{tick:g}:1" for tick in ticks])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, title="the copy that is pulled")
    return figure


def conclude(rows: Rows) -> str:
    """Say what it costs to pull any copy."""
    shares = max(rows.values("oversubscription"))
    found = [rows.where(copy=copy, oversubscription=shares).over_seeds("median") for copy in POLICIES]
    near, far = [f"{shown(one.middle, 's')} ({shown(one.least, 's')} to {shown(one.most, 's')})" for one in found]
    return (
        f"Where racks are oversubscribed {shares:g}:1 and half of their nodes have {sized(NBYTES)}, one that pulls the"
        f" nearest copy has it after {near} over seeds, and one that pulls any after {far}:"
        f" {found[1].middle / found[0].middle:.2g} times as long."
    )


STUDY = Study(
    "location",
    "Of several copies, does it matter which one is pulled, where racks share what leaves them?",
    {"oversubscription": (1.0, 2.0, 4.0, 8.0), "copy": tuple(POLICIES)},
    run,
    conclude,
    {
        "location-waits": against_sharing,
        "location-nearest": lambda rows: loads(rows, "the nearest"),
        "location-any": lambda rows: loads(rows, "any"),
    },
    compares=("copy",),
    nodes=lambda point: PER_RACK * RACKS,
)
