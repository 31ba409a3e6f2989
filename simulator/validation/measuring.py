"""Run workloads, each in a process of its own with a cluster of its own: really, or simulated.

``python -m freehold.simulator.validation.measuring BACKEND NAME REPETITIONS SEED [CLUSTER]`` prints seconds as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import psutil

REPETITIONS = 200
TIMEOUT = 120.0  # seconds for one process


class MeasuringFailed(Exception):
    """A workload did not come to its end."""


def really(name: str, repetitions: int = REPETITIONS) -> list[float]:
    """Return how long the repetitions of a workload take on the local cluster."""
    return ask("local", name, str(repetitions), "0")


def simulated(name: str, cluster: dict[str, Any], seed: int, repetitions: int = REPETITIONS) -> list[float]:
    """Return the same of a simulated cluster.

    Args:
        name: of the workload.
        cluster: its description.
        seed: of the simulation.
        repetitions: how many are measured.
    """
    return ask("sim", name, str(repetitions), str(seed), json.dumps(cluster))


def ask(*words: str) -> list[float]:
    """Run a workload in a new process; return what it prints.

    Raises:
        MeasuringFailed: it failed, or took too long.
    """
    command = [sys.executable, "-m", "freehold.simulator.validation.measuring", *words]
    environment = {**os.environ, "FREEHOLD_CALL_SITES": "0"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False, env=environment)
    except subprocess.TimeoutExpired:
        raise MeasuringFailed(f"{words[1]} on {words[0]} took longer than {TIMEOUT:g} s") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise MeasuringFailed(f"{words[1]} on {words[0]} ended with {done.returncode}: {last}")
    found: list[float] = json.loads(done.stdout)
    return found


def quantile(values: Sequence[float], part: float) -> float:
    """Return the value below which a part of all lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def processors() -> list[int]:
    """Return on which processors the processes of each node run: their own if there are as many."""
    from freehold.simulator.validation.workloads import NODES

    ours = sorted(os.sched_getaffinity(0))
    return [ours[node % len(ours)] for node in range(NODES)]


def pin() -> None:
    """Let all processes of a node run on one processor, those of the first together with the program.

    Else which of them share one would change from run to run, and with it how long everything takes.
    """
    import freehold

    where = [freehold.remote(os.getppid).options(resources={f"node:{node}": 1e-6}) for node in range(len(processors()))]
    for processor, task in zip(processors(), where, strict=True):
        template = psutil.Process(freehold.get(task.remote()))  # the parent of a node's processes
        for process in (template, *template.children()):
            hold(process, processor)
    hold(psutil.Process(), processors()[0])


def hold(process: psutil.Process, processor: int) -> None:
    """Let all threads of a process run on one processor, and those that they start."""
    for thread in process.threads():
        os.sched_setaffinity(thread.id, {processor})


def main(backend: str, name: str, repetitions: str, seed: str, cluster: str = "null") -> None:
    """Measure, and print."""
    import freehold
    from freehold.simulator.validation.workloads import CPUS, NODES, measure

    more = {"cluster": json.loads(cluster)} if backend == "sim" else {}
    with freehold.init(backend=backend, num_nodes=NODES, num_cpus=CPUS, seed=int(seed), **more):
        if backend == "local":
            pin()
        found = measure(name, int(repetitions))
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
