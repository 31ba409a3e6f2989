"""The process of one contender as the benchmark sees it: asked by lines of JSON, ended with all that it started.

It is a session of its own, so that Ctrl-C reaches only the benchmark, which then ends the others in order.  Orphans
come to the benchmark as the subreaper of all below it: nothing that a contender started can outlive it.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from freehold.backends.bench.contenders import Entry
from freehold.backends.bench.problems import BenchError

ANSWER_SECONDS_MAX = 300.0  # a million tasks take a while
BEGIN_SECONDS_MAX = 60.0
END_SECONDS_MAX = 20.0  # for a contender to end by itself
ORPHAN_SECONDS_MAX = 5.0  # for what it left behind to end by itself
PR_SET_CHILD_SUBREAPER = 36
HOG = "import os, sys\nwhile os.getppid() == int(sys.argv[1]):\n    for _ in range(100_000): pass"
QUIET = {  # of peers: nothing is reported home, and nothing is said that is no answer
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "PYTHONWARNINGS": "ignore",
}


class Failed(Exception):
    """A contender could not do a row; the text says why."""


def become_reaper() -> None:
    """Make this process the parent of every orphan below it."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Subject:
    """A process of one contender.

    Args:
        entry: the contender.
        python: the interpreter that has its library.
    """

    def __init__(self, entry: Entry, python: str) -> None:
        self.entry = entry
        self.folder = tempfile.TemporaryDirectory(prefix="fb-")  # short: Ray puts the paths of sockets below it
        self.log = Path(self.folder.name, "stderr")
        self.left = b""
        self.busy = False  # while a request has no answer
        self.frozen: dict[int, psutil.Process] = {}  # what does not run now
        # -P: no module in the working directory takes the place of one that is meant
        command = [python, "-P", "-m", "freehold.backends.bench.serve", entry.place]
        with self.log.open("wb") as stderr:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                cwd=self.folder.name,
                env=self.environment(),
                start_new_session=True,
            )

    def environment(self) -> dict[str, str]:
        """Return the environment of the process: a user's, without switches that change what is measured."""
        usual = {name: value for name, value in os.environ.items() if not name.startswith(("FREEHOLD_", "RAY_"))}
        places = {"TMPDIR": self.folder.name, "RAY_TMPDIR": self.folder.name}
        return {**usual, **QUIET, **places, **dict(self.entry.environment)}

    def ask(self, *request: Any) -> Any:
        """Return the answer to a request; None: the contender has no such operation.

        Raises:
            Failed: the process ended, or took too long.
        """
        assert self.process.stdin is not None
        self.busy = True
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Failed(self.last_words()) from None
        answer = json.loads(self.line(BEGIN_SECONDS_MAX if request[0] == "begin" else ANSWER_SECONDS_MAX))["answer"]
        self.busy = False
        return answer

    def line(self, seconds: float) -> bytes:
        """Return the next line of the process, which has so many seconds for it."""
        assert self.process.stdout is not None
        fd, due = self.process.stdout.fileno(), time.monotonic() + seconds
        while b"\n" not in self.left:
            if time.monotonic() > due:
                raise Failed(f"no answer within {seconds:.0f} s")
            ended = self.process.poll() is not None
            if select.select([fd], [], [], 0.0 if ended else 0.5)[0]:
                part = os.read(fd, 65536)
                self.left += part
                ended = not part
            if ended:
                raise Failed(self.last_words())
        line, _, self.left = self.left.partition(b"\n")
        return line

    def freeze(self) -> None:
        """Stop the process and all below it: even those that only wait would cost the others a part of the machine."""
        with suppress(psutil.NoSuchProcess):  # it has ended meanwhile: the next request will tell
            root = psutil.Process(self.process.pid)
            while fresh := [each for each in [root, *root.children(recursive=True)] if each.pid not in self.frozen]:
                for each in fresh:
                    self.frozen[each.pid] = each
                    with suppress(psutil.NoSuchProcess):
                        each.suspend()

    def thaw(self) -> None:
        """Let them run on."""
        while self.frozen:
            with suppress(psutil.NoSuchProcess):
                self.frozen.popitem()[1].resume()

    def last_words(self) -> str:
        """Return the last line that the process wrote to stderr, once it has ended."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(END_SECONDS_MAX)
        lines = self.log.read_text("utf-8", "replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return said[-1][:300] if said else f"its process ended with {self.process.poll()}"

    def end(self) -> None:
        """End the process and everything that it started; interrupt it if it is in the middle of a request."""
        self.thaw()
        if self.busy and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue  # it is gone already, in the middle of a request
        try:
            self.process.wait(END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            below = psutil.Process(self.process.pid).children(recursive=True)
            self.process.kill()
            self.process.wait()
            kill(below)
        self.folder.cleanup()

    def kill(self) -> None:
        """End the process at once: it does not answer."""
        below = psutil.Process(self.process.pid).children(recursive=True) if self.process.poll() is None else []
        self.process.kill()
        kill(below)


def kill(processes: Iterable[psutil.Process]) -> None:
    """Kill processes, and wait until they are gone."""
    chosen = list(processes)
    for process in chosen:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(chosen, timeout=ORPHAN_SECONDS_MAX)


def end_orphans(known: Iterable[int]) -> list[str]:
    """End what contenders left behind; return the names of what had to be killed.

    Args:
        known: the processes that this one started itself, and still needs.
    """
    kept = set(known)
    orphans = [child for child in psutil.Process().children() if child.pid not in kept]
    _, alive = psutil.wait_procs(orphans, timeout=ORPHAN_SECONDS_MAX)
    names = [name_of(process) for process in alive]
    for process in alive:
        kill([*process.children(recursive=True), process])
    return names


def name_of(process: psutil.Process) -> str:
    """Return what a process is called."""
    try:
        return str(process.name())
    except psutil.NoSuchProcess:
        return "a process"


def start_hogs(count: int) -> list[subprocess.Popen[bytes]]:
    """Start processes in an endless loop, each of which ends with this one."""
    return [subprocess.Popen([sys.executable, "-S", "-E", "-c", HOG, str(os.getpid())]) for _ in range(count)]


def stop_hogs(hogs: list[subprocess.Popen[bytes]]) -> None:
    """End the endless loops."""
    for hog in hogs:
        hog.kill()
        hog.wait()


def check_platform() -> None:
    """Refuse to run where the backend cannot."""
    if not sys.platform.startswith("linux"):
        raise BenchError("the benchmark measures the local backend, which needs Linux")
