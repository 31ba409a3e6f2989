"""What every test on real processes is held to: what it records is right, and nothing of it is left on the machine.

Processes are found by their environment: all that a test starts carry the name of its folder for journals, which no
other process on the machine does, so that tests may run beside each other.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import freehold
from freehold.specs.traces import insist_on

PATIENCE = 30.0  # seconds that anything may take on a busy machine; nothing is asserted about less
KINDS = ("socket:", "anon_inode:", "/memfd:", "pipe:")


def eventually(what: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Return the first true value, or the last one when the time is up."""
    until = time.monotonic() + seconds
    while not (value := what()) and time.monotonic() < until:
        time.sleep(0.01)
    return value


def descriptors() -> Counter[str]:
    """Return how many descriptors of each kind this process has."""
    found: Counter[str] = Counter()
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:  # that of the list itself
            continue
        found[next((kind for kind in KINDS if target.startswith(kind)), target)] += 1
    return found


def arenas() -> int:
    """Return how many mappings of object stores this process has."""
    return Path("/proc/self/maps").read_text().count("/memfd:freehold")


def zombies() -> list[int]:
    """Return children of this process that have ended and were not waited for."""
    found = []
    for entry in filter(str.isdecimal, os.listdir("/proc")):
        try:
            fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] == "Z" and int(fields[1]) == os.getpid():
            found.append(int(entry))
    return found


class Watch:
    """What a test can see of the processes that it has started, and of what it has left behind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        gc.collect()
        self.before = descriptors(), arenas(), set(os.listdir("/dev/shm")), set(threading.enumerate())

    def processes(self) -> dict[int, str]:
        """Return the processes of this test that live: pid -> command line."""
        mark = f"FREEHOLD_TEST={self.folder}".encode()
        found = {}
        for entry in filter(str.isdecimal, os.listdir("/proc")):
            try:
                if mark in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                    found[int(entry)] = Path(f"/proc/{entry}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:  # it has ended, or is somebody else's
                continue
        return found

    def roles(self) -> dict[str, int]:
        """Return the processes of this test's cluster: "launcher", "template 0", "node 0", "worker 0.0", ... -> pid."""
        born: dict[int, tuple[int, int]] = {}  # pid -> (when, pid): a process is called by the place in its family
        children: dict[int, list[int]] = {}
        for pid in self.processes():
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            born[pid] = int(fields[19]), pid
            children.setdefault(int(fields[1]), []).append(pid)
        roles = {}
        for root in [child for parent in children if parent not in born for child in children[parent]]:
            roles["launcher"] = root
            for index, template in enumerate(sorted(children.get(root, ()), key=born.__getitem__)):
                roles[f"template {index}"] = template
                for place, pid in enumerate(sorted(children.get(template, ()), key=born.__getitem__)):
                    roles[f"worker {index}.{place - 1}" if place else f"node {index}"] = pid
        return roles

    def left(self) -> list[str]:
        """Return, in words, what is left of the test."""
        gc.collect()
        fds, maps, shm, threads = self.before
        left = [f"process {pid}: {line}" for pid, line in self.processes().items()]
        left += [f"zombie {pid}" for pid in zombies()]
        left += [f"{count} more of {kind}" for kind, count in (descriptors() - fds).items() if kind in KINDS]
        left += [f"{arenas() - maps} mappings"] if arenas() > maps else []
        left += [f"/dev/shm/{name}" for name in set(os.listdir("/dev/shm")) - shm if "freehold" in name]
        return left + [f"thread {thread.name}" for thread in set(threading.enumerate()) - threads]

    def run(self, program: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a program in an interpreter of its own."""
        chosen = {"capture_output": True, "text": True, "timeout": PATIENCE, **options}
        return subprocess.run(self.command(program, *arguments), **chosen)

    def start(self, program: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start a program in an interpreter of its own; its standard output and error are pipes."""
        chosen = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
        return subprocess.Popen(self.command(program, *arguments), **chosen)

    def command(self, program: str, *arguments: str) -> list[str]:
        path = self.folder / f"program{len(list(self.folder.glob('program*')))}.py"
        path.write_text(textwrap.dedent(program))
        return [sys.executable, "-W", "error", str(path), *arguments]


@pytest.fixture(name="eventually")
def eventually_fixture() -> Callable[..., Any]:
    """Return the function that polls until something is so."""
    return eventually


@pytest.fixture
def watch(request: pytest.FixtureRequest) -> Any:
    """Return what a test on real processes can see of them."""
    return request.getfixturevalue("recorded")


@pytest.fixture(autouse=True)
def recorded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Watch | None]:
    """Record every test on real processes; then check its trace, and see that nothing is left of it."""
    if request.node.get_closest_marker("local") is None:
        yield None
        return
    freehold.shutdown()
    watch = Watch(tmp_path_factory.mktemp("record"))
    monkeypatch.setenv("FREEHOLD_TEST", str(watch.folder))
    if request.node.get_closest_marker("defaults") is None:
        monkeypatch.setenv("FREEHOLD_TRACE", str(watch.folder))
        monkeypatch.setenv("FREEHOLD_CHECK", "step")
    yield watch
    freehold.shutdown()
    eventually(lambda: not watch.left())
    assert watch.left() == []
    insist_on(watch.folder)
