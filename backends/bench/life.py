"""One life of a process: import, begin, a first result, end.  Run as a script, so that nothing is imported before.

    python life.py freehold [busy]

prints one JSON object of seconds.  Whoever starts its workers only with the first task has begun when that is done.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from importlib import import_module
from typing import Any, NamedTuple

WORKERS = 2


def same(value: Any) -> Any:
    """Return the value: what the first task does."""
    return value


def linger(folder: str, seconds: float) -> None:
    """Say in a folder that the task runs, and run for so long."""
    with open(os.path.join(folder, "runs"), "x"):
        pass
    time.sleep(seconds)


class Life(NamedTuple):
    """How a contender begins, runs one task, and ends."""

    begin: Callable[[Any], Any]  # module -> what to use
    run: Callable[..., Callable[[], Any]]  # used, function, arguments -> how to wait for it
    end: Callable[[Any], object]


def run_remote(module: Any, function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    """Run one task of freehold, or of Ray."""
    ref = module.remote(function).remote(*arguments)
    return lambda: module.get(ref)


def begin_freehold(module: Any) -> Any:
    """Begin a cluster of one node with two workers."""
    module.init(num_cpus=WORKERS)
    return module


def begin_ray(module: Any) -> Any:
    """Begin a cluster of one node with two workers, quietly, on the loopback address."""
    module.init(
        num_cpus=WORKERS,
        include_dashboard=False,
        logging_level="ERROR",
        log_to_driver=False,
        _node_ip_address="127.0.0.1",
    )
    return module


def begin_pool(_: Any) -> Any:
    """Begin a pool, and wait until a worker answers."""
    pool = multiprocessing.get_context().Pool(WORKERS)
    pool.apply(same, (1,))
    return pool


def run_pool(pool: Any, function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    """Run one task of a pool."""
    result = pool.apply_async(function, arguments)
    return lambda: result.get()


def end_pool(pool: Any) -> None:
    """End a pool, also while tasks run."""
    pool.terminate()
    pool.join()


def begin_executor(make: Callable[[Any], Executor]) -> Callable[[Any], Any]:
    """Begin an executor, and wait until a worker answers."""

    def begin(module: Any) -> Any:
        executor = make(module)
        executor.submit(same, 1).result()
        return executor

    return begin


def run_executor(executor: Any, function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    """Run one task of an executor, or of Dask's client."""
    future = executor.submit(function, *arguments)
    return lambda: future.result()


def end_executor(executor: Any) -> None:
    """End an executor of concurrent.futures; it waits for tasks that run."""
    executor.shutdown(wait=True, cancel_futures=True)


def end_loky(executor: Any) -> None:
    """End an executor of loky, also while tasks run."""
    executor.shutdown(wait=True, kill_workers=True)


def begin_dask(module: Any) -> Any:
    """Begin a cluster of two worker processes on the loopback address, and its client."""
    cluster = module.LocalCluster(
        n_workers=WORKERS, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs=50
    )
    return module.Client(cluster)


def end_dask(client: Any) -> None:
    """End the client and its cluster."""
    cluster = client.cluster
    client.close()
    cluster.close()


LIVES = {
    "freehold": Life(begin_freehold, run_remote, lambda module: module.shutdown()),
    "ray": Life(begin_ray, run_remote, lambda module: module.shutdown()),
    "multiprocessing": Life(begin_pool, run_pool, end_pool),
    "concurrent.futures": Life(begin_executor(lambda _: ProcessPoolExecutor(WORKERS)), run_executor, end_executor),
    "loky": Life(begin_executor(lambda loky: loky.ProcessPoolExecutor(WORKERS)), run_executor, end_loky),
    "distributed": Life(begin_dask, run_executor, end_dask),
}
IMPORTED_HERE = ("multiprocessing", "concurrent.futures")  # by this script, so that their import cannot be timed


def wait_until_it_runs(life: Life, used: Any, seconds: float) -> None:
    """Start a long task, and return when a worker is in the middle of it."""
    with tempfile.TemporaryDirectory() as folder:
        life.run(used, linger, folder, seconds)
        while not os.listdir(folder):
            time.sleep(0.001)


def live(name: str, *, busy: bool) -> dict[str, float]:
    """Live one life; return the seconds of its parts by the names of rows."""
    life, start = LIVES[name], time.perf_counter()
    module = import_module(name)
    imported = time.perf_counter()
    used = life.begin(module)
    begun = time.perf_counter()
    wait = life.run(used, same, 1)
    assert wait() == 1
    answered = time.perf_counter()
    if busy:
        wait_until_it_runs(life, used, 1 if name == "concurrent.futures" else 1000)
    ending = time.perf_counter()
    life.end(used)
    ended = time.perf_counter()
    figures = {"init": begun - imported, "first-result": answered - start, "shutdown": ended - ending}
    return figures if name in IMPORTED_HERE else {"import": imported - start, **figures}


if __name__ == "__main__":
    print(json.dumps(live(sys.argv[1], busy="busy" in sys.argv[2:])))
