"""Study: how long a resolution takes, by size and distance, and which of its steps takes it."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from freehold.core.policies import Policy
from freehold.simulator.scripts import Script
from freehold.simulator.studies.plots import COLOURS, drawn, label_sizes, legend_above, line
from freehold.simulator.studies.study import Point, Row, Rows, Study, middle
from freehold.simulator.users import User, Users
from freehold.simulator.world.description import Description, Network
from freehold.simulator.world.units import shown, sized

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RACKS = Description(nodes=8, network=Network(topology="racks", per_rack=4))
DISTANCES = ("same node", "same rack", "other rack")
READS = 30  # of each point and seed
PAUSE = 0.002  # seconds between the small reads of each of the others, on average, so that nothing is idle
STEPS = {  # of a resolution: what ends each, as the reader's side hears it
    "ask the owner": "LocateQuery",
    "hear from it": "LocateReply",
    "transfer": "ChunkReply",
    "take hold": "HoldNotice",
}


class Watch:
    """Takes down when each kind of event of one object came, whoever heard it."""

    def __init__(self) -> None:
        self.object = 0
        self.times: dict[str, float] = {}

    def took(self, step: int, cause: int, at: float, name: Any, before: Any, event: Any, after: Any) -> None:
        """One record was stepped."""
        if name == self.object:
            self.times[type(event).__name__] = at

    def asked(self, step: int, effect: Any) -> None:
        """The step asked the driver for something."""

    def strode(self, entry: Any) -> None:
        """A stride was taken: of what has been read, and is let go."""


def run(point: Point, seed: int) -> list[Row]:
    """Resolve objects of one size at one distance, while others are busy, too."""
    world = Users(RACKS, Policy(seed=seed, borrow="promote", inline_bytes_max=102_400))
    users = world.populate(tasks=False)
    owner, random, watch = users[0], Random(seed), Watch()
    if point["distance"] == "same node":
        reader = world.user(world.add_worker(owner.party.node))
    else:
        reader = users[1 if point["distance"] == "same rack" else 4]
    for party in (owner, reader, world.drivers[reader.party.node], world.drivers[owner.party.node]):
        party.party.watch = watch
    took: list[float] = []
    steps: dict[str, list[float]] = {step: [] for step in STEPS}
    others = [user for user in users if user is not owner and user is not reader]
    world.start(reader, reads(world, owner, reader, point["nbytes"], watch, took, steps))
    for user in others:
        world.start(user, chatter(user, [owner, *[other for other in others if other is not user]], random, took))
    world.run_all()
    took.sort()
    row: Row = {"median": middle(took), "p90": took[len(took) * 9 // 10]}
    return [row | {step: middle(times) for step, times in steps.items()}]


def reads(
    world: Users, owner: User, reader: User, nbytes: int, watch: Watch, took: list[float], steps: dict[str, list[float]]
) -> Script:
    """Read one object after the other, each for the first time."""
    outer = yield from reader.put(10)
    for _ in range(READS):
        yield PAUSE
        handed: list[int] = []
        world.start(owner, hand_over(owner, nbytes, handed))
        while not handed:
            yield PAUSE
        object = watch.object = handed[0]
        watch.times.clear()
        reader.find(outer, object)
        last = began = reader.now()
        yield from reader.get(object)
        for step, event in STEPS.items():
            at = max(last, watch.times.get(event, last))
            steps[step].append(at - last)
            last = at
        took.append(reader.now() - began)
        watch.object = 0
        reader.drop(object)


def hand_over(owner: User, nbytes: int, handed: list[int]) -> Script:
    """Put an object, and let it be known; its owner lets it go later, when it has been read."""
    object = yield from owner.put(nbytes)
    handed.append(object)
    yield 1.0 + nbytes / 1e9
    owner.drop(object)


def chatter(user: User, others: list[User], random: Random, took: list[float]) -> Script:
    """Read small objects of others, now and then, until the study is over."""
    outer = yield from user.put(10)
    while len(took) < READS:
        yield random.expovariate(1 / PAUSE)
        other = random.choice(others)
        object = yield from other.put(1000)
        user.find(outer, object)
        yield from user.get(object)
        user.drop(object)
        other.drop(object)


# ------------------------------------------------------------------ figures, and a sentence


def by_size(rows: Rows) -> Figure:
    """Draw latency against size, a line for each distance."""
    figure, axes = drawn()
    for index, distance in enumerate(rows.values("distance")):
        some = Rows([{**row, "ms": row["median"] * 1e3} for row in rows.where(distance=distance)])
        line(axes, some, "nbytes", "ms", distance, index)
    label_sizes(axes, rows.values("nbytes"))
    axes.set(yscale="log", ylabel="latency of the first read (ms)")
    axes.legend(frameon=False)
    return figure


def by_step(rows: Rows) -> Figure:
    """Draw how much of the latency each step takes, from another rack."""
    figure, axes = drawn()
    far = rows.where(distance="other rack")
    sizes, bottom = far.values("nbytes"), [0.0] * len(far.values("nbytes"))
    whole = [far.where(nbytes=size).over_seeds("median").middle for size in sizes]
    for index, step in enumerate(STEPS):
        share = [
            100 * far.where(nbytes=size).over_seeds(step).middle / all_ for size, all_ in zip(sizes, whole, strict=True)
        ]
        axes.bar(range(len(sizes)), share, bottom=bottom, color=COLOURS[index], label=step, width=0.7)
        bottom = [below + part for below, part in zip(bottom, share, strict=True)]
    axes.set_xticks(range(len(sizes)), [sized(size) for size in sizes])
    axes.grid(axis="x")
    axes.set(xlabel="object size", ylabel="part of the latency (%)", ylim=(0, 100))
    legend_above(axes)
    return figure


def conclude(rows: Rows) -> str:
    """Say what distance costs."""
    sizes = rows.values("nbytes")
    near, far = (rows.where(distance=distance) for distance in ("same rack", "other rack"))
    small, large = (far.where(nbytes=size).over_seeds("median") for size in (sizes[0], sizes[-1]))
    beside = near.where(nbytes=sizes[0]).over_seeds("median")
    seeds, part = len(rows.values("seed")), 100 * transfer(far, sizes[-1])
    return (
        f"The first read of {sized(sizes[0])} takes {shown(beside.middle, 's')} in the rack and "
        f"{shown(small.middle, 's')} from another one ({shown(small.least, 's')} to {shown(small.most, 's')} over "
        f"{seeds} seeds); of {sized(sizes[-1])} {shown(large.middle, 's')}, {part:.0f} % of it the transfer."
    )


def transfer(rows: Rows, nbytes: int) -> float:
    """Return the part of the latency that is the transfer."""
    some = rows.where(nbytes=nbytes)
    return some.over_seeds("transfer").middle / some.over_seeds("median").middle


STUDY = Study(
    "latency",
    "How long does a resolution take, by size and distance, and which of its steps takes it?",
    {"nbytes": (100, 10 << 10, 100 << 10, 1 << 20, 16 << 20), "distance": DISTANCES},
    run,
    conclude,
    {"latency-by-size": by_size, "latency-by-step": by_step},
    compares=("distance",),
)
