"""The commands of the simulator, as a user gives them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from freehold.simulator import commands, studies
from freehold.simulator.studies.study import Study

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
