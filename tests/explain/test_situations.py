"""Situations that users ask about, each a small program that says where it comes from, and what explain says of it.

The programs are those beside this file, and what they print is in the text of the same name: on the simulator to the
letter, on the other backends but for times, processes' numbers and the names of the workers that happened to be lent.
``pytest --rewrite`` writes the texts again; read the difference before committing it.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROGRAMS = sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("test_"))
IN_TURN = {"argument_awaited", "behind_busy_workers", "deadlocked_pair", "full_store"}  # inline, nothing runs meanwhile


def run(name: str, backend: str, cwd: Path) -> str:
    command = [sys.executable, "-W", "error", str(HERE / f"{name}.py")]
    environment = {**os.environ, "FREEHOLD_BACKEND": backend, "IPYTHONDIR": str(cwd)}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    text = re.sub(r"\b5\d\d B$", "5.. B", done.stdout, flags=re.MULTILINE)  # of a function, which knows its folder
    return re.sub(r"\b55,000,\d{3} B", "55,000,... B", text)


def steady(text: str) -> list[str]:
    """Return the lines of an output without what differs from run to run on real processes."""
    text = re.sub(r"\bfor [\d.]+ s\b", "for T", text)
    text = re.sub(r", pid \d+", "", text)
    return re.sub(r"\bn0w(?!1\b)\d+", "n0wN", text).splitlines()


def test_a_situation_in_simulated_time(program: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    text = HERE / f"{program}.txt"
    printed = run(program, "sim", tmp_path)
    if request.config.getoption("--rewrite"):
        text.write_text(printed, "utf-8")
    assert printed == text.read_text("utf-8")


@pytest.mark.local
@pytest.mark.slow
def test_a_situation_on_real_processes(program: str, tmp_path: Path) -> None:
    assert steady(run(program, "local", tmp_path)) == steady((HERE / f"{program}.txt").read_text("utf-8"))


@pytest.mark.parametrize("program", sorted({*PROGRAMS} - IN_TURN))
def test_a_situation_in_one_process(program: str, tmp_path: Path) -> None:
    assert steady(run(program, "inline", tmp_path)) == steady((HERE / f"{program}.txt").read_text("utf-8"))


@pytest.fixture(params=PROGRAMS)
def program(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_each_program_opens_with_its_situation_and_where_it_comes_from() -> None:
    assert len(PROGRAMS) >= 10
    texts = {name: (HERE / f"{name}.py").read_text("utf-8") for name in PROGRAMS}
    assert not [name for name, text in texts.items() if not re.match(r'""".*\((ray|ipython|dist).*\)[.?]?"""', text)]
    assert {path.stem for path in HERE.glob("*.txt")} == {*PROGRAMS}
