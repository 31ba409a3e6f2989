"""Runs from end to end: what they find, how they end, and that nothing is left of them."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from freehold.backends.bench.peers import Peers
from freehold.backends.bench.problems import BenchError
from freehold.backends.bench.rows import ROWS
from freehold.backends.bench.run import chosen_rows, groups, lanes_of

NOBODY = Peers([], {})
pytestmark = pytest.mark.local


def test_an_unknown_row() -> None:
    with pytest.raises(BenchError, match="there is no row 'put-tiny'; there are step-changing, "):
        chosen_rows(["put-small", "put-tiny"])


def test_rows_stand_in_the_order_of_the_table() -> None:
    assert [row.name for row in chosen_rows(["init", "import"])] == ["import", "init"]
    assert chosen_rows([]) == list(ROWS)


def test_rows_of_one_measurement_are_measured_together() -> None:
    together = [[row.name for row in group] for group in groups(ROWS)]
    assert ["queued-memory", "queued-drain"] in together
    assert ["round-trip"] in together and ["round-trip-hogs"] in together and ["defaults-round-trip"] in together
    assert sum(map(len, together)) == len(ROWS)


def test_who_takes_part() -> None:
    rows = {row.name: row for row in ROWS}
    assert [lane.title for lane in lanes_of(rows["put-warm"], NOBODY)] == ["freehold", "limit: memcpy"]
    assert [lane.title for lane in lanes_of(rows["defaults-put-small"], NOBODY)] == [
        "freehold",
        "without trace rings",
        "without call sites",
        "FREEHOLD_CHECK=step",
    ]


@pytest.mark.slow
def test_a_quick_run_of_rows_of_every_kind(bench, tmp_path: Path) -> None:
    data, picture = tmp_path / "data.json", tmp_path / "picture.svg"
    names = ["put-small", "object-memory", "put-first-touch", "defaults-round-trip"]
    words = [word for name in names for word in ("--only", name)]
    code, output, errors = bench.run("--quick", *words, "--json", str(data), "--figure", str(picture))
    assert (code, errors) == (0, ""), output
    found = json.loads(data.read_text("utf-8"))
    assert list(found["rows"]) == names
    assert set(found["rows"]["put-small"]["figures"]) == {"freehold", "limit: pickle into a dict"}
    for row in found["rows"].values():
        for figures in row["figures"].values():
            assert figures["missing"] == "" and all(window > 0 for window in figures["windows"])
            assert len(figures["windows"]) in (1, 2) and figures["median"] > 0
    assert found["rows"]["put-small"]["figures"]["freehold"]["cold"] > 0
    assert "put small, and drop" in output and "What the defaults cost" in output and "kernel: Linux" in output
    assert "put 100 MB, first touch" in picture.read_text("utf-8")
    assert bench.left() == []


@pytest.mark.slow
def test_markdown_against_a_pool(bench) -> None:
    code, output, errors = bench.run("--quick", "--only", "round-trip-hogs", "--against", "pool", "--markdown")
    assert (code, errors) == (0, "")
    head, _, row = [line.split(" | ") for line in output.splitlines() if line.startswith("|")]
    assert head[6:8] == ["Pool", "ProcessPool"] and len(head) == len(row)
    assert row[6].endswith("%") and row[7].endswith("%")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", ["round-trip-hogs", "queued-drain", "shutdown-busy"])
def test_a_run_that_is_interrupted_leaves_nothing(bench, number: signal.Signals, name: str) -> None:
    process = bench.start("--only", name, "--seconds", "20")
    due = time.monotonic() + 30
    while time.monotonic() < due and len(bench.processes()) < 4:  # itself, a contender and two of its processes
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number and output == errors == ""
    assert bench.left() == []


@pytest.mark.slow
def test_a_run_that_is_killed_leaves_no_process(bench) -> None:
    process = bench.start("--only", "round-trip-hogs", "--seconds", "1")
    due = time.monotonic() + 30
    while time.monotonic() < due and len(bench.processes()) < 4:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    while time.monotonic() < due + 30 and bench.processes():
        time.sleep(0.05)
    assert bench.processes() == []
    for path in bench.folder.glob("fb-*/*"):  # the folder of a contender is the benchmark's to remove
        path.unlink()
    for path in bench.folder.iterdir():
        path.rmdir()
