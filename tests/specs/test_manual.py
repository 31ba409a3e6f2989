"""``freehold docs``: what it prints, what it writes, and what it says to a question that has no answer."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from freehold.core.tables import TABLES
from freehold.specs import manual


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    manual.register(app)
    return app


def ask(app: typer.Typer, *words: str) -> tuple[int, str]:
    answer = CliRunner().invoke(app, ["docs", *words])
    return answer.exit_code, answer.output


@pytest.mark.parametrize("table", [table.name for table in TABLES])
def test_a_diagram_is_printed(app: typer.Typer, table: str) -> None:
    code, output = ask(app, "diagram", table)
    assert code == 0
    assert output.startswith("stateDiagram-v2\n")


def test_a_table_that_is_not_there(app: typer.Typer) -> None:
    code, output = ask(app, "diagram", "parenthood")
    assert code == 2
    assert "there is no table 'parenthood'" in output and "ownership" in output


def test_neither_a_table_nor_write(app: typer.Typer) -> None:
    code, output = ask(app, "diagram")
    assert code == 2 and "name a table" in output


def test_write_makes_stale_blocks_again(app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "docs" / "page.md"
    page.parent.mkdir()
    page.write_text("before\n<!-- begin diagram resolution -->\nstale\n<!-- end -->\nafter\n", "utf-8")
    for name in ("README.md", "CONTRIBUTING.md"):
        (tmp_path / name).write_text("nothing is generated here\n", "utf-8")
    monkeypatch.setattr(manual, "ROOT", tmp_path)
    assert ask(app, "diagram", "--write") == (0, "wrote docs/page.md\n")
    text = page.read_text("utf-8")
    assert text.startswith("before\n<!-- begin diagram resolution -->\n```mermaid\n")
    assert text.endswith("```\n<!-- end -->\nafter\n") and "stale" not in text
    assert ask(app, "diagram", "--write") == (0, "")


def test_write_without_sources(app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manual, "ROOT", tmp_path)
    code, output = ask(app, "diagram", "--write")
    assert code == 2 and "needs a checkout" in output


def test_a_row_says_the_rule_and_where_it_is(app: typer.Typer) -> None:
    code, output = ask(app, "row", "pulling", "PullReply")
    assert code == 0
    assert "resolution: PULLING on PullReply may end in PULLING, RETRYING, FAILED" in output
    assert "try_next, core/resolution.py:" in output
    assert "rule resolve-again: Each location" in output and "source: Ray: pull_manager.cc" in output
    assert "test tests/core/test_resolution.py::test_a_row[pulled: the next]" in output


def test_rows_in_which_nothing_happens(app: typer.Typer) -> None:
    assert (
        "changes nothing" in ask(app, "row", "WAITING", "PutWanted")[1]
        or "cannot happen" in ask(app, "row", "WAITING", "PutWanted")[1]
    )


def test_a_row_that_is_not_there(app: typer.Typer) -> None:
    code, output = ask(app, "row", "PULLING", "SkyFallen")
    assert code == 2 and "no table has a row" in output


@pytest.mark.parametrize("command", ["diagram", "row"])
def test_help_opens_with_a_line_that_runs(app: typer.Typer, command: str) -> None:
    function = getattr(manual, command)
    line = (function.__doc__ or "").splitlines()[0]
    program, *words = line.split()
    assert program == "freehold" and words[:2] == ["docs", command]
    assert ask(app, *words[1:])[0] == 0
    assert line in ask(app, command, "--help")[1]
