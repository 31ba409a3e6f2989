"""``freehold run``: programs as they are, on other clusters than they say; and what is refused before they begin."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys, time
import freehold

@freehold.remote
def nap(n):
    time.sleep(1)
    return n, freehold.get_runtime_context().get_node_id()

freehold.init(backend="inline", num_nodes=2)
print(sys.argv, __name__, len(freehold.nodes()))
start = time.monotonic()
values = freehold.get([nap.remote(n) for n in range(40)])
print([n for n, _ in values] == list(range(40)), len({where for _, where in values}), round(time.monotonic() - start))
if "abandon" in sys.argv:
    abandoned = nap.remote(0)
if "fail" in sys.argv:
    freehold.get(freehold.remote(lambda: 1 / 0).remote())
if "leave" in sys.argv:
    sys.exit(7)
"""


def run(folder: Path, *words: str, program: str = PROGRAM) -> subprocess.CompletedProcess[str]:
    (folder / "program.py").write_text(program)
    command = [sys.executable, "-m", "freehold", "run", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100)


def test_what_is_said_goes_before_what_the_program_says(tmp_path: Path) -> None:
    ended = run(tmp_path, "program.py", "--backend", "sim", "--nodes", "20", "--", "a", "--b")
    assert ended.stdout.splitlines() == ["['program.py', 'a', '--b'] __main__ 20", "True 20 1"], ended.stderr
    assert ended.returncode == 0 and ended.stderr.startswith("simulated 1.0") and "events a second" in ended.stderr


def test_a_description_and_a_seed(tmp_path: Path) -> None:
    (tmp_path / "cluster.toml").write_text('nodes = 5\ncpus = 4\n[network]\ntopology = "racks"\nper_rack = 2\n')
    words = ("program.py", "--backend", "sim", "--cluster", "cluster.toml", "--seed", "3")
    once, again = run(tmp_path, *words), run(tmp_path, *words)
    assert once.stdout == again.stdout and once.stdout.splitlines()[1] == "True 5 2"


@pytest.mark.parametrize(("word", "code", "said"), [("fail", 1, "ZeroDivisionError"), ("leave", 7, "simulated")])
def test_how_a_program_ends_is_how_the_command_ends(tmp_path: Path, word: str, code: int, said: str) -> None:
    ended = run(tmp_path, "program.py", "--backend", "sim", "--", word)
    assert ended.returncode == code and said in ended.stderr
    assert "runpy" not in ended.stderr and "typer" not in ended.stderr


def test_a_simulation_says_at_its_end_what_had_not_ended(tmp_path: Path) -> None:
    ended = run(tmp_path, "program.py", "--backend", "sim", "--", "abandon")
    assert ended.returncode == 0 and ended.stderr.count("\n") == 1
    assert "events a second; 1 task had not ended: nap (not begun)" in ended.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere.py",), "nowhere.py: No such file or directory"),
        (("program.py", "--backend", "moon"), "there is no backend 'moon'; there are inline, local, sim"),
        (("program.py", "--backend", "sim", "--cluster", "nowhere.toml"), "nowhere.toml: No such file or directory"),
        (("program.py", "--backend", "sim", "--cluster", "bad.toml"), "bad.toml:1: Expected `int` >= 1: 0"),
        (("program.py", "--backend", "inline", "--cluster", "bad.toml"), "reads no description of a cluster"),
        (("program.py", "--backend", "sim", "--cluster", "faults.toml"), "faults.toml:3: there are 1 nodes, from 0 on"),
        (("bad.py",), "invalid syntax"),
    ],
)
def test_what_cannot_be_is_said_before_anything_runs(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    (tmp_path / "bad.toml").write_text("nodes = 0\n")
    (tmp_path / "bad.py").write_text("x = = 0\n")
    (tmp_path / "faults.toml").write_text('[[faults]]\nkind = "crash"\nnode = 1\nat = "1 s"\n')
    ended = run(tmp_path, *words)
    assert ended.returncode == 2 and ended.stdout == ""
    assert ended.stderr.startswith("freehold run: ") and said in ended.stderr and ended.stderr.count("\n") == 1
