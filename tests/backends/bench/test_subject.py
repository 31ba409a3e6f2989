"""The process of a contender: it answers, is stopped and runs on, says why it failed, and ends with all below it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from freehold.backends.bench.contenders import LIMITS, Entry
from freehold.backends.bench.subject import Failed, Subject

ECHO = ("begin", "round-trip", "socket echo, blocking", 0)  # forks one process
KILLED = """
import os, sys
from freehold.backends.bench.contenders import LIMITS
from freehold.backends.bench.subject import Subject
subject = Subject(LIMITS, sys.executable)
assert subject.ask("begin", "round-trip", "socket echo, blocking", 0)
subject.freeze()
print(subject.process.pid, subject.folder.name, flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def subject() -> Iterator[Subject]:
    made = Subject(LIMITS, sys.executable)
    yield made
    made.end()
    assert made.process.returncode is not None and not Path(made.folder.name).exists()


def wait_until_gone(*processes: psutil.Process) -> list[psutil.Process]:
    due = time.monotonic() + 30
    while time.monotonic() < due and any(lives(process) for process in processes):
        time.sleep(0.01)
    return [process for process in processes if lives(process)]


def lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_rate(subject: Subject) -> None:
    assert subject.ask(*ECHO) is True
    assert subject.ask("cold") > 0 and subject.ask("window", 0.01) > 0


def test_an_operation_that_there_is_not(subject: Subject) -> None:
    assert subject.ask("begin", "put-small", "by carrier pigeon", 0) is None
    assert subject.ask("begin", "put-small", "pickle into a dict", 0) is True


def test_all_below_it_are_stopped_and_run_on(subject: Subject) -> None:
    subject.ask(*ECHO)
    root = psutil.Process(subject.process.pid)
    both = [root, *root.children(recursive=True)]
    subject.freeze()
    due = time.monotonic() + 30  # a signal to another process takes its time
    while time.monotonic() < due and {process.status() for process in both} != {psutil.STATUS_STOPPED}:
        time.sleep(0.001)
    assert len(both) == 2 and {process.status() for process in both} == {psutil.STATUS_STOPPED}
    subject.thaw()
    assert subject.ask("window", 0.01) > 0


def test_an_end_while_it_is_stopped(subject: Subject) -> None:
    subject.ask(*ECHO)
    (below,) = psutil.Process(subject.process.pid).children()
    subject.freeze()
    subject.end()
    assert subject.process.returncode == 0 and wait_until_gone(below) == []


def test_an_end_in_the_middle_of_a_request(subject: Subject) -> None:
    subject.ask(*ECHO)
    os.kill(subject.process.pid, signal.SIGSTOP)  # the request is under way for as long as we like
    assert subject.process.stdin is not None
    subject.process.stdin.write(b'["window", 1000]\n')
    subject.process.stdin.flush()
    subject.busy = True
    os.kill(subject.process.pid, signal.SIGCONT)
    subject.end()
    assert subject.process.returncode != 0


def test_a_contender_that_cannot_be_imported(subject: Subject) -> None:
    other = Subject(Entry("nobody", "nobody:NOBODY"), sys.executable)
    with pytest.raises(Failed, match=r"No module named .*nobody"):
        other.ask(*ECHO)
    other.end()


def test_a_contender_that_dies(subject: Subject) -> None:
    subject.ask(*ECHO)
    subject.kill()
    with pytest.raises(Failed, match="its process ended with -9"):
        subject.ask("window", 0.01)


def test_switches_of_the_caller_do_not_reach_it(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FREEHOLD_CHECK", "step")
    monkeypatch.setenv("FREEHOLD_RECORD", "/nowhere")
    environment = subject.environment()
    assert not [name for name in environment if name.startswith("FREEHOLD_")]
    subject.entry = Entry("switched", "", "", (("FREEHOLD_CHECK", "off"),))
    assert subject.environment()["FREEHOLD_CHECK"] == "off"


def test_one_that_is_stopped_outlives_no_benchmark_that_is_killed() -> None:
    answer = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True)
    assert answer.returncode == -9, answer.stderr
    pid, folder = answer.stdout.split()
    try:
        process = psutil.Process(int(pid))
    except psutil.NoSuchProcess:
        processes = []
    else:
        processes = [process]
    assert wait_until_gone(*processes) == []
    Path(folder, "stderr").unlink()
    Path(folder).rmdir()
