"""Ctrl-C, the end of the interpreter, and forks: back to the user at once, with nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import freehold

pytestmark = pytest.mark.nodes(1)


@freehold.remote
def sleep(seconds: float) -> str:
    time.sleep(seconds)
    return "slept"


@freehold.remote
def same(value):
    return value


@pytest.fixture(autouse=True)
def no_cluster(world) -> Iterator[None]:
    world.stop()
    yield
    freehold.shutdown()


@pytest.fixture
def real_time(world) -> None:
    if world.backend == "sim":
        pytest.skip("a simulated second takes no time in which a key could be pressed")


@pytest.fixture
def press() -> Iterator[object]:
    """Return a function that presses Ctrl-C in some seconds."""
    timers: list[threading.Timer] = []

    def later(seconds: float) -> None:
        timers.append(threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT)))
        timers[-1].start()

    yield later
    for timer in timers:
        timer.cancel()
        timer.join()


@pytest.mark.usefixtures("real_time")
class TestControlC:
    @pytest.mark.parametrize(
        "call",
        [freehold.get, lambda ref: freehold.get([ref], timeout=50), lambda ref: freehold.wait([ref])],
        ids=["get", "get in time", "wait"],
    )
    def test_while_it_waits(self, world, press, call) -> None:
        freehold.init(**world.options())
        ref = sleep.remote(3)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                press(0.2)
                call(ref)
            if world.backend == "inline":
                break  # the task ran on this stack: it is over
        assert freehold.get(same.remote(1)) == 1

    def test_while_it_starts(self, world, press) -> None:
        for seconds in (0.001, 0.005, 0.02, 0.05, 0.1, 0.2):
            try:
                press(seconds)
                freehold.init(**world.options())
                time.sleep(1)
            except KeyboardInterrupt:
                freehold.shutdown()
            assert not freehold.is_initialized()
        with freehold.init(**world.options()):
            assert freehold.get(same.remote(1)) == 1


def run(world, program: str, folder: Path, *, seconds: float = 30) -> str:
    """Run a program in a process of its own; return what it printed.  It says nothing on stderr."""
    path = folder / "program.py"
    path.write_text(program)
    environment = {**os.environ, "FREEHOLD_BACKEND": world.backend}
    command = [sys.executable, "-W", "error", str(path)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds, env=environment, cwd=folder, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


class TestTheEndOfTheInterpreter:
    def test_without_shutdown(self, world, tmp_path: Path) -> None:
        program = """
import freehold, time
freehold.init(num_cpus=2)
@freehold.remote
def sleep(): time.sleep(20)
kept = [freehold.put(1), freehold.put(bytes(300_000)), sleep.remote()]
view = freehold.get(kept[1])
print(freehold.get(kept[0]))
"""
        start = time.monotonic()
        assert run(world, program, tmp_path) == "1\n"
        assert time.monotonic() - start < 15

    def test_with_del_methods(self, world, tmp_path: Path) -> None:
        program = """
import freehold
freehold.init(num_cpus=1)
class Holder:
    def __init__(self): self.ref = freehold.put(bytes(300_000))
    def __del__(self):
        del self.ref
        freehold.shutdown()
holder = Holder()
again = [holder]
again.append(again)
del holder
print(freehold.get(freehold.put(1)))
"""
        assert run(world, program, tmp_path) == "1\n"

    def test_after_a_fork(self, world, tmp_path: Path) -> None:
        """A child has no part in its parent's cluster: it is told so, and its end is not the cluster's."""
        program = """
import os, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # 3.12: fork beside threads
import freehold
freehold.init(num_cpus=1)
ref = freehold.put([1])
child = os.fork()
if not child:
    try:
        freehold.get(ref)
    except freehold.exceptions.NotSupported as error:
        freehold.shutdown()
        del ref
        sys.exit(0 if "fork" in str(error) else 1)
    sys.exit(2)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), freehold.get(ref))
freehold.shutdown()
""".replace("import freehold\n", "import freehold, freehold.exceptions\n", 1)
        assert run(world, program, tmp_path) == "0 [1]\n"

    def test_inside_an_error(self, world, tmp_path: Path) -> None:
        program = """
import freehold, sys
freehold.init(num_cpus=1)
sys.excepthook = lambda *_: print("hook")
ref = freehold.put(1)
try:
    raise KeyError
finally:
    print(freehold.get(ref))
"""
        path = tmp_path / "program.py"
        path.write_text(program)
        environment = {**os.environ, "FREEHOLD_BACKEND": world.backend}
        done = subprocess.run(
            [sys.executable, str(path)], capture_output=True, text=True, timeout=30, env=environment, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (1, "1\nhook\n", "")
