"""What a type checker tells users: right programs pass, and each wrong line is refused for the reason beside it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import freehold

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
GOOD = HERE / "good.py"
BAD = sorted((HERE / "bad").glob("*.py"))
ERROR = re.compile(r"^(?P<path>[^:]+):(?P<line>\d+): error: .*\[(?P<code>[a-z-]+)\]$", re.MULTILINE)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What mypy --strict says of all files, without the settings of this repository, and of what a user has written."""
    cache = os.environ.get("MYPY_CACHE_DIR", str(ROOT / ".mypy_cache" / "of_tests"))
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--config-file=",
        "--strict",
        "--cache-dir",
        cache,
        "--follow-imports=silent",
    ]
    files = [str(path.relative_to(ROOT)) for path in (GOOD, *BAD)]
    environment = {**os.environ, "MYPYPATH": str(ROOT / "src"), "MYPY_FORCE_COLOR": "0"}
    run = subprocess.run([*command, *files], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.stderr == "" and run.returncode == 1, run.stdout + run.stderr  # 1: errors were found, 2: mypy failed
    return run.stdout


def found(report: str, path: Path) -> set[tuple[int, str]]:
    """Return the errors of a file: (line, code)."""
    name = str(path.relative_to(ROOT))
    return {(int(error["line"]), error["code"]) for error in ERROR.finditer(report) if error["path"] == name}


def marked(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the errors that a file says it has."""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if mark := re.search(r"# error: ([a-z-]+)$", line):
            yield number, mark[1]


def test_right_programs_are_accepted(report: str) -> None:
    assert found(report, GOOD) == set()


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_wrong_lines_are_refused_and_no_others(report: str, path: Path) -> None:
    assert found(report, path) == set(marked(path))


@pytest.mark.nodes(1)
def test_right_programs_run(world: Any) -> None:
    world.start()
    name = "freehold_types_good"
    namespace: dict[str, Any] = {"__name__": name}
    exec(compile(GOOD.read_text("utf-8"), str(GOOD), "exec"), namespace)
    namespace["main"]()
    assert freehold.is_initialized()
