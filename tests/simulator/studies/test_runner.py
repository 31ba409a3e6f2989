"""Studies are run on all cores, kept as they go, and are the same whoever was first."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from freehold.simulator.studies.plots import drawn, line
from freehold.simulator.studies.runner import ProcessLost, digest, run_study
from freehold.simulator.studies.study import Point, Row, Rows, Spread, Study, middle


def measure(point: Point, seed: int) -> list[Row]:
    """Two rows for each point."""
    return [{"sum": point["a"] + len(point["b"]) + seed / 10, "which": which} for which in ("x", "y")]


def broken(point: Point, seed: int) -> list[Row]:
    if point["a"] == 2:
        raise RuntimeError("this point cannot be measured")
    return measure(point, seed)


def deadly(point: Point, seed: int) -> list[Row]:
    if point["a"] == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return measure(point, seed)


def endless(point: Point, seed: int) -> list[Row]:
    while point["a"] == 2:
        signal.pause()
    return measure(point, seed)


def curve(rows: Rows) -> Any:
    figure, axes = drawn()
    line(axes, rows, "a", "sum", "sum", 0)
    return figure


STUDY = Study("sums", "What is the sum?", {"a": (1, 2), "b": ("u", "vv")}, measure, str, {"curve": curve}, seeds=3)


def test_every_point_is_run_with_every_seed(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    rows = run_study(STUDY, tmp_path, 2, lambda done, every: told.append((done, every)))
    assert len(rows) == 2 * 2 * 3 * 2 and told == [(done, 12) for done in range(13)]
    assert [row["seed"] for row in rows.where(a=2, b="vv", which="y")] == [0, 1, 2]
    assert rows.where(a=2, b="vv").over_seeds("sum") == Spread(4.1, 4.0, 4.2)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["axes"] == {"a": [1, 2], "b": ["u", "vv"]} and manifest["seeds"] == 3


def test_the_rows_are_the_same_whoever_was_first(tmp_path: Path) -> None:
    one, two = run_study(STUDY, tmp_path / "one", 1), run_study(STUDY, tmp_path / "two", 2)
    assert one.rows == two.rows and digest(one) == digest(two)
    assert (tmp_path / "one" / "rows.csv").read_bytes() == (tmp_path / "two" / "rows.csv").read_bytes()


def test_an_interrupted_study_goes_on_where_it_was(tmp_path: Path) -> None:
    """It was killed amid a row of the third point: the two that are whole are not measured again."""
    whole = run_study(STUDY, tmp_path / "whole", 1)
    run_study(STUDY, tmp_path, 1)
    lines = (tmp_path / "rows.csv").read_text().splitlines(keepends=True)
    (tmp_path / "rows.csv").write_text("".join(lines[:6]) + lines[6][:5])
    told: list[int] = []
    rows = run_study(STUDY, tmp_path, 1, lambda done, every: told.append(done))
    assert told[0] == 2 and rows.rows == whole.rows
    told.clear()
    assert run_study(STUDY, tmp_path, 1, lambda done, every: told.append(done)).rows == whole.rows and told == [12]


def test_what_is_finished_is_kept_when_a_point_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="cannot be measured"):
        run_study(STUDY._replace(run=broken), tmp_path, 1)
    told: list[int] = []
    run_study(STUDY, tmp_path, 1, lambda done, every: told.append(done))
    assert told[0] == 6


def test_rows_of_something_else_are_left_alone(tmp_path: Path) -> None:
    run_study(STUDY, tmp_path, 1)
    before = (tmp_path / "rows.csv").read_bytes()
    with pytest.raises(ValueError, match=r"manifest\.json: .* of something else: seeds was 3, and is 2"):
        run_study(STUDY._replace(seeds=2), tmp_path, 1)
    assert (tmp_path / "rows.csv").read_bytes() == before


def test_more_seeds_go_on_from_what_is_there(tmp_path: Path) -> None:
    """And the rows are those of a study that had them from the beginning."""
    run_study(STUDY, tmp_path / "one", 1)
    told: list[int] = []
    more = run_study(STUDY._replace(seeds=4), tmp_path / "one", 1, lambda done, every: told.append(done))
    assert told[0] == 12
    assert digest(more) == digest(run_study(STUDY._replace(seeds=4), tmp_path / "other", 1))


@pytest.mark.parametrize("text", ["", '{"study": "su', "[]", "\udcff"])
def test_a_manifest_that_cannot_be_read_is_named(text: str, tmp_path: Path) -> None:
    run_study(STUDY, tmp_path, 1)
    before = (tmp_path / "rows.csv").read_bytes()
    (tmp_path / "manifest.json").write_text(text, errors="surrogateescape")
    with pytest.raises(
        ValueError, match=r"manifest\.json: this does not say of what the rows there are: .*; remove it"
    ):
        run_study(STUDY, tmp_path, 1)
    assert (tmp_path / "rows.csv").read_bytes() == before


def test_a_manifest_is_there_as_a_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is killed while it writes the new one: the old one is as it was."""
    run_study(STUDY, tmp_path, 1)
    before = (tmp_path / "manifest.json").read_bytes()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        run_study(STUDY._replace(seeds=4), tmp_path, 1)
    assert (tmp_path / "manifest.json").read_bytes() == before


def test_a_process_that_is_killed_ends_the_study_with_one_line(tmp_path: Path) -> None:
    """As Linux kills it when memory is short: nobody waits for its point, and the other points are kept."""
    with pytest.raises(ProcessLost, match=r"was killed, .*; .*rows\.csv has what is finished: say it again") as raised:
        run_study(STUDY._replace(run=deadly), tmp_path, 1)
    assert "\n" not in str(raised.value) and not multiprocessing.active_children()
    told: list[int] = []
    run_study(STUDY, tmp_path, 1, lambda done, every: told.append(done))
    assert told[0] == 6


def test_an_interrupt_ends_all_processes(tmp_path: Path) -> None:
    """Also one in the midst of a point that never ends."""

    def interrupted(done: int, every: int) -> None:
        if done == 6:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_study(STUDY._replace(run=endless), tmp_path, 2, interrupted)
    assert not multiprocessing.active_children()
    told: list[int] = []
    run_study(STUDY, tmp_path, 1, lambda done, every: told.append(done))
    assert told[0] == 6


@pytest.mark.parametrize(("values", "what"), [([3.0], 3.0), ([1, 2], 1.5), ([5, 1, 3], 3)])
def test_the_middle(values: list[float], what: float) -> None:
    assert middle(values) == what


def test_figures_are_the_same_each_time(tmp_path: Path) -> None:
    from freehold.simulator.studies.plots import save

    rows = run_study(STUDY, tmp_path, 1)
    first, again = (save(curve(rows), tmp_path / name, "curve") for name in ("one", "two"))
    assert [path.suffix for path in first] == [".svg", ".png"]
    assert first[0].read_bytes() == again[0].read_bytes()
    assert "sum" not in first[0].read_text() or first[1].stat().st_size > 5000
