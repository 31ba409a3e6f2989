"""A bench of its own process, and what is left when it has ended."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

END_SECONDS_MAX = 30


class Bench:
    """Starts ``freehold bench`` in a folder of its own; knows every process and file that it leaves.

    Args:
        folder: for temporary files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = f"FREEHOLD_TEST_BENCH={folder}"
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a run."""
        name, _, value = self.mark.partition("=")
        process = subprocess.Popen(
            [sys.executable, "-m", "freehold", "bench", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, name: value, "TMPDIR": str(self.folder), "COLUMNS": "200"},
        )
        self.started.append(process)
        return process

    def run(self, *words: str) -> tuple[int, str, str]:
        """Run to the end; return the exit code and what was printed."""
        process = self.start(*words)
        output, errors = process.communicate(timeout=100)
        return process.returncode, output, errors

    def processes(self) -> list[str]:
        """Return the processes of this test that live, but for hosts of the test itself."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):  # it ends while it is looked at
                if self.ours(process):
                    found.append(f"{process.pid} {' '.join(process.cmdline())}")
        return found

    def ours(self, process: psutil.Process) -> bool:
        """Tell whether a process is of this test.  A subject's environment has lost the mark, not its folder."""
        try:
            return process.status() != psutil.STATUS_ZOMBIE and str(self.folder) in str(process.environ())
        except psutil.Error:
            return False

    def left(self) -> list[str]:
        """Return what is left: processes and files, after some time to go."""
        due = time.monotonic() + END_SECONDS_MAX
        while time.monotonic() < due and (self.processes() or self.files()):
            time.sleep(0.05)
        return [*self.processes(), *self.files()]

    def files(self) -> list[str]:
        """Return the names of temporary files."""
        return os.listdir(self.folder)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    folder = tmp_path / "temporary"
    folder.mkdir()
    made = Bench(folder)
    yield made
    for process in made.started:
        process.kill()
        process.communicate()
    assert made.left() == []
