"""Study: what others have measured, simulated; constants are taken from some points, and the rest is predicted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from math import log
from typing import TYPE_CHECKING, Any

from freehold.simulator.published import locality, network, recovery, throughput
from freehold.simulator.published.claims import Claim, claims
from freehold.simulator.published.points import Point, fitted, points, rows
from freehold.simulator.published.worlds import Way
from freehold.simulator.studies.plots import COLOURS, GREY, MARKS, drawn, legend_above
from freehold.simulator.studies.study import Point as GridPoint
from freehold.simulator.studies.study import Row, Rows, Study, middle

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GAP = 7  # between two rows
ALIKE = 1.1  # published values of two schemes that differ by less than this factor have no order
EXPERIMENTS: Mapping[str, Callable[[Way, Any], float]] = {
    "F1": throughput.latency,
    "F3": throughput.spread,
    "F4": throughput.colocated,
    "F6": recovery.recovery,
    "F8": locality.compared,
    "F12": network.round_trip,
}


def run(point: GridPoint, seed: int) -> list[Row]:
    """Simulate a point."""
    known = points()[point["point"]]
    way = Way(known.series, seed, contention=point["contention"] == "on")
    return [{"simulated": EXPERIMENTS[known.row](way, known.at)}]


# ------------------------------------------------------------------ how far it is off


def simulated(found: Rows, contention: str = "on") -> dict[str, float]:
    """Return the value of each point, by name."""
    some = found.where(contention=contention)
    return {name: some.where(point=name).over_seeds("simulated").middle for name in some.values("point")}


def error(values: Mapping[str, float], names: Sequence[str]) -> tuple[float, float, int]:
    """Return by which factor points lie outside of what was published: the middle, the most, and how many too far."""
    off = [factor(points()[name], values[name]) for name in names]
    far = sum(one > rows()[points()[name].row].within for name, one in zip(names, off, strict=True))
    return middle(off), max(off), far


def factor(point: Point, value: float) -> float:
    """Return by which factor a value is too much or too little."""
    ratio = point.ratio(value)
    return max(ratio, 1 / ratio)


def order(values: Mapping[str, float], row: str) -> tuple[int, int]:
    """Return in how many pairs of series, at one place of the axis, the greater one is the same, and of how many."""
    same = pairs = 0
    for at in rows()[row].at:
        group = [point for point in points().values() if point.row == row and point.at == at and point.name in values]
        for one, other in combinations(group, 2):
            apart = log(one.value / other.value)
            if abs(apart) > log(ALIKE):
                pairs += 1
                same += apart * log(values[one.name] / values[other.name]) > 0
    return same, pairs


def predicted(values: Mapping[str, float]) -> list[str]:
    """Return the points from which no constant is taken."""
    return [name for name in values if name not in fitted()]


def table(found: Rows) -> Iterator[tuple[str, ...]]:
    """Yield what is compared, line by line: a head first."""
    yield "point", "published", "simulated", "ratio", "within", "fitted?"
    values, known = simulated(found), points()
    for row, about in rows().items():
        some = [known[name] for name in values if known[name].row == row]
        if not some:
            continue
        same, pairs = order(values, row)
        kept = f"; {same} of {pairs} pairs in the published order" if pairs else ""
        yield f"{row}: {about.title} ({about.unit}){kept}; {about.source}", "", "", "", "", ""
        for point in some:
            yield line(point, values[point.name], about.within)
        for claim in claims(values):
            if claim.row == row:
                yield claimed(claim, values)


def line(point: Point, value: float, within: float) -> tuple[str, ...]:
    """Return a point's line of the table."""
    published = number(point.least) if point.least == point.most else f"{point.least:g} to {point.most:g}"
    far = "too far" if factor(point, value) > within else ""
    what = "fitted" if point.name in fitted() else far
    return point.name, published, number(value), f"{point.ratio(value):.2f}", f"{within:g}", what


def claimed(claim: Claim, values: Mapping[str, float]) -> tuple[str, ...]:
    """Return a claim's line of the table."""
    published, ours = claim.of({name: point.value for name, point in points().items()}), claim.of(values)
    ratio = f"{ours / published:.2f}"
    bounds = f"{claim.least:g}-{claim.most:g}"
    return claim.what, number(published), number(ours), ratio, bounds, "" if claim.holds(values) else "not so"


def number(value: float) -> str:
    """Return a number with four digits, or all before the point."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def conclude(found: Rows) -> str:
    """Say how far the simulator is off, and what that is worth."""
    values = simulated(found)
    names = predicted(values)
    typical, most, far = error(values, names)
    same, pairs = map(sum, zip(*[order(values, row) for row in rows()], strict=True))
    some = [claim.holds(values) for claim in claims(values)]
    _, worst, further = error(simulated(found, "off"), names)
    return (
        f"Of {len(values)} published points {len(values) - len(names)} set constants; the other {len(names)} are"
        f" predicted within a factor of {typical:.2f} in the middle and {most:.2f} at the most, {far} of them outside"
        f" of their tolerance; {same} of {pairs} pairs are in the published order, and {sum(some)} of {len(some)}"
        " claims about ratios and shapes hold; if nobody had to share links and processors it would be a factor of"
        f" {worst:.2f} at the most, and {further} outside."
    )


# ------------------------------------------------------------------ figures


def ratios(found: Rows) -> Figure:
    """Draw simulated over published, for each point."""
    figure, axes = drawn(2.8)
    values, known, at = simulated(found), points(), 0
    ticks: list[tuple[float, str]] = []
    for index, (row, about) in enumerate(rows().items()):
        some = [known[name] for name in values if known[name].row == row]
        colour = COLOURS[index % len(COLOURS)]
        axes.fill_between(
            [at - 0.5, at + len(some) - 0.5], 1 / about.within, about.within, color=colour, alpha=0.15, lw=0
        )
        for point in some:
            face = "none" if point.name in fitted() else colour
            axes.plot(
                at, point.ratio(values[point.name]), MARKS[index], color=colour, markerfacecolor=face, markersize=3
            )
            at += 1
        ticks.append((at - len(some) / 2 - 0.5, row))
        at += GAP
    axes.axhline(1.0, color=GREY, linewidth=0.8)
    axes.set(yscale="log", ylabel="simulated / published", xlabel="published figure (hollow: sets a constant)")
    axes.set_yticks([0.5, 0.7, 1.0, 1.4, 2.0], ["0.5", "0.7", "1", "1.4", "2"])
    axes.minorticks_off()
    axes.set_xticks(*map(list, zip(*ticks, strict=True)))
    return figure


def beside(found: Rows, row: str, series: Sequence[str], unit: float, label: str) -> Figure:
    """Draw published points and simulated lines of a row."""
    figure, axes = drawn(2.8)
    values, about = simulated(found), rows()[row]
    for index, name in enumerate(series):
        measured, ours = about.series[name], [values[f"{row} {name} {at}"] for at in about.at]
        colour, mark = COLOURS[index % len(COLOURS)], MARKS[index % len(MARKS)]
        axes.plot(about.at, [value / unit for value in ours], color=colour, label=name)
        axes.plot(about.at, [value / unit for value in measured], mark, color=colour, markerfacecolor="none")
    axes.set(xlabel=about.axis, ylabel=label)
    legend_above(axes)
    return figure


def scaling(found: Rows) -> Figure:
    """Draw tasks a second, of drivers on nodes of their own."""
    return beside(found, "F3", ("ownership", "by value", "leases", "centralized"), 1e3, "tasks (thousands a second)")


def one_node(found: Rows) -> Figure:
    """Draw tasks a second, of drivers on one node."""
    return beside(found, "F4", ("ownership", "by value", "leases", "centralized"), 1e3, "tasks (thousands a second)")


def failing(found: Rows) -> Figure:
    """Draw how long a chain takes whose node dies."""
    series = [f"{scheme}, {size}, failure" for scheme in ("ownership", "leases") for size in ("small", "large")]
    figure = beside(found, "F6", series, 1.0, "chain with a failure (s)")
    (axes,) = figure.axes
    axes.set(xscale="log", yscale="log")
    axes.set_xticks(rows()["F6"].at, rows()["F6"].at)
    axes.set_yticks([10, 20, 50, 100], ["10", "20", "50", "100"])
    axes.minorticks_off()
    return figure


STUDY = Study(
    "published",
    "What others have measured on clusters of theirs: does the simulator say the same?",
    {"point": tuple(points()), "contention": ("on", "off")},
    run,
    conclude,
    {"published-ratios": ratios, "nsdi-spread": scaling, "nsdi-one-node": one_node, "nsdi-recovery": failing},
    seeds=1,
    compares=("point", "contention"),
    nodes=lambda point: 101,
    tasks=True,
)
