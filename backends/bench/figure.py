"""A report as a picture: one line for each row, how many times better than the target each contender is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from freehold.backends.bench.contenders import OURS
from freehold.backends.bench.problems import BenchError
from freehold.backends.bench.rows import ROWS, Row
from freehold.backends.bench.run import Report
from freehold.backends.bench.spread import Figures
from freehold.backends.bench.table import LIMIT, amount, target_of

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # Okabe and Ito: told apart by all eyes
MARKS = ("o", "s", "^", "v", "D", "P")
GREY = "#5f6b76"
ROW_INCHES = 0.36


def drawn_rows(report: Report) -> list[Row]:
    """Return the rows that have a target and a figure of freehold's."""
    return [
        row
        for row in ROWS
        if row.target is not None and report.rows.get(row.name, {}).get(OURS.title, Figures()).windows
    ]


def draw(report: Report, path: Path) -> None:
    """Draw the report into a file.

    Raises:
        BenchError: there is nothing to draw.
    """
    import matplotlib

    rows = drawn_rows(report)
    if not rows:
        raise BenchError("there is nothing to draw: none of the rows has a target and a figure")
    settings: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "freehold", "font.size": 9}
    with matplotlib.rc_context(settings):
        from matplotlib.figure import Figure

        figure = Figure(figsize=(10.5, 1.9 + ROW_INCHES * len(rows)), layout="constrained")
        axes = figure.add_subplot()
        for place, row in enumerate(rows):
            draw_row(axes, place, row, report)
        finish(axes, rows, report)
        figure.suptitle("freehold, its targets, its peers and the machine's limits", x=0.01, ha="left", fontsize=12)
        metadata = {"Date": None} if path.suffix == ".svg" else None
        figure.savefig(path, dpi=150, metadata=metadata)


def draw_row(axes: Any, place: int, row: Row, report: Report) -> None:
    """Draw the figures of a row: limits as bars across, contenders as marks, freehold's windows as a line."""
    found = report.rows[row.name]
    target = target_of(row, found)
    assert target is not None
    for title, figures in found.items():
        if title.startswith(LIMIT) and figures.median:
            axes.plot(
                row.times_better(figures.median, target), place, "|", color=GREY, markersize=14, markeredgewidth=2
            )
    for number, title in reversed(list(enumerate(report.titles))):
        figures = found.get(title, Figures())
        if not figures.median:
            continue
        colour = COLOURS[number % len(COLOURS)]
        times = [row.times_better(figure, target) for figure in figures.windows if figure > 0]
        axes.plot([min(times), max(times)], [place, place], color=colour, linewidth=1.5)
        size, edge = (9, "black") if number == 0 else (6.5, "white")
        axes.plot(
            row.times_better(figures.median, target),
            place,
            MARKS[number % len(MARKS)],
            color=colour,
            markersize=size,
            markeredgecolor=edge,
            markeredgewidth=0.8,
        )


def finish(axes: Any, rows: list[Row], report: Report) -> None:
    """Draw the target, the names of the rows and of the marks, and freehold's figures in their units."""
    from matplotlib.lines import Line2D
    from matplotlib.ticker import FuncFormatter

    axes.axvline(1.0, color="black", linewidth=1.2, zorder=0)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), [row.title for row in rows])
    axes.grid(axis="x", alpha=0.3)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(
        "times as good as the target (log scale); right of the line: reached\n"
        f"{report.facts['machine']}; {report.facts['python']}",
        fontsize=8,
    )
    right = axes.secondary_yaxis("right")
    right.set_yticks(range(len(rows)), [in_figures(row, report) for row in rows])
    right.tick_params(length=0)
    handles = [
        Line2D([], [], linestyle="", marker=MARKS[n % len(MARKS)], color=COLOURS[n % len(COLOURS)], label=title)
        for n, title in enumerate(report.titles)
    ]
    handles.append(Line2D([], [], linestyle="", marker="|", color=GREY, markersize=10, label="raw limit"))
    handles.append(Line2D([], [], color="black", linewidth=1.2, label="target"))
    axes.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(handles), frameon=False)


def in_figures(row: Row, report: Report) -> str:
    """Return freehold's figure and the target, in their unit."""
    found = report.rows[row.name]
    ours, target = found[OURS.title].median, target_of(row, found)
    return f"{amount(ours, row.unit)}  (target {amount(target, row.unit)})"
