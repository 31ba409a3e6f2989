"""The commands of the simulator, as a user gives them."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import typer
from typer.testing import CliRunner

from freehold.simulator import commands, studies
from freehold.simulator.studies.study import Point, Row, Study
from freehold.simulator.validation import calibration, validate
from freehold.simulator.validation.calibration import Measured
from freehold.simulator.validation.workloads import ALL
from freehold.simulator.world.description import read

TINY = Study(
    "tiny", "How much is two?", {"a": (1, 2)}, lambda point, seed: [{"b": 2 * point["a"]}], lambda _: "Two.", {}
)


def sim(*words: object) -> tuple[int, str]:
    app = typer.Typer()
    app.callback()(lambda: None)
    commands.register(app)
    answer = CliRunner().invoke(app, ["sim", *map(str, words)])
    return answer.exit_code, answer.output


def test_a_study_is_run_and_concluded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studies, "STUDIES", {"tiny": TINY})
    code, said = sim("study", "tiny", "--out", tmp_path, "--processes", 1)
    assert code == 0 and said.startswith("How much is two?\nTwo.\n10 rows, hash ")
    code, said = sim("study", "tiny", "--out", tmp_path, "--json")
    assert code == 0 and json.loads(said)["conclusion"] == "Two."
    code, said = sim("study", "tiny", "--out", tmp_path, "--seeds", 2)
    assert code == 2 and "seeds was 5, and is 2" in said


def test_an_interrupted_study_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(studies, "STUDIES", {"tiny": TINY})
    monkeypatch.setattr("freehold.simulator.studies.runner.run_study", interrupted)
    code, said = sim("study", "tiny", "--out", tmp_path)
    assert code == 130 and said.startswith("freehold: interrupted; ") and said.count("\n") == 1


def test_a_study_that_cannot_go_on_says_why_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(point: Point, seed: int) -> list[Row]:
        os.kill(os.getpid(), signal.SIGKILL)
        return []

    monkeypatch.setattr(studies, "STUDIES", {"tiny": TINY._replace(run=killed)})
    (tmp_path / "file").touch()
    code, said = sim("study", "tiny", "--out", tmp_path / "file")
    assert code == 2 and re.fullmatch(r"freehold: \[Errno 20\] Not a directory: '.*file/tiny'\n", said)
    code, said = sim("study", "tiny", "--out", tmp_path)
    assert code == 2 and said.startswith("freehold: a process that ran points was killed") and said.count("\n") == 1


def test_memory_is_looked_at_for_as_many_processes_and_seeds_as_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=10**9))
    monkeypatch.setattr(studies, "STUDIES", {"tiny": TINY._replace(nodes=lambda point: 10_000)})
    (tmp_path / "mine.toml").write_text("study = 'tiny'\nseeds = 1\n[axes]\na = [1]\n")
    for more, expected in (("--processes", 1), 0), (("--processes", 3), 0), (("--processes", 3, "--seeds", 3), 2):
        code, _ = sim("study", tmp_path / "mine.toml", "--out", tmp_path / f"{len(more)}", *more)
        assert code == expected


def test_studies_are_listed_and_others_refused() -> None:
    code, said = sim("study")
    assert code == 0 and [line.split()[0] for line in said.splitlines()] == [*studies.STUDIES]
    code, said = sim("study", "nonsense")
    assert code == 2 and said.startswith(
        "freehold: 'nonsense' is no study, and no file that ends with .toml; there are "
    )
    code, said = sim("study", "nowhere.toml")
    assert code == 2 and said.startswith("freehold: ") and "nowhere.toml" in said and said.count("\n") == 1


def test_a_study_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studies, "STUDIES", {"tiny": TINY})
    (tmp_path / "mine.toml").write_text("study = 'tiny'\nseeds = 2\n[axes]\na = [5, 3, '1 KiB']\n")
    code, said = sim("study", tmp_path / "mine.toml", "--out", tmp_path)
    assert code == 0 and "6 rows" in said
    assert (tmp_path / "mine" / "rows.csv").read_text().splitlines()[1].startswith("3,0,")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let no workload run; return what is asked for."""
    asked: list[str] = []

    def measure(note: object, names: object = (), runs: int = 1) -> Measured:
        asked.append("measure")
        return Measured([1e9], [1e-5], [0.0], [1e-10], {name: [[1.0, 2.0]] for name in ALL})

    def fit(found: object, note: object) -> dict[str, Any]:
        asked.append("fit")
        return {"costs": {"copy": 1e-10, "wake": 1e-5}}

    monkeypatch.setattr(calibration, "measure", measure)
    monkeypatch.setattr(calibration, "fit", fit)
    monkeypatch.setattr(validate, "simulated", lambda name, cluster, seed: [1.0, 2.0])
    return asked


def test_what_validates_says_the_constants_itself(tmp_path: Path, measured: list[str]) -> None:
    code, said = sim("validate", "--out", tmp_path)
    assert code == 0 and "off by 0% on average" in said and measured == ["measure", "fit"]
    assert read(tmp_path / "calibration.toml").costs.wake == pytest.approx(1e-5)
    assert {path.name for path in tmp_path.iterdir()} == {
        "calibration.toml",
        "measured.json",
        "validation.svg",
        "validation.png",
    }


def test_or_takes_those_of_a_file_which_stays_as_it_is(tmp_path: Path, measured: list[str]) -> None:
    code, _ = sim("calibrate", "--calibration", tmp_path / "mine.toml")
    before = (tmp_path / "mine.toml").read_text()
    assert code == 0 and measured == ["measure", "fit"]
    code, _ = sim("validate", "--calibration", tmp_path / "mine.toml", "--out", tmp_path / "found")
    assert code == 0 and measured == ["measure", "fit", "measure"]
    assert (tmp_path / "mine.toml").read_text() == before and not (tmp_path / "found" / "calibration.toml").exists()


def test_a_place_where_nothing_can_be_written_is_refused_before_anything_runs(
    tmp_path: Path, measured: list[str]
) -> None:
    (tmp_path / "file").touch()
    for words in (
        ("calibrate", "--calibration", tmp_path),
        ("calibrate", "--calibration", tmp_path / "file" / "mine.toml"),
        ("validate", "--out", tmp_path / "file"),
    ):
        code, said = sim(*words)
        assert code == 2 and not measured and str(tmp_path) in said and said.count("\n") == 1
        assert said.startswith("freehold: nothing can be written there: ")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_whether_something_can_be_written_is_seen_without_a_trace(tmp_path: Path) -> None:
    (tmp_path / "there.toml").write_text("nodes = 2")
    for name in ("there.toml", "new.toml"):
        commands.check_place(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["there.toml"]
    assert (tmp_path / "there.toml").read_text() == "nodes = 2"


@pytest.mark.parametrize(
    ("text", "what"),
    [(None, "No such file"), ("costs = [", "mine.toml"), ("[costs]\nsend = '1 mile'", "mine.toml:2")],
)
def test_a_file_that_is_wrong_is_refused_before_anything_runs(
    text: str | None, what: str, tmp_path: Path, measured: list[str]
) -> None:
    if text is not None:
        (tmp_path / "mine.toml").write_text(text)
    code, said = sim("validate", "--calibration", tmp_path / "mine.toml")
    assert code == 2 and what in said and not measured
