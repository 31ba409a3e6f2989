"""The manual says what is so: blocks and pictures are fresh, links lead somewhere, names exist, programs run."""

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from freehold.core.machine import Table
from freehold.core.tables import TABLES
from freehold.specs import manual
from freehold.specs.explorer.bounds import Bounds

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = manual.pages()
MACHINES = {"ownership": "OWN", "promotion": "PRO", "resolution": "RES"}
PARTS = ["The picture", "One story", "The rules", "Where in the code"]  # after the one sentence that opens a page


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True
    )


# ---------------------------------------------------------------- what is generated


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_generated_blocks_are_fresh(page: Path) -> None:
    text = page.read_text("utf-8")
    assert manual.rewritten(text) == text, "run: freehold docs diagram --write"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_that_begins_is_one_that_can_be_made(page: Path) -> None:
    text = page.read_text("utf-8")
    begun = re.findall(r"<!-- begin (\w+)", text)
    assert [match[2] for match in manual.BLOCK.finditer(text)] == begun
    assert len(begun) == text.count("<!-- end -->")


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_diagram_has_one_line_for_each_state(table: Table) -> None:
    """A semicolon would end the statement, and the rest of the line would become states of its own."""
    lines = manual.diagram_block(table.name).splitlines()
    assert lines[:2] == ["```mermaid", "stateDiagram-v2"] and lines[-1] == "```"
    assert not [line for line in lines if ";" in line]
    names = {state.name for state in table.states}
    assert {line.split(":")[0].strip() for line in lines[2:-1] if "-->" not in line} == names


def test_the_notebooks_are_made_from_the_scripts() -> None:
    check = run("docs/notebooks.py", "--check")
    assert check.returncode == 0, check.stdout + check.stderr


def test_the_pictures_are_drawn_from_a_run_of_the_tour() -> None:
    check = run("docs/pictures.py", "--check")
    assert check.returncode == 0, check.stdout + check.stderr


def test_the_page_of_studies_has_them_all() -> None:
    check = run("docs/studies.py", "--check")
    assert check.returncode == 0, check.stdout + check.stderr


def script(name: str) -> Any:
    """Return a script of the docs as a module."""
    sys.path.insert(0, str(DOCS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(DOCS))


def test_the_proof_that_is_drawn_is_of_the_pinned_model() -> None:
    proof = script("proof")
    data = json.loads(proof.DATA.read_text("utf-8"))
    assert proof.digest(data) in proof.PICTURE.read_text("utf-8"), "run: python docs/proof.py --draw"
    model, known = json.loads(json.dumps(proof.pinned())), len(data["model"])
    assert data["model"] == model[:known]
    assert model[known:] == json.loads(json.dumps(Bounds()))[known:]  # what came later is as in any
    assert all(search["known"][-1] == search["states"] for search in data["searches"].values())


def test_the_figure_shows_what_was_measured() -> None:
    latency = script("latency")
    data = json.loads(latency.DATA.read_text("utf-8"))
    assert latency.digest(data) in latency.PICTURE.read_text("utf-8"), "run: python docs/latency.py --draw"
    assert data["sizes"] == list(latency.SIZES)
    assert set(data["seconds"]) == set(latency.BACKENDS), "run: make figures"
    assert all(set(readers) == set(latency.READERS) for readers in data["seconds"].values())


# ---------------------------------------------------------------- what a reader can follow


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    targets = [target for target in re.findall(r"\]\(([^)#\s]+)", text) if not target.startswith("http")]
    assert not [target for target in targets if not (page.parent / target).exists()]


def test_every_page_is_listed() -> None:
    listed = (DOCS / "index.md").read_text("utf-8")
    assert not [page.name for page in DOCS.glob("*.md") if page.name != "index.md" and f"({page.name})" not in listed]


@pytest.mark.parametrize("machine", MACHINES)
def test_a_machine_has_five_parts(machine: str) -> None:
    text = (DOCS / f"{machine}.md").read_text("utf-8")
    sentence = text.split("\n\n")[1]
    assert sentence.count(". ") == 0 and sentence.endswith(".")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == PARTS


@pytest.mark.parametrize("machine", MACHINES)
def test_rules_are_numbered_and_name_functions_that_exist(machine: str) -> None:
    text = (DOCS / f"{machine}.md").read_text("utf-8")
    rules = re.findall(r"^- \*\*([A-Z]+)-(\d+)\*\* (.*?)(?=^- |^$)", text, re.MULTILINE | re.DOTALL)
    assert [f"{name}-{number}" for name, number, _ in rules] == [
        f"{MACHINES[machine]}-{number}" for number in range(1, len(rules) + 1)
    ]
    for name, number, rule in rules:
        named = re.findall(r"`(\w+)\.(\w+)`", rule)
        assert named, f"{name}-{number} names no function"
        for module, function in named:
            assert callable(getattr(importlib.import_module(f"freehold.core.{module}"), function)), function


def test_what_the_glossary_names_exists() -> None:
    states = {f"{table.name}: {state.name}" for table in TABLES for state in table.states}
    meanings, code = (DOCS / "glossary.md").read_text("utf-8").split("| word | class |")
    words = set(re.findall(r"^\| \*\*(.*?)\*\*", meanings, re.MULTILINE))
    rows = re.findall(r"^\| (?!-)([^|]+?) \| ([^|]+?) \| ([^|]+?) \|$", code, re.MULTILINE)
    assert len(rows) > 15
    for word, classes, named in rows:
        assert set(word.split(", ")) <= words, word
        for module, name in re.findall(r"`(\w+)\.(\w+)`", classes):
            assert hasattr(importlib.import_module(f"freehold.core.{module}"), name), f"{module}.{name}"
        assert set(re.findall(r"`([^`]+)`", named)) <= states, named


# ---------------------------------------------------------------- what a reader can run


def test_the_program_of_the_readme_runs() -> None:
    program = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert program is not None
    assert len(program[1].splitlines()) <= 15
    answer = run("-W", "error", "-c", program[1], FREEHOLD_BACKEND="inline")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.startswith("4000.0\nstory of ")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:`|^ {4})make ([a-z-]+)", page.read_text("utf-8"), re.MULTILINE)) <= targets


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_run(page: Path) -> None:
    for command in re.findall(r"`freehold (docs (?!diagram --write)[^`]+)`", page.read_text("utf-8")):
        answer = run("-m", "freehold", *command.split())
        assert answer.returncode == 0 and answer.stdout, command + answer.stderr
