"""The study of broadcasts: what must be so whatever the constants are."""

from __future__ import annotations

from pathlib import Path

import pytest

from freehold.simulator.studies.broadcast import BOUNDS, HOW, STUDY, one_source, pipeline, run, tree
from freehold.simulator.studies.files import read_study
from freehold.simulator.studies.study import Rows

NODES = (1, 4, 12)


@pytest.fixture(scope="module")
def rows() -> Rows:
    points = [{"nodes": nodes, "readers": how} for nodes in NODES for how in HOW]
    return Rows([{**point, "seed": seed, **row} for point in points for seed in range(2) for row in run(point, seed)])


def test_all_at_once_read_from_one_source(rows: Rows) -> None:
    """Its cable sends the object as often as there are readers: nobody knows of another copy."""
    for nodes in NODES:
        found = rows.where(nodes=nodes, readers="all at once").over_seeds("seconds").middle
        assert found == pytest.approx(one_source(nodes), rel=0.05) and found > one_source(nodes)


def test_relay_comes_close_to_a_pipeline(rows: Rows) -> None:
    """Each cable carries each byte once: 1.3 times the bound is what was asked of it, at 64 nodes."""
    (row,) = run({"nodes": 64, "readers": "all at once, relay"}, 0)
    assert row["seconds"] < 1.3 * pipeline(64)
    for nodes in NODES:
        found = rows.where(nodes=nodes, readers="all at once, relay").over_seeds("seconds")
        assert found.most < 1.3 * pipeline(nodes)


def test_nobody_is_faster_than_could_be_done(rows: Rows) -> None:
    for row in rows:
        assert row["seconds"] > one_source(1)
    for nodes in (4, 12, 64):
        assert pipeline(nodes) < tree(nodes) < one_source(nodes)


def test_all_ways_to_read_are_compared(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("study = 'broadcast'\n[axes]\nreaders = ['all at once']\n")
    with pytest.raises(ValueError, match=r"mine\.toml:3: the study compares all readers, and needs them all"):
        read_study(path, {"broadcast": STUDY})


def test_the_sentence_and_the_figure_say_what_the_rows_say(rows: Rows) -> None:
    assert STUDY.conclude(rows).startswith("1 GiB comes to 12 nodes in ")
    (axes,) = STUDY.figures["broadcast"](rows).axes
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [*BOUNDS, *HOW]
