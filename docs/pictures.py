"""Draw the pictures of the README from a recorded run of the tour.

    python docs/pictures.py            run the tour and draw docs/pictures/holders.svg and resolution.svg
    python docs/pictures.py --check    say which are stale, and fail if any is

Nothing in them is drawn by hand: who holds what, and who says what to whom, is read from the stories of the objects
that the tour's program has names for.  The tour runs on the backend `inline`, where a run is the same every time;
its sleeps are skipped.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import runpy
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
TOUR = ROOT / "examples" / "remote_objects_tour.py"
Story = dict[str, list[Any]]  # the program's name for an object -> the steps of its story

INK, GREY, PALE, PAPER = "#1f2933", "#66737f", "#f3f5f7", "#ffffff"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")  # of objects (Okabe and Ito: told apart by all)
BANDS = {1: "#e3eef7", 2: "#fbe9dd", 3: "#ddf1ea", 0: PAPER}  # of the steps of resolution; 0: what follows


# ---------------------------------------------------------------- the recorded run


def record() -> Story:
    """Run the tour and return the stories of the objects that its program has names for when it ends."""
    import freehold

    stories: Story = {}
    shutdown, sleep, backend = freehold.shutdown, time.sleep, os.environ.get("FREEHOLD_BACKEND")

    def note_and_shut_down() -> None:
        for name, value in sys._getframe(1).f_globals.items():
            if isinstance(value, freehold.ObjectRef) and name != "ref":
                stories[name] = freehold.story(value).steps
        shutdown()

    os.environ["FREEHOLD_BACKEND"] = "inline"
    freehold.shutdown, time.sleep = note_and_shut_down, lambda _: None
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            runpy.run_path(str(TOUR))
    finally:
        freehold.shutdown, time.sleep = shutdown, sleep
        del os.environ["FREEHOLD_BACKEND"]
        if backend is not None:
            os.environ["FREEHOLD_BACKEND"] = backend
    return stories


def nbytes_of(steps: list[Any]) -> int:
    """Return the serialized size of an object, as its story tells it."""
    told = [step.detail for step in steps if step.table in ("promotion", "copy", "resolution")]
    found = [re.search(r"(?:payload|outcome)=(\d+) B|nbytes=(\d+)", detail) for detail in told]
    sizes = [int(match[1] or match[2]) for match in found if match]
    return max(sizes, default=0)


# ---------------------------------------------------------------- what a story says


class Fact(NamedTuple):
    """One line of the picture of who holds what: an object, and what a party has of it."""

    name: str
    text: str


def states(steps: list[Any], until: float) -> dict[tuple[str, str], str]:
    """Return the state of an object's record at each (party, table) at a moment."""
    return {(step.who, step.table): step.after for step in steps if step.at <= until}


def facts(stories: Story, until: float) -> tuple[dict[str, list[Fact]], dict[str, list[Fact]]]:
    """Return what each process and what each node's object store has at a moment."""
    processes: dict[str, list[Fact]] = {}
    stores: dict[str, list[Fact]] = {}
    for name, steps in stories.items():
        size = f"{nbytes_of(steps):,} bytes"
        inline = any(step.after == "INLINE" for step in steps)
        now = states(steps, until)
        held = [node for (node, kind), copy in now.items() if kind == "copy" and copy in STORED]
        copies = f"copies on {' and '.join(sorted(held))}"
        for (who, table), state in now.items():
            if table == "promotion" and (who, "ownership") in now and state in ("INLINE", "PLACED"):
                value = f"value, {size}" + (f"; {copies}" if held else "")
                processes.setdefault(who, []).append(Fact(name, value if inline else f"placeholder; {copies}"))
            elif table == "resolution" and state in ("LOCAL", "IDLE") and (who, "promotion") not in now:
                borrows = now.get((who, "ownership"), "-") not in ("-", "UNHELD")
                text = "borrowed; a hold on the copy" if borrows else "a hold on the copy, kept in case"
                processes.setdefault(who, []).append(Fact(name, text))
            elif table == "copy" and state in STORED:
                stores.setdefault(who, []).append(Fact(name, f"{STORED[state]} copy, {size}"))
    return processes, stores


STORED = {"PRIMARY": "primary", "SECONDARY": "secondary"}


class Arrow(NamedTuple):
    """One message of the picture of the three steps."""

    source: str
    target: str
    label: str
    band: int


def band_of(label: str) -> int:
    """Return to which step of resolution a message belongs; 0 for what follows."""
    if label.startswith("Locate"):
        return 1
    if label == "PullQuery":
        return 2
    return 3 if label in ("ChunkQuery", "ChunkReply", "HoldNotice") else 0


def arrows(steps: list[Any]) -> tuple[str, list[Arrow]]:
    """Return who resolves the object for the first time, and the messages from its want to its hold, in order."""
    first = next(index for index, step in enumerate(steps) if step.event == "CopyWanted")
    reader = steps[first].who
    last = next(i for i, step in enumerate(steps) if step.event == "HoldNotice" and step.who == reader)
    counted: dict[Arrow, int] = {}
    for step in steps[first:last]:
        for wish in step.asks:
            count, label, target = wish_in_words(wish)
            if target:
                arrow = Arrow(step.who, target, label, band_of(label))
                counted[arrow] = counted.get(arrow, 0) + count
    named = [a._replace(label=f"{count} x {a.label}" if count > 1 else a.label) for a, count in counted.items()]
    return reader, sorted(named, key=lambda arrow: arrow.band or 9)


def wish_in_words(wish: str) -> tuple[int, str, str]:
    """Return (how many, message, target) of what a step asked for; the target is "" if it asked its driver."""
    match = re.fullmatch(r"(?:(\d+) x )?(\w+) to (\w+)", wish)
    if match is None:
        return 1, wish, ""
    return int(match[1] or 1), {"Move": "ChunkReply"}.get(match[2], match[2]), match[3]


# ---------------------------------------------------------------- drawing


class Page:
    """An SVG page; everything is drawn in whole pixels, so that the same facts give the same text."""

    def __init__(self, title: str, width: int) -> None:
        self.title, self.width, self.height = title, width, 0
        self.parts: list[str] = []

    def box(self, x: int, y: int, width: int, height: int, fill: str = PAPER, stroke: str = GREY) -> None:
        self.parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="4" fill="{fill}" stroke="{stroke}"/>'
        )
        self.height = max(self.height, y + height)

    def text(self, x: int, y: int, words: str, *, bold: bool = False, colour: str = INK, anchor: str = "start") -> None:
        weight = ' font-weight="bold"' if bold else ""
        safe = words.replace("&", "&amp;").replace("<", "&lt;")
        self.parts.append(f'<text x="{x}" y="{y}" fill="{colour}" text-anchor="{anchor}"{weight}>{safe}</text>')
        self.height = max(self.height, y + 6)

    def line(self, x1: int, y1: int, x2: int, y2: int, *, colour: str = GREY, dashed: bool = False) -> None:
        dash = ' stroke-dasharray="3 4"' if dashed else ""
        self.parts.append(f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}"{dash}/>')

    def arrow(self, x1: int, y: int, x2: int, colour: str = INK) -> None:
        tip = 7 if x2 < x1 else -7
        self.line(x1, y, x2, y, colour=colour)
        self.parts.append(f'<path d="M{x2} {y} l{tip} -4 v8 z" fill="{colour}"/>')

    def chip(self, x: int, y: int, colour: str) -> None:
        self.parts.append(f'<rect x="{x}" y="{y}" width="10" height="10" rx="2" fill="{colour}"/>')

    def svg(self) -> str:
        height = self.height + 16
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{height}" '
            f'viewBox="0 0 {self.width} {height}" font-family="Helvetica, Arial, sans-serif" font-size="13" role="img">'
        )
        page = f'<rect width="{self.width}" height="{height}" fill="{PAPER}"/>'
        return "\n".join([head, f"<title>{self.title}</title>", page, *self.parts, "</svg>", ""])


ROW = 22


def rows(page: Page, x: int, y: int, lines: list[Fact], colours: dict[str, str]) -> int:
    """Draw facts, one a row; return where the next row would be."""
    for fact in lines:
        page.chip(x, y - 9, colours[fact.name])
        page.text(x + 18, y, fact.name, bold=True)
        page.text(x + 92, y, fact.text)
        y += ROW
    return y


def draw_holders(stories: Story) -> str:
    """Draw who holds what while the borrower of step 10 reads `numbers`."""
    owner = stories["numbers"][0].who
    holds = [step for step in stories["numbers"] if step.event == "HoldNotice" and step.who != owner]
    made = {name: steps for name, steps in stories.items() if steps[0].at <= holds[0].at}
    processes, stores = facts(made, holds[0].at)
    colours = dict(zip(made, COLOURS, strict=False))
    page = Page("Who holds what, in step 10 of the tour", 980)
    page.text(20, 28, "Who holds what, while the borrower in step 10 of the tour reads numbers", bold=True)
    bottoms = {}
    for column, node in enumerate(sorted(stores)):
        x, y = 20 + 480 * column, 84
        for who in sorted(who for who in {owner, *processes} if who.startswith(f"{node}w")):
            y = process_box(page, x + 14, y, who, who == owner, processes.get(who, []), colours) + 12
        bottoms[node] = y
    floor = max(bottoms.values())
    for column, node in enumerate(sorted(stores)):
        x = 20 + 480 * column
        height = 34 + ROW * len(stores[node])
        page.box(x + 14, floor, 432, height, PALE)
        page.text(x + 26, floor + 20, f"object store of node {node}: shared by all its processes", bold=True)
        rows(page, x + 26, floor + 44, stores[node], colours)
    frame = page.height + 14 - 46
    inside, page.parts = page.parts[1:], page.parts[:1]
    for column, node in enumerate(sorted(stores)):
        page.box(20 + 480 * column, 46, 460, frame, PAPER, INK)
        page.text(34 + 480 * column, 70, f"node {node}" + (", the head node" if node == "n0" else ""), bold=True)
    page.parts += inside
    notes = "Left out: remote functions, which are objects too, and processes that hold nothing of what is shown."
    page.text(20, page.height + 24, notes, colour=GREY)
    return page.svg()


def process_box(page: Page, x: int, y: int, who: str, owns: bool, lines: list[Fact], colours: dict[str, str]) -> int:
    """Draw one process; return where it ends."""
    height = (60 if owns else 36) + ROW * len(lines)
    page.box(x, y, 432, height)
    page.text(
        x + 12,
        y + 20,
        f"process {who}" + (": the program, which owns all of them" if owns else ": a worker"),
        bold=True,
    )
    if owns:
        page.text(x + 12, y + 44, "its in-process store", colour=GREY)
    rows(page, x + 12, y + (68 if owns else 44), lines, colours)
    return y + height


STEPS = {
    1: ("(1) look up the", "locations"),
    2: ("(2) select one,", "request a copy"),
    3: ("(3) receive", "the copy"),
    0: ("afterwards", ""),
}


def draw_resolution(stories: Story) -> str:
    """Draw the messages of the three steps: for the owner (step 6 of the tour) and for a borrower (step 7)."""
    page = Page("The three steps of resolution, in steps 6 and 7 of the tour", 980)
    y = 28
    for name, who in (("array", "its owner"), ("second", "a borrower")):
        reader, sent = arrows(stories[name])
        page.text(20, y, f"get of a large object by {who}, process {reader}", bold=True)
        owner = stories[name][0].who
        y = sequence(page, y + 14, reader, owner, sent) + 46
    return page.svg()


def sequence(page: Page, y: int, reader: str, owner: str, sent: list[Arrow]) -> int:
    """Draw messages between lifelines; return where they end."""
    parties = list(dict.fromkeys([owner, reader, *[p for arrow in sent for p in (arrow.source, arrow.target)]]))
    parties.sort(key=lambda party: ("w" not in party, party))
    places = {party: 240 + index * 640 // (len(parties) - 1) for index, party in enumerate(parties)}
    top = y + 40
    for party, x in places.items():
        role = "owner" if party == owner else "borrower" if party == reader else "object store"
        page.box(x - 62, y, 124, 30, PALE)
        page.text(x, y + 20, f"{party}: {role}", anchor="middle", bold=True)
    y = top
    marks = len(page.parts)
    for band in (1, 2, 3, 0):
        mine = [arrow for arrow in sent if arrow.band == band]
        height = max(len(mine) * 26 + 12, 40)
        page.box(20, y, 940, height, BANDS[band], BANDS[band])
        page.text(32, y + 24 if not STEPS[band][1] else y + 18, STEPS[band][0], bold=True)
        page.text(32, y + 34, STEPS[band][1], bold=True)
        if not mine:
            page.text(places[reader] + 10, y + 24, "the owner knows them: no message", colour=GREY)
        for index, arrow in enumerate(mine):
            place_arrow(page, places, arrow, y + 26 + index * 26)
        y += height + 2
    drawn, page.parts = page.parts[marks:], page.parts[:marks]
    page.parts += [part for part in drawn if part.startswith("<rect")]  # the bands, below the lifelines
    for x in places.values():
        page.line(x, top - 10, x, y, dashed=True)
    page.parts += [part for part in drawn if not part.startswith("<rect")]
    return y


def place_arrow(page: Page, places: dict[str, int], arrow: Arrow, y: int) -> None:
    """Draw one message, its name above it."""
    x1, x2 = places[arrow.source], places[arrow.target]
    page.arrow(x1, y, x2, INK if arrow.band else GREY)
    left, right = min(x1, x2), max(x1, x2)
    inner = [x for x in places.values() if left < x < right]
    middle = (left + min([*inner, right])) // 2
    page.text(middle, y - 5, arrow.label, anchor="middle", colour=INK if arrow.band else GREY)


# ---------------------------------------------------------------- the files


def drawn() -> Iterator[tuple[Path, str]]:
    """Yield every picture's path and what it should contain."""
    stories = record()
    yield PICTURES / "holders.svg", draw_holders(stories)
    yield PICTURES / "resolution.svg", draw_resolution(stories)


def main() -> int:
    """Write the pictures that are stale, or name them."""
    stale = [(path, text) for path, text in drawn() if not path.exists() or path.read_text("utf-8") != text]
    for path, text in stale:
        if "--check" in sys.argv:
            print(f"{path.name} is stale: run python docs/pictures.py")
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
