"""How all figures look: one column wide, colours that everybody can tell apart, SVG and PNG.

Refuses to know what is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freehold.core.policies import DEFAULT
from freehold.simulator.world.units import sized

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from freehold.simulator.studies.study import Rows, Spread

COLUMN = 3.5  # inches: of a journal's column
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito
GREY = "#66737f"  # of what is not measured
MARKS = ("o", "s", "^", "D", "v", "P")
STYLE: dict[str, Any] = {
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 8,
    "legend.fontsize": 7,
    "legend.handlelength": 3.0,  # two dashes, whatever mark is amid them
    "legend.columnspacing": 1.0,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e7eb",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "svg.hashsalt": "freehold",  # the same figure is the same file
    "svg.fonttype": "none",
    "figure.constrained_layout.use": True,
}


def drawn(height: float = 2.4) -> tuple[Figure, Axes]:
    """Return an empty figure of one column's width, and its axes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    matplotlib.rcParams.update(STYLE)  # type: ignore[arg-type]
    figure, axes = pyplot.subplots(figsize=(COLUMN, height))
    return figure, axes


def line(axes: Axes, rows: Rows, x: str, y: str, label: str, index: int, linestyle: str = "-") -> None:
    """Draw a column against another one: the middle of all seeds, and a band from the least to the most."""
    xs = sorted(rows.values(x))
    spreads = [rows.where(**{x: value}).over_seeds(y) for value in xs]
    colour = COLOURS[index % len(COLOURS)]
    axes.fill_between(xs, [s.least for s in spreads], [s.most for s in spreads], color=colour, alpha=0.2, linewidth=0)
    mark = MARKS[index % len(MARKS)]
    axes.plot(xs, [s.middle for s in spreads], linestyle, marker=mark, color=colour, label=label)


def either_way(
    rows: Rows, column: str, axis: str, ways: tuple[str, str], of: str, label: str, unit: float = 1.0
) -> Figure:
    """Draw a column against size, two lines for each value of ``of``, one for each way; and mark the inline limit."""
    figure, axes = drawn(2.8)
    for index, value in enumerate(rows.values(of)):
        for way, style in zip(ways, ("--", "-"), strict=True):
            some = rows.where(**{of: value, axis: way})
            shown = type(rows)([{**row, column: row[column] / unit} for row in some])
            line(axes, shown, "nbytes", column, f"{way}, {value} {of[: -1 if value == 1 else None]}", index, style)
    axes.axvline(DEFAULT.inline_bytes_max, color=GREY, linewidth=0.8)
    label_sizes(axes, rows.values("nbytes"))
    axes.set(yscale="log", xlabel="object size; the line: the inline limit", ylabel=label)
    legend_above(axes)
    return figure


def label_sizes(axes: Axes, sizes: Sequence[int]) -> None:
    """Mark sizes of objects on a logarithmic axis."""
    axes.set_xscale("log")
    axes.set_xticks(sizes, [sized(size) for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel("object size")


def legend_above(axes: Axes) -> None:
    """Put the legend where no line is."""
    axes.legend(frameon=False, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))


def above(found: Spread) -> str:
    """Say from which size on something is so."""
    if found.middle == inf:
        return "never"
    interval = f" ({sized(found.least)} to {sized(found.most)} over seeds)" if found.most < inf else ""
    return f"above {sized(found.middle)}{interval}"


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write a figure as SVG and PNG; return where."""
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.svg", folder / f"{name}.png"]
    figure.savefig(paths[0], metadata={"Date": None})
    figure.savefig(paths[1], dpi=200)
    pyplot.close(figure)
    return paths
