"""However a program ends, and whoever of its cluster is killed, nothing is left on the machine."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

import freehold
from freehold.exceptions import FreeholdError, SessionError

pytestmark = [pytest.mark.local, pytest.mark.slow, pytest.mark.timeout(60)]

START = """
    import freehold, os, signal, sys, time
    import numpy as np
    freehold.init(num_nodes=2, num_cpus=2, object_store_memory=2**26)

    @freehold.remote
    def nap(seconds):
        time.sleep(seconds)
        return np.ones(10**6)

    naps = [nap.options(node=node).remote(60) for node in (0, 1)]
    kept = freehold.get([nap.options(node=node).remote(0) for node in (0, 1)])
    print("ready", flush=True)
"""
ENDS = {  # the last lines of a program -> its exit status
    "freehold.shutdown()": 0,
    "freehold.shutdown(); freehold.shutdown()": 0,
    "pass": 0,
    "sys.exit(3)": 3,
    "raise RuntimeError('a bug')": 1,
    "os._exit(4)": 4,
    "os.kill(os.getpid(), signal.SIGKILL)": -signal.SIGKILL,
    "os.kill(os.getpid(), signal.SIGTERM)": -signal.SIGTERM,
    "import faulthandler; faulthandler._sigsegv()": -signal.SIGSEGV,
    "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5)); os.kill(os.getpid(), signal.SIGTERM)": 5,
    "import atexit; atexit.register(freehold.shutdown); atexit.register(freehold.put, 1)": 0,
}


@pytest.mark.parametrize("end", ENDS)
def test_a_program_ends_and_takes_everything_along(watch, eventually, end: str) -> None:
    done = watch.run(START + "    " + end)
    assert done.returncode == ENDS[end], done.stderr
    assert done.stdout == "ready\n"
    if "RuntimeError" in end:
        assert done.stderr.count("Traceback") == 1
    elif "SEGV" not in end and "sigsegv" not in end:
        assert done.stderr == ""
    assert eventually(lambda: not watch.processes()), watch.processes()


ROLES = ("launcher", "template 0", "node 0", "worker 0.0", "template 1", "node 1", "worker 1.0")


def started(watch, eventually) -> dict[str, int]:
    """Start a cluster of two nodes with two workers each, and return its processes by their roles."""
    freehold.init(num_nodes=2, num_cpus=2)
    return eventually(lambda: len(roles := watch.roles()) == len(ROLES) + 2 and roles)


def test_nothing_has_a_name(watch, eventually) -> None:
    """No socket of any process of a cluster has a name that somebody else could connect to."""
    roles = started(watch, eventually)
    named = {}
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7:
            named[f"socket:[{fields[6]}]"] = fields[7]
    sockets = 0
    for pid in roles.values():
        for fd in os.listdir(f"/proc/{pid}/fd"):
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
            sockets += target.startswith("socket:")
            assert target not in named
    assert sockets > 10


@pytest.mark.parametrize("role", ROLES)
def test_whoever_is_killed_nothing_is_left(watch, eventually, role: str) -> None:
    roles = started(watch, eventually)

    @freehold.remote(max_retries=0)
    def nap(seconds: float) -> int:
        Path(folder, f"pid-{os.getpid()}").touch()
        time.sleep(seconds)
        return 1

    folder = str(watch.folder)
    large = freehold.put(bytes(10**6))
    waiting = [nap.options(node=node).remote(60) for node in (0, 1)]
    for node in (0, 1):
        pair = [roles.pop(f"worker {node}.{index}") for index in (0, 1)]
        at_work = eventually(lambda pair=pair: [pid for pid in pair if Path(folder, f"pid-{pid}").exists()])
        roles[f"worker {node}.0"] = at_work[0]
    os.kill(roles[role], signal.SIGKILL)
    hurt = [1] if "1" in role else [0]
    if role in ("launcher", "template 0", "node 0"):
        hurt = [0, 1]
    for node in hurt:
        with pytest.raises(FreeholdError):
            freehold.get(waiting[node], timeout=20)
    if len(hurt) == 1:
        assert freehold.get(large) == bytes(10**6)
        assert freehold.get(nap.options(node=1 - hurt[0]).remote(0), timeout=20) == 1
        assert freehold.is_initialized()
    else:
        assert eventually(lambda: not freehold.is_initialized())
        with pytest.raises(SessionError):
            freehold.get(large)
        assert freehold.get(freehold.put(2)) == 2  # in a new cluster
    freehold.shutdown()
    assert eventually(lambda: not watch.left()), watch.left()


@pytest.mark.parametrize("victim", ["worker 0.0", "template 0", "launcher", ""])
def test_what_a_task_has_started_ends_with_it(watch, eventually, victim: str) -> None:
    freehold.init(num_cpus=1)
    roles = eventually(lambda: len(roles := watch.roles()) == 4 and roles)

    @freehold.remote(max_retries=0)
    def leave_a_child() -> tuple[int, int]:
        return os.getpid(), subprocess.Popen(["sleep", "600"]).pid

    worker, child = freehold.get(leave_a_child.remote())
    assert (worker, psutil.Process(child).ppid()) == (roles["worker 0.0"], worker)
    if victim:
        os.kill(roles[victim], signal.SIGKILL)
    if victim != "worker 0.0":
        freehold.shutdown()
    assert eventually(lambda: not psutil.pid_exists(child))


def test_shutdown_twice_and_at_once_from_several_threads(watch) -> None:
    freehold.init(num_cpus=1)
    threads = [threading.Thread(target=freehold.shutdown) for _ in range(4)]
    for thread in threads:
        thread.start()
    freehold.shutdown()
    for thread in threads:
        thread.join()
    freehold.shutdown()
    with pytest.raises(RuntimeError):
        freehold.init(num_cpus=1)
        freehold.init()
    freehold.init(ignore_reinit_error=True)


def test_shutdown_wakes_who_waits(watch) -> None:
    """Threads in get, wait and put, and a future, hear that the cluster is gone."""
    freehold.init(num_cpus=1, object_store_memory=10**7, store_wait=60.0)

    @freehold.remote
    def nap() -> None:
        time.sleep(60)

    never = nap.remote()
    future = never.future()
    kept = freehold.put(bytes(6 * 10**6))
    ends: list[BaseException] = []

    def attempt(call) -> None:
        try:
            call()
        except BaseException as error:
            ends.append(error)

    calls = [lambda: freehold.get(never), lambda: freehold.wait([never]), lambda: freehold.put(bytes(6 * 10**6))]
    threads = [threading.Thread(target=attempt, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    freehold.shutdown()
    for thread in threads:
        thread.join(20)
    assert [type(error) for error in ends] == [SessionError] * 3
    with pytest.raises(SessionError):
        future.result(20)
    del kept


def test_a_view_outlives_its_cluster(watch, eventually) -> None:
    freehold.init(num_cpus=1)
    array = freehold.get(freehold.put(np.arange(10**6)))
    freehold.shutdown()
    assert array.sum() == sum(range(10**6))
    assert watch.left() == ["1 mappings"]
    del array
    gc.collect()
    assert eventually(lambda: not watch.left())


def test_twenty_clusters_one_after_the_other(watch, eventually) -> None:
    """Descriptors, threads and memory stay flat."""
    process = psutil.Process()
    taken = []
    for _ in range(20):
        freehold.init(num_cpus=1)
        ref = freehold.put(np.ones(10**6))
        assert freehold.get(freehold.remote(lambda array: array.sum()).remote(ref)) == 10**6
        del ref
        freehold.shutdown()
        gc.collect()
        taken.append((process.num_fds(), threading.active_count(), process.memory_info().rss))
    assert {counts[:2] for counts in taken} == {taken[0][:2]}
    assert taken[-1][2] - taken[4][2] < 4 * 2**20


def test_a_launcher_that_cannot_begin_is_a_clear_error(watch, eventually, monkeypatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(RuntimeError, match=r"(has ended|ended while it was being started): 'freehold doctor'"):
        freehold.init()
    assert not freehold.is_initialized()
    assert eventually(lambda: not watch.left()), watch.left()
