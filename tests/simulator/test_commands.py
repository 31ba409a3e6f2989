"""The commands of the simulator, as a user gives them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from freehold.simulator import commands, studies
from freehold.simulator.studies.study import Study
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
        return Measured([1e9], [1e-5], [1e-10], {name: [[1.0, 2.0]] for name in ALL})

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
