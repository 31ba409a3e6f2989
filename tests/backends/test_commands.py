"""``freehold bench``: what it says to a question that has no answer, before it measures anything."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from freehold.backends import commands


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    commands.register(app)
    return app


def ask(app: typer.Typer, *words: str) -> tuple[int, str]:
    answer = CliRunner().invoke(app, ["bench", *words])
    return answer.exit_code, answer.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only", "put-tiny"], "there is no row 'put-tiny'"),
        (["--against", "spark"], "there is no peer 'spark'"),
        (["--against", "pool,spark"], "there is no peer 'spark'"),
        (["--against", "ray", "--peers", "/nowhere"], "there is no interpreter /nowhere"),
        (["--figure", "picture.bmp"], "the name must end in .png or .svg"),
        (["--json", "no/such/folder.json"], "no/such/folder.json cannot be written: No such file"),
        (["--figure", "/proc/picture.svg"], "/proc/picture.svg cannot be written"),
    ],
)
def test_a_question_without_an_answer(app: typer.Typer, words: list[str], said: str) -> None:
    code, output = ask(app, *words)
    assert code == 2 and said in output
    assert output.startswith("freehold bench: ") and output.count("\n") == 1


def test_looking_whether_a_file_can_be_written_leaves_none(tmp_path: Path) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.png"
    old.write_text("kept")
    commands.check_targets(old, new)
    assert old.read_text() == "kept" and not new.exists()


def test_the_rows_are_listed(app: typer.Typer) -> None:
    code, output = ask(app, "--rows")
    assert code == 0 and "round-trip" in output and "target 25.0 k/s" in output


def test_help_opens_with_a_line_that_runs(app: typer.Typer) -> None:
    line = (commands.bench.__doc__ or "").splitlines()[0]
    assert line.startswith("freehold bench ") and ask(app, *line.split()[2:], "--rows")[0] == 0
    assert line in ask(app, "--help")[1]
