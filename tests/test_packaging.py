"""What is installed is what lies in the folders: the wheel's names, the guards and the links of the tree."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import freehold

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("core", "backends", "simulator", "specs")
UNPACKED = not (ROOT / ".git").exists()  # from an sdist, which has no links


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel as a release makes it: from an sdist of a clean copy of the tree."""
    made = tmp_path_factory.mktemp("wheel")
    unwanted = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, made / "tree", symlinks=True, ignore=unwanted)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", "dist", "tree"]
    build = subprocess.run(command, cwd=made, capture_output=True, text=True)
    assert build.returncode == 0, build.stdout + build.stderr
    (path,) = (made / "dist").glob("*.whl")
    return zipfile.ZipFile(path)


def modules_in_the_folders() -> set[str]:
    names = {path.name for path in (ROOT / "src" / "freehold").glob("*.py")}
    for package in PACKAGES:
        names |= {path.relative_to(ROOT).as_posix() for path in (ROOT / package).rglob("*.py")}
    return {f"freehold/{name}" for name in names}


@pytest.mark.slow
def test_the_wheel_holds_exactly_the_modules_of_the_folders(wheel: zipfile.ZipFile) -> None:
    assert {name for name in wheel.namelist() if name.endswith(".py")} == modules_in_the_folders()


@pytest.mark.slow
def test_the_wheel_installs_no_other_top_level_name(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert tops == {"freehold", f"freehold-{freehold.__version__}.dist-info"}


@pytest.mark.slow
def test_the_wheel_says_that_it_is_typed(wheel: zipfile.ZipFile) -> None:
    assert "freehold/py.typed" in wheel.namelist()


@pytest.mark.parametrize("package", PACKAGES)
def test_a_folder_is_no_package_of_its_own(package: str) -> None:
    """Else ``import core``, from the repository's root, would make a second copy of every class."""
    command = [sys.executable, "-c", f"import {package}"]
    attempt = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert attempt.returncode == 1
    assert f"ImportError: import freehold.{package}, not {package}" in attempt.stderr


@pytest.mark.skipif(UNPACKED, reason="an sdist has no links; only static tools need them")
@pytest.mark.parametrize("package", PACKAGES)
def test_static_tools_find_the_folders_through_relative_links(package: str) -> None:
    assert os.readlink(ROOT / "src" / "freehold" / package) == f"../../{package}"


def test_the_command_line_answers() -> None:
    command = [sys.executable, "-m", "freehold", "--version"]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert (answer.returncode, answer.stdout) == (0, f"freehold {freehold.__version__}\n"), answer.stderr
