"""What freehold asks for is read from its metadata, and what is missing is named with the command that brings it."""

import subprocess
import sys
import tomllib
from pathlib import Path

from freehold.core import requirements

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_the_requirements_are_those_of_the_project_without_extras() -> None:
    found = [f"{name}>={version}" for name, version in requirements.requirements().items()]
    assert sorted(found) == sorted(PROJECT["dependencies"])


def test_what_is_missing_or_too_old_is_lacking() -> None:
    have = {name: version or "1" for name, version in requirements.requirements().items()}
    assert requirements.lacking(have) == []
    assert requirements.lacking({**have, "simpy": "", "rich": "13.6.9"}) == ["rich>=13.7", "simpy>=4.1"]


def test_what_is_installed_here_is_enough() -> None:
    assert requirements.lacking() == []


def test_versions_are_compared_by_their_numbers() -> None:
    assert requirements.older("3.9", "3.10")
    assert not requirements.older("3.10", "3.9")
    assert not requirements.older("1", "1.0")
    assert not requirements.older("2.0rc1", "2.0")
    assert requirements.older("", "0.1")


def test_the_command_to_install_can_be_pasted() -> None:
    command = requirements.install_command(["simpy>=4.1"])
    shown = subprocess.run(["sh", "-c", f"printf '%s\\n' {command}"], capture_output=True, text=True)
    assert shown.stdout.splitlines() == [sys.executable, "-m", "pip", "install", "simpy>=4.1"]


def test_a_backend_without_its_packages_says_which(tmp_path: Path) -> None:
    """As after ``make tour``: the folder of packages has no greenlet, and says that it is not installed."""
    program = tmp_path / "program.py"
    program.write_text(
        "import sys\nsys.modules['greenlet'] = None\nimport freehold\n"
        "try:\n    freehold.init(backend='sim')\nexcept ModuleNotFoundError as error:\n    print(error, error.name)\n"
    )
    run = subprocess.run([sys.executable, str(program)], capture_output=True, text=True)
    assert run.stderr == ""
    assert "the backend sim needs the module greenlet" in run.stdout


def test_the_command_line_without_its_packages_says_which() -> None:
    program = "import sys; sys.modules['typer'] = None; from freehold.__main__ import main"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("freehold: the command line needs the module typer, which is not installed")
    assert run.stderr.count("\n") == 1
