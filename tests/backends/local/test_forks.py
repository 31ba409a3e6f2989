"""Forks in user code, references at the interpreter's end, and references that outlive their cluster."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from typing import Any

import numpy as np
import pytest

import freehold
from freehold.backends.doctor.checks import temporary
from freehold.backends.doctor.world import World
from freehold.core import cluster
from freehold.exceptions import FreeholdError, NotSupported, SessionError, WorkerCrashedError

pytestmark = [
    pytest.mark.local,
    pytest.mark.slow,
    pytest.mark.timeout(100),
    pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning"),  # Python 3.12 and later
]


def in_a_fork(body: Any) -> int:
    """Run something in a fork of this process that then ends at once; return its exit status."""
    pid = os.fork()
    if not pid:
        try:
            os._exit(body() or 0)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(99)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def links() -> int:
    """Return how many sockets, arenas and the like this process has."""
    targets = []
    for name in os.listdir("/proc/self/fd"):
        try:
            targets.append(os.readlink(f"/proc/self/fd/{name}"))
        except FileNotFoundError:
            continue
    return sum(target.startswith(("socket:", "anon_inode:", "/memfd:freehold")) for target in targets)


@freehold.remote
def double(value: Any) -> Any:
    return value * 2


def test_a_fork_of_the_program_has_no_part_in_the_cluster(watch) -> None:
    before = links()
    freehold.init(num_nodes=2, num_cpus=1)
    array = freehold.put(np.arange(10**6))
    view = freehold.get(array)
    never = freehold.remote(lambda: time.sleep(60)).remote()

    def child() -> int:
        assert links() == before
        assert view[-1] == 10**6 - 1  # what it has seen it keeps
        calls = [lambda: freehold.get(array), lambda: freehold.put(1), lambda: double.remote(1)]
        for call in [*calls, lambda: never.future().result(10)]:
            try:
                call()
            except (NotSupported, SessionError):
                continue
            return 1
        freehold.shutdown()
        return 0

    for _ in range(3):
        assert in_a_fork(child) == 0
    assert freehold.get(double.remote(array))[-1] == 2 * (10**6 - 1)
    assert freehold.get(array)[1] == 1


def test_a_fork_may_start_its_own_cluster(watch) -> None:
    freehold.init(num_cpus=1)

    def child() -> int:
        freehold.shutdown()
        freehold.init(num_cpus=1)
        result = freehold.get(double.remote(21))
        freehold.shutdown()
        return int(result != 42)

    assert in_a_fork(child) == 0
    assert freehold.get(double.remote(21)) == 42


def test_forks_amid_busy_threads(watch, eventually) -> None:
    """A fork may come while another thread has the lock: neither side hangs."""
    freehold.init(num_cpus=1)
    over = threading.Event()

    def busy() -> None:
        while not over.is_set():
            freehold.get([freehold.put(1), double.remote(2), freehold.put(b"x" * 200_000)])

    threads = [threading.Thread(target=busy) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(30):
            assert in_a_fork(lambda: print("", end="")) == 0
    finally:
        over.set()
        for thread in threads:
            thread.join()
    host: Any = cluster.engine().host
    eventually(lambda: not host.census())
    assert host.census() == []


def test_a_fork_does_not_keep_a_dead_program_s_cluster(watch, eventually) -> None:
    """The program is killed while a fork of it lives on: its cluster ends."""
    program = watch.start("""
        import freehold, os, time
        freehold.init(num_cpus=1)
        if not os.fork():
            os.closerange(0, 3)
            time.sleep(600)
        print("ready", flush=True)
        time.sleep(600)
    """)
    assert program.stdout.readline() == "ready\n"
    program.kill()
    assert program.communicate() == ("", "")
    left = eventually(lambda: len(watch.processes()) == 1 and watch.processes())
    assert len(left) == 1  # the fork
    os.kill(next(iter(left)), signal.SIGKILL)


@freehold.remote(max_retries=0)
def forking(how: str) -> str:
    """Fork in a task, in one of several ways; the answer comes from the parent."""
    pid = os.fork()
    if pid:
        if how != "goes on":
            os.waitpid(pid, 0)
        return "parent"
    match how:
        case "exits":
            os._exit(0)
        case "prints":
            print("from a fork of a task", flush=True)
            os._exit(0)
        case "raises":
            raise RuntimeError("in the fork")
        case "uses freehold":
            freehold.put(1)
    return "child"


@pytest.mark.parametrize("how", ["exits", "returns", "raises", "uses freehold", "prints", "goes on"])
def test_a_fork_in_a_task(watch, eventually, how: str) -> None:
    freehold.init(num_cpus=1)
    assert freehold.get([forking.remote(how) for _ in range(5)]) == ["parent"] * 5
    assert freehold.get(double.remote(2)) == 4
    assert eventually(lambda: len(watch.processes()) == 4), watch.processes()


def square(number: int) -> int:
    return number**2


@freehold.remote
def in_processes(method: str) -> list[int]:
    with multiprocessing.get_context(method).Pool(2) as pool:
        return pool.map(abs, [-1, -2, -3])


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_in_a_task(watch, eventually, method: str) -> None:
    if method == "forkserver" and temporary(World(temporary=tempfile.gettempdir())).level != "ok":
        pytest.skip(f"{tempfile.gettempdir()} is too long a name for the sockets of multiprocessing")
    freehold.init(num_cpus=1)
    assert freehold.get(in_processes.remote(method), timeout=30) == [1, 2, 3]
    assert freehold.get(double.remote(2)) == 4


def test_a_task_that_ends_its_process(watch) -> None:
    freehold.init(num_cpus=1)
    for end in (sys.exit, os._exit, lambda code: os.kill(os.getpid(), signal.SIGSEGV)):
        task = freehold.remote(max_retries=1)(lambda end=end: end(3))
        with pytest.raises(WorkerCrashedError):
            freehold.get(task.remote(), timeout=30)
    assert freehold.get(double.remote(2)) == 4


def test_references_after_shutdown(watch) -> None:
    """Whatever is done with a reference of a cluster that is gone is a clear error, or nothing."""
    freehold.init(num_cpus=1)
    refs = [freehold.put(1), freehold.put(np.arange(10**6)), double.remote(3)]
    freehold.get(refs)
    futures = [ref.future() for ref in refs]
    freehold.shutdown()
    freehold.init(num_cpus=1)
    ref: Any
    for ref in refs:
        calls: list[Any] = [lambda ref=ref: freehold.get(ref), lambda ref=ref: freehold.wait([ref]), ref.future]
        calls += [lambda ref=ref: double.remote(ref), lambda ref=ref: freehold.put([ref])]
        for call in [*calls, lambda ref=ref: freehold.cancel(ref)]:
            with pytest.raises((FreeholdError, TypeError)):
                call()
        assert repr(ref) and len(ref.hex()) == 56
    del refs, ref, futures, call, calls
    assert freehold.get(double.remote(2)) == 4


def test_what_python_does_at_its_end(watch) -> None:
    """References in globals, in cycles, in finalizers and at exit: no output, no hang, no abort."""
    done = watch.run("""
        import atexit, freehold, numpy as np, threading, time, weakref
        freehold.init(num_cpus=1)

        class Cycle:
            def __init__(self):
                self.me, self.ref = self, freehold.put(self.__class__.__name__)

            def __del__(self):
                del self.ref
                try:
                    freehold.put(1)
                except BaseException:
                    pass

        cycles = [Cycle() for _ in range(10)]
        views = [freehold.get(freehold.put(np.arange(10**6))) for _ in range(3)]
        futures = [freehold.remote(time.sleep).remote(60).future() for _ in range(3)]
        futures[0].add_done_callback(lambda future: future.exception())
        atexit.register(lambda: views[0].sum())
        weakref.finalize(cycles[0], lambda: None)
        waiter = threading.Thread(target=lambda: freehold.wait([freehold.remote(time.sleep).remote(60)]), daemon=True)
        waiter.start()
    """)
    assert (done.returncode, done.stdout) == (0, "")
    assert "Traceback" not in done.stderr or "SessionError" in done.stderr
