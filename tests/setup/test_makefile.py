"""``make`` on a stranger's machine: what is missing is said in one sentence, with the command that mends it.

Each test runs make in a copy of the few files that it needs, in a folder with a space in its name.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest

from freehold.core.requirements import requirements

ROOT = Path(__file__).resolve().parents[2]
OTHER_USER = 65_500
CLOSED = "http://127.0.0.1:9/simple"  # nobody listens there


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a space in its name, with what make needs to begin."""
    folder = tmp_path / "a folder"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    return folder


def make(folder: Path, *targets: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run make as a user does, not as a part of the make that may run these tests."""
    outer = ("MAKE", "MFLAGS", "GNUMAKEFLAGS", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(outer) and name != "PYTHON"}
    return subprocess.run(["make", *targets], cwd=folder, env={**kept, **changes}, capture_output=True, text=True)


def said(run: subprocess.CompletedProcess[str]) -> str:
    """Return the one sentence that a failing run said to the user."""
    assert run.returncode == 2, run.stdout + run.stderr
    (line,) = [line for line in run.stderr.splitlines() if line.startswith("freehold: ")]
    return line


def script(path: Path, *lines: str) -> str:
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return str(path)


def test_make_alone_lists_the_targets(folder: Path) -> None:
    run = make(folder)
    assert (run.returncode, run.stderr) == (0, "")
    assert {"tour", "test", "test-quick", "lint"} <= set(re.findall(r"^  make (\S+)", run.stdout, re.MULTILINE))


def test_every_target_stands_on_targets_that_there_are(folder: Path) -> None:
    listed = re.findall(r"^  make (\S+)", make(folder).stdout, re.MULTILINE)
    for target in listed:
        run = make(folder, "-n", target)
        assert (run.returncode, run.stderr) == (0, ""), target


def test_without_python_it_says_how_to_get_it(folder: Path) -> None:
    sentence = said(make(folder, "tour", PYTHON="/nowhere/python3"))
    assert "Python 3.11 or newer is missing at /nowhere/python3" in sentence
    assert "apt-get install python3 python3-venv" in sentence and "make tour PYTHON=/path" in sentence
    assert not (folder / ".venv").exists()


def test_an_old_python_is_as_good_as_none(folder: Path, tmp_path: Path) -> None:
    old = script(tmp_path / "python3.8", "exit 1")
    assert "Python 3.11 or newer is missing" in said(make(folder, "test", PYTHON=old))


def test_without_venv_it_says_how_to_get_it(folder: Path, tmp_path: Path) -> None:
    lines = 'case "$2" in *ensurepip*) exit 1;; esac', f'exec {shlex.quote(sys.executable)} "$@"'
    sentence = said(make(folder, "test-quick", PYTHON=script(tmp_path / "python3.99", *lines)))
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert f"Python {version} lacks its venv module" in sentence
    assert f"apt-get install python{version}-venv" in sentence and "run 'make test-quick' again" in sentence


def test_in_a_folder_that_cannot_be_written_it_says_where_to_go() -> None:
    other = None if os.getuid() else OTHER_USER  # user 0 may write everywhere
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to others
        shutil.copy(ROOT / "Makefile", name)
        Path(name).chmod(0o555)
        run = subprocess.run(["make", "tour"], cwd=name, capture_output=True, text=True, user=other, group=other)
        Path(name).chmod(0o755)
    sentence = said(run)
    assert f"you may not write to {name}" in sentence and f'cp -r "{name}"' in sentence


@pytest.mark.slow
def test_without_a_network_it_says_so_and_tries_again_next_time(folder: Path) -> None:
    offline = {"PIP_INDEX_URL": CLOSED, "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": "", "PIP_RETRIES": "0"}
    for _ in range(2):
        run = make(folder, "tour", PYTHON=sys.executable, PIP_CONFIG_FILE=os.devnull, PIP_NO_CACHE_DIR="1", **offline)
        assert "pip has no network: connect, or set HTTPS_PROXY or PIP_INDEX_URL" in said(run)
    assert "making .venv" not in run.stdout, "the environment was there already"


# ------------------------------------------------------------------ what the tour needs


def tour_needs() -> set[str]:
    """Return the packages that ``make tour`` installs."""
    found = re.search(r"^tour_needs := (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert found is not None
    return set(found[1].split())


def test_the_tour_installs_a_part_of_what_freehold_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = {re.split(r"[>=<]", text)[0] for text in project["dependencies"]}
    assert tour_needs() < names
    assert names == set(requirements())


@pytest.mark.slow
@pytest.mark.local
def test_the_tour_runs_on_what_it_installs(tmp_path: Path) -> None:
    """The packages that ``make tour`` leaves out cannot be imported, in no process of the cluster."""
    missing = sorted(set(requirements()) - tour_needs())
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules.update(dict.fromkeys({missing}))\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "FREEHOLD_BACKEND": "local"}

    def python(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True)

    assert "ModuleNotFoundError" in python("-c", f"import {missing[0]}").stderr
    run = python("-W", "error", str(ROOT / "examples" / "remote_objects_tour.py"))
    assert (run.returncode, run.stderr) == (0, "")
    assert "That was the tour." in run.stdout
