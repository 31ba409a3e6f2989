"""Study: how long do resolutions wait for a busy owner?  Readers come by chance, whether it keeps up or not."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING

from freehold.core.policies import Policy
from freehold.simulator.scripts import Script
from freehold.simulator.studies.plots import COLOURS, drawn
from freehold.simulator.studies.study import Point, Row, Rows, Spread, Study
from freehold.simulator.users import User, Users
from freehold.simulator.world.description import Description
from freehold.simulator.world.units import shown, sized

if TYPE_CHECKING:
    from matplotlib.figure import Figure

READERS = 50  # on nodes of their own
READS = 3000  # of all together
QUANTILES = (*range(1, 100), 99.9)


def run(point: Point, seed: int) -> list[Row]:
    """Let readers come at a rate, on average; each row is a quantile of how long they wait."""
    world = Users(Description(nodes=1 + READERS), Policy(seed=seed, borrow="copy"))
    owner, *readers = world.populate(tasks=False)
    objects, took, random = list[int](), list[float](), Random(seed)
    world.start(owner, own(owner, point["nbytes"], objects))
    world.run_all()
    at = owner.now() - world.clock.now  # until then it is busy with that
    for number in range(READS):
        at += random.expovariate(point["rate"])
        reader = readers[number % READERS]
        world.start(reader, read(reader, objects[number], took), after=at)
    world.run_all()
    took.sort()
    return [{"quantile": q, "seconds": took[min(READS - 1, int(q / 100 * READS))]} for q in QUANTILES]


def own(owner: User, nbytes: int, objects: list[int]) -> Script:
    """Put an object for each read."""
    for _ in range(READS):
        objects.append((yield from owner.put(nbytes)))


def read(reader: User, object: int, took: list[float]) -> Script:
    """Read one object, and let go."""
    outer = yield from reader.put(10)
    began = reader.now()
    reader.find(outer, object)
    yield from reader.get(object)
    took.append(reader.now() - began)
    reader.drop(object, outer)


# ------------------------------------------------------------------ figures, and a sentence


def distribution(rows: Rows) -> Figure:
    """Draw which part of the resolutions takes at most how long; a band from the least to the most of all seeds."""
    figure, axes = drawn()
    some = rows.where(nbytes=min(rows.values("nbytes")))
    for index, rate in enumerate(rows.values("rate")):
        found = [some.where(rate=rate, quantile=q).over_seeds("seconds") for q in QUANTILES]
        parts, colour = [q / 100 for q in QUANTILES], COLOURS[index % len(COLOURS)]
        ends = [f.least * 1e6 for f in found], [f.most * 1e6 for f in found]
        axes.fill_betweenx(parts, *ends, color=colour, alpha=0.2, linewidth=0)
        axes.plot([f.middle * 1e6 for f in found], parts, color=colour, label=f"{rate / 1e3:g}")
    axes.set(xscale="log", xlabel="latency (us)", ylabel="part of the resolutions", ylim=(0, 1))
    axes.legend(frameon=False, title="thousands a second")
    return figure


def heat(rows: Rows) -> Figure:
    """Draw the 99th percentile, against rate and size."""
    from matplotlib.colors import LogNorm

    figure, axes = drawn()
    rates, sizes = rows.values("rate"), rows.values("nbytes")
    cells = [[slowest(rows, rate, nbytes).middle * 1e3 for rate in rates] for nbytes in sizes]
    image = axes.imshow(cells, origin="lower", aspect="auto", cmap="viridis_r", norm=LogNorm())
    for y, row in enumerate(cells):
        for x, value in enumerate(row):
            dark = value > (max(map(max, cells)) * min(map(min, cells))) ** 0.5
            axes.text(
                x,
                y,
                f"{value:.2g}" if value < 10 else f"{value:.0f}",
                ha="center",
                va="center",
                fontsize=6,
                color="white" if dark else "black",
            )
    axes.set_xticks(range(len(rates)), [f"{rate / 1e3:g}" for rate in rates])
    axes.set_yticks(range(len(sizes)), [sized(nbytes) for nbytes in sizes])
    axes.set(xlabel="resolutions (thousands a second)", ylabel="object size")
    axes.grid(visible=False)
    figure.colorbar(image, ax=axes).set_label("99th percentile (ms)")
    return figure


def slowest(rows: Rows, rate: float, nbytes: int) -> Spread:
    """Return the 99th percentile."""
    return rows.where(rate=rate, nbytes=nbytes, quantile=99).over_seeds("seconds")


def conclude(rows: Rows) -> str:
    """Say from which rate on one in a hundred waits ten times as long as at the lowest."""
    nbytes = min(rows.values("nbytes"))
    calm = slowest(rows, min(rows.values("rate")), nbytes)
    low, high = next(
        (pair for pair in pairwise(rows.values("rate")) if slowest(rows, pair[1], nbytes).middle > 10 * calm.middle),
        (max(rows.values("rate")), float("inf")),
    )
    end = f"and {high:,.0f} a second" if high < float("inf") else "a second and more"
    return (
        f"One in a hundred resolutions of {sized(nbytes)} takes {shown(calm.middle, 's')} ({shown(calm.least, 's')} to"
        f" {shown(calm.most, 's')} over seeds) from an idle owner, and ten times as long from one that is asked between"
        f" {low:,.0f} {end}."
    )


STUDY = Study(
    "load",
    "How long do resolutions wait for a busy owner?",
    {"rate": (2e3, 10e3, 20e3, 30e3, 36e3, 42e3), "nbytes": (100, 1024, 10_240, 102_400)},
    run,
    conclude,
    {"load-distribution": distribution, "load-heat": heat},
    nodes=lambda point: 1 + READERS,
)
