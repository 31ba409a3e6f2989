"""Programs as users write them: each runs in a folder and an interpreter of its own, and nothing of it may be left."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 60.0  # seconds that anything may take on a busy machine; nothing is asserted about less
BACKENDS = [pytest.param("local", marks=pytest.mark.local), "inline", "sim"]


def eventually(what: Callable[[], Any], seconds: float = PATIENCE / 2) -> Any:
    """Return the first true value, or the last one when the time is up."""
    until = time.monotonic() + seconds
    while not (value := what()) and time.monotonic() < until:
        time.sleep(0.01)
    return value


class Desk:
    """A folder with a user's files, and the programs that run there.

    Args:
        folder: empty so far.
        backend: for which the environment is set.
    """

    def __init__(self, folder: Path, backend: str) -> None:
        self.folder = folder
        self.backend = backend
        self.environment = {
            **os.environ,
            "FREEHOLD_BACKEND": backend,
            "FREEHOLD_TEST": str(folder),
            "PYTHONUNBUFFERED": "1",  # lines come in the order in which they were written, as at a terminal
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        }

    def write(self, **files: str) -> None:
        """Write files; ``a__b`` stands for ``a/b.py``."""
        for name, text in files.items():
            path = self.folder / (name.replace("__", "/", 1) + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))

    def start(self, *command: str, **options: Any) -> subprocess.Popen[str]:
        """Start ``python command...`` in the folder; its input, output and error are pipes."""
        chosen: dict[str, Any] = {"cwd": self.folder, "env": self.environment, "text": True, **options}
        pipe = subprocess.PIPE
        line = [sys.executable, "-W", "error", *command]
        return subprocess.Popen(line, stdin=pipe, stdout=pipe, stderr=pipe, **chosen)

    def run(self, *command: str, stdin: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
        """Run ``python command...`` in the folder."""
        with self.start(*command, **options) as process:
            try:
                out, err = process.communicate(stdin, timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                out, err = process.communicate()
                pytest.fail(f"{command} hangs\n{out[-2000:]}\n{err[-2000:]}")
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def lines(self, *command: str, stdin: str = "", **options: Any) -> list[str]:
        """Run a program that succeeds and says nothing on its standard error; return the lines of its output."""
        done = self.run(*command, stdin=stdin, **options)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return done.stdout.splitlines()

    def program(self, text: str, *arguments: str) -> list[str]:
        """Write ``program.py`` and run it; return the lines of its output."""
        self.write(program=text)
        return self.lines("program.py", *arguments)

    def processes(self) -> dict[int, str]:
        """Return the processes that live and come from this folder: pid -> command line."""
        mark = f"FREEHOLD_TEST={self.folder}".encode()
        found = {}
        for entry in filter(str.isdecimal, os.listdir("/proc")):
            try:
                if mark in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                    found[int(entry)] = Path(f"/proc/{entry}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:  # it has ended, or is somebody else's
                continue
        return found


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """The name of each backend."""
    return str(request.param)


@pytest.fixture
def desk(backend: str, tmp_path: Path) -> Iterator[Desk]:
    """A folder in which programs run on a backend; nothing of them may be left."""
    desk = Desk(tmp_path, backend)
    yield desk
    if sys.platform.startswith("linux"):
        assert eventually(lambda: not desk.processes()), desk.processes()


@pytest.fixture(name="eventually")
def eventually_fixture() -> Callable[..., Any]:
    """Return the function that polls until something is so."""
    return eventually
