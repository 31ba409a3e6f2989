"""The picture: it is drawn, in both formats, and not without anything to draw."""

from pathlib import Path

import pytest

from freehold.backends.bench.figure import draw
from freehold.backends.bench.problems import BenchError
from freehold.backends.bench.run import Report, Settings
from freehold.backends.bench.spread import Figures

FACTS = {"machine": "a machine", "python": "CPython 3.11"}


def report(**rows: dict[str, Figures]) -> Report:
    named = {name.replace("_", "-"): found for name, found in rows.items()}
    return Report(FACTS, Settings(), ["freehold", "Ray"], named)


def test_a_picture_names_rows_contenders_and_figures(tmp_path: Path) -> None:
    found = {
        "freehold": Figures([20_000.0, 30_000.0]),
        "Ray": Figures([500.0]),
        "limit: socket echo, blocking": Figures([20_000.0]),
    }
    draw(report(round_trip=found, init={"freehold": Figures([0.0])}), tmp_path / "picture.svg")
    text = (tmp_path / "picture.svg").read_text("utf-8")
    for words in ("task round trip, one at a time", "Ray", "raw limit", "25.0 k/s", "target", "a machine"):
        assert words in text


def test_a_picture_of_dots(tmp_path: Path) -> None:
    draw(report(init={"freehold": Figures([0.2])}), tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_to_draw(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="nothing to draw"):
        draw(report(first_result={"freehold": Figures([0.2])}), tmp_path / "picture.svg")
