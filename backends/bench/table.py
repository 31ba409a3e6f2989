"""A report as people and programs read it: a table on the terminal, Markdown, or data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from freehold.backends.bench.contenders import OURS, PEERS, VARIANTS
from freehold.backends.bench.rows import ROWS, SCALE, Row, Unit
from freehold.backends.bench.run import NO_OPERATION, Report
from freehold.backends.bench.spread import Figures

LIMIT = "limit: "
NONE = "-"
WIDTH = 220  # of a table that goes to a file
LEGEND = (
    "The median of the windows, and half of the way from the lowest to the highest. "
    "Cold: the first operation of a new process. Of target, of the best peer: how many times as good; "
    "1.00 or more has reached it."
)


class Sheet(msgspec.Struct):
    """A table as text: its title, heads and rows of cells."""

    title: str
    heads: list[str]
    rows: list[list[str]]


def amount(value: float | None, unit: Unit) -> str:
    """Return a figure with three digits and its unit."""
    if value is None:
        return NONE
    if unit == "/s" and value >= 1000:
        power = "M" if value >= 999_500 else "k"
        return f"{digits(value / (1e6 if power == 'M' else 1e3))} {power}/s"
    if unit in SCALE:
        seconds = value / SCALE[unit]
        best = next(name for name in ("s", "ms", "us") if abs(seconds) * SCALE[name] >= 0.9995 or name == "us")
        return f"{digits(seconds * SCALE[best])} {best}"
    if unit == "B" and abs(value) >= 1000:
        return f"{value:,.0f} B"
    return f"{digits(value)} {unit}"


def digits(value: float) -> str:
    """Return a number with three significant digits, and no exponent."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    value = float(f"{value:.3g}")
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def with_spread(figures: Figures | None, unit: Unit) -> str:
    """Return the median, and how far the windows lie apart."""
    if figures is None or figures.median is None:
        return NONE
    apart = f" ±{figures.spread:.0%}" if len(figures.windows) > 1 else ""
    return f"{amount(figures.median, unit)}{apart}"


def ratio(row: Row, figure: float | None, other: float | None) -> str:
    """Return how many times better a figure is than another."""
    if not figure or not other:
        return NONE
    return f"{digits(row.times_better(figure, other))} x"


def best_peer(row: Row, found: dict[str, Figures], peers: Sequence[str]) -> float | None:
    """Return the best figure of a peer, None if no peer has one."""
    medians = [found[peer].median for peer in peers if peer in found]
    known = [median for median in medians if median is not None]
    return (max if row.higher_is_better else min)(known, default=None)


def target_of(row: Row, found: dict[str, Figures]) -> float | None:
    """Return what freehold must reach: a number, or a part of a raw limit of the same run."""
    if row.target_part is not None:
        name, part = row.target_part
        limit = found.get(LIMIT + name, Figures()).median
        if limit is not None:
            return limit * part if row.higher_is_better else limit / part
    return row.target


def limits(row: Row, found: dict[str, Figures]) -> str:
    """Return the raw limits of a row."""
    named = [(name.removeprefix(LIMIT), figures) for name, figures in found.items() if name.startswith(LIMIT)]
    return "; ".join(f"{name} {amount(figures.median, row.unit)}" for name, figures in named if figures.windows) or NONE


def sheets(report: Report) -> list[Sheet]:
    """Return the tables of a report: against targets and peers, and what the defaults cost."""
    peers = report.titles[1:]
    heads = ["operation", OURS.title, "cold", "target", "of target", "raw limits", *peers]
    heads += ["of the best peer"] if peers else []
    first = Sheet("freehold beside the limits of this machine" + (", and its peers" if peers else ""), heads, [])
    second = Sheet("What the defaults cost", ["operation", "defaults", *(entry.title for entry in VARIANTS)], [])
    for row in ROWS:
        found = report.rows.get(row.name)
        if found is None:
            continue
        if row.variants:
            second.rows.append([row.title, *variant_cells(row, found)])
        else:
            first.rows.append([row.title, *cells(row, found, peers)])
    return [sheet for sheet in (first, second) if sheet.rows]


def cells(row: Row, found: dict[str, Figures], peers: Sequence[str]) -> list[str]:
    """Return the cells of a row after its title."""
    ours = found.get(OURS.title, Figures())
    target = target_of(row, found)
    line = [with_spread(ours, row.unit), amount(ours.cold, row.unit), amount(target, row.unit)]
    line += [ratio(row, ours.median, target), limits(row, found)]
    line += [with_spread(found.get(peer), row.unit) for peer in peers]
    return [*line, ratio(row, ours.median, best_peer(row, found, peers))] if peers else line


def variant_cells(row: Row, found: dict[str, Figures]) -> list[str]:
    """Return the cells of a row about switches: each with how many times as good as the defaults it is."""
    usual = found.get(OURS.title, Figures())
    line = [with_spread(usual, row.unit)]
    for entry in VARIANTS:
        other = found.get(entry.title, Figures())
        times = ratio(row, other.median, usual.median)
        line.append(f"{with_spread(other, row.unit)}, {times} the defaults" if other.windows else NONE)
    return line


def notes(report: Report) -> list[str]:
    """Return what a reader of the tables must know beside them."""
    lines = [f"{name}: {text}" for name, text in report.facts.items()]
    lines.append(f"{report.settings.rounds} windows of {report.settings.seconds:g} s; at most "
                 f"{report.settings.whole_rounds} of what takes long. {LEGEND}")  # fmt: skip
    if report.settings.part < 1:
        lines.append(f"Only {report.settings.part:.0%} of the objects and tasks of the full run: no figure to quote.")
    parts = {entry.title: entry.part for entries in PEERS.values() for entry in entries}
    fewer = [f"{title} one in {parts[title]}" for title in report.titles if parts.get(title, 1) > 1]
    if fewer:
        lines.append(f"Of a million objects or tasks {', '.join(fewer)}: all would take too long.")
    for name, found in report.rows.items():
        for title, figures in found.items():
            if figures.missing not in ("", NO_OPERATION):
                lines.append(f"{title} has no figure for {name}: {figures.missing}")
    return [*lines, *report.remarks]


def failed(report: Report) -> bool:
    """Tell whether freehold itself, under any switches, could not do a row."""
    own = (OURS.title, *(entry.title for entry in VARIANTS))
    return any(found[title].missing for found in report.rows.values() for title in own if title in found)


def show(report: Report) -> None:
    """Print the tables, and what must be known beside them."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH)
    for sheet in sheets(report):
        table = Table(title=sheet.title, title_justify="left", row_styles=["", "dim"])
        for number, head in enumerate(sheet.heads):
            table.add_column(head, justify="left" if number == 0 or head == "raw limits" else "right")
        for line in sheet.rows:
            table.add_row(*line)
        console.print(table, markup=False)
    for note in notes(report):
        console.print(note, markup=False)


def as_markdown(report: Report) -> str:
    """Return the tables as Markdown."""
    lines = []
    for sheet in sheets(report):
        lines += [f"**{sheet.title}**", ""]
        lines += [markdown_row(sheet.heads), "|---" + "|---:" * (len(sheet.heads) - 1) + "|"]
        lines += [*map(markdown_row, sheet.rows), ""]
    return "\n".join([*lines, *(f"- {note}" for note in notes(report))])


def markdown_row(cells: Sequence[str]) -> str:
    """Return cells as a row of a Markdown table."""
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def list_of_rows(rows: Sequence[Row]) -> str:
    """Return the rows by name, with the targets and what these were set against."""
    width = max(len(row.name) for row in rows)
    lines = []
    for row in rows:
        target = f"; target {amount(row.target, row.unit)}" if row.target is not None else ""
        seen = f" (set against {row.seen})" if row.seen else ""
        switches = ", under other switches" if row.variants else ""
        lines.append(f"{row.name:{width}}  {row.title}{switches}{target}{seen}")
    return "\n".join(lines)


def as_data(report: Report) -> dict[str, Any]:
    """Return the report for programs: every window, in the unit of its row."""
    data: dict[str, Any] = msgspec.to_builtins(report)
    by_name = {row.name: row for row in ROWS}
    data["rows"] = {
        name: {
            "title": by_name[name].title,
            "unit": by_name[name].unit,
            "target": target_of(by_name[name], found),
            "figures": {title: {**msgspec.to_builtins(figures), "median": figures.median, "spread": figures.spread}
                        for title, figures in found.items()},
        }
        for name, found in report.rows.items()
    }  # fmt: skip
    return data
