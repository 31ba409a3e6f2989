"""explain on real processes: while threads wait, while a process does not answer or is dead, and two askers at once."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import pytest

import freehold
from freehold.backends.local import worker
from freehold.core import cluster

pytestmark = [pytest.mark.local, pytest.mark.slow]


@freehold.remote
def pid_of() -> int:
    return os.getpid()


@freehold.remote
def nap(seconds: float) -> None:
    time.sleep(seconds)


@freehold.remote
def explain_often(box: list[Any], times: int) -> list[int]:
    """Return how many processes answered, each time."""
    return [len({fact.party for fact in freehold.explain(box[0]).facts}) for _ in range(times)]


def test_while_another_thread_waits(watch, eventually) -> None:
    freehold.init(num_cpus=1)
    ref = nap.remote(60)
    waiting = threading.Thread(target=lambda: freehold.wait([ref], timeout=3))
    waiting.start()
    assert eventually(lambda: any(fact.kind == "call" for fact in freehold.explain(ref).facts))
    said = freehold.explain(ref)
    assert "a wait in n0w1 (the program) has waited for it" in said and "its task nap" in said
    waiting.join()


def test_a_process_that_does_not_answer_is_named(watch, eventually, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "ANSWER_SECONDS", 0.3)
    freehold.init(num_cpus=1)
    pid = freehold.get(pid_of.remote())
    ref = nap.remote(60)
    os.kill(pid, signal.SIGSTOP)
    try:
        said = freehold.explain(ref)
        assert said.silent == (int(cluster.engine().worker.me) + 1,)
        assert "did not answer, so what they know is missing here: n0w2 (a worker of node 0)" in said
    finally:
        os.kill(pid, signal.SIGCONT)
    assert eventually(lambda: not freehold.explain(ref).silent)


def test_a_worker_that_is_killed_meanwhile_is_no_hang(watch, eventually) -> None:
    freehold.init(num_nodes=2, num_cpus=2)
    ref = freehold.put(bytes(300_000))
    workers = watch.roles()
    stop = threading.Event()
    said: list[str] = []

    def ask() -> None:
        while not stop.is_set():
            said.append(freehold.explain(ref))

    asking = threading.Thread(target=ask)
    asking.start()
    for role, pid in workers.items():
        if role.startswith("worker 1"):
            os.kill(pid, signal.SIGKILL)
            count = len(said)
            assert eventually(lambda count=count: len(said) > count + 3)
    stop.set()
    asking.join(30)
    assert not asking.is_alive() and all("n0w1 (the program) has" in text for text in said)


def test_several_ask_at_once_with_numbers_that_are_alike(watch) -> None:
    """Each process numbers its own questions: a node that mixed them up would give one the other's answers."""
    freehold.init(num_nodes=2, num_cpus=2)
    ref = freehold.put(bytes(300_000))
    asking = [explain_often.options(node=node).remote([ref], 15) for node in (0, 1, 0, 1)]
    for _ in range(15):
        assert freehold.explain(ref).silent == ()
    program_and_node = 2
    assert all(min(counts) >= program_and_node for counts in freehold.get(asking))


def test_a_trace_is_readable_after_a_kill(watch, tmp_path) -> None:
    from freehold.core import journal

    freehold.init(num_cpus=1, trace=tmp_path)
    pid = freehold.get(pid_of.remote())
    ref = nap.remote(60)
    freehold.wait([ref], timeout=0.2)
    os.kill(pid, signal.SIGKILL)
    freehold.wait([ref], timeout=0.5)
    freehold.shutdown()
    parties = journal.redo_all(str(tmp_path))
    assert {os.path.basename(path) for path in parties} >= {"n0.ndjson", "n0w1.ndjson", "n0w2.ndjson"}
