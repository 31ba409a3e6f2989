"""Measure this machine: a description of a cluster on it, with which the simulator takes as long as it does.

What the machine itself takes is measured without a cluster.  Of the rest each constant is said by one workload, once
the others are known; so they are set in turn, several times over.  Refuses to know how well that predicts others: see
``validate``.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import prod
from typing import Any

import msgspec

from freehold.simulator.validation.machine import between_processes, first_touch
from freehold.simulator.validation.measuring import processors, quantile, really, simulated
from freehold.simulator.validation.workloads import FITTED, NODES
from freehold.simulator.world.units import shown

RUNS = 5  # of each workload
ROUNDS = 3
STEPS = 12  # halvings, on a logarithmic scale, of the range in which a constant is looked for
REPETITIONS, TAIL_REPETITIONS = 20, 100  # of simulated workloads
MIDDLE, TAIL = 0.5, 0.99
SPIN_SECONDS = 60e-6  # as in backends/local/spin.py
HOLD_MAX = 32  # as in backends/local/driver.py
LEAST, MOST = 1e-6, 1e-2  # seconds of an interruption
PER_BYTE = {"copy", "pickle", "touch"}
SHARE = 0.08  # of its processor a process loses by interruptions


class Constant(msgspec.Struct, frozen=True):
    """A constant that is looked for."""

    parts: dict[str, float]  # in the table of costs, each so many times the constant
    workload: str
    least: float
    most: float

    def costs(self, value: float) -> dict[str, float]:
        """Return its part of the table."""
        return {name: value * times for name, times in self.parts.items()}


CONSTANTS = (
    Constant({"copy": 1.0, "pickle": 1.0}, "put_large", 1e-12, 1e-8),
    Constant(
        {"send": 1.0, "receive": 1.0, "call": 1.5, "submit": 2.5, "run": 4.0, "turn": 3.0}, "pipelined", 1e-7, 1e-3
    ),
    Constant({"switch": 1.0}, "chain", 1e-7, 1e-3),
    Constant({"event": 4.0, "step": 1.0}, "many_refs", 1e-8, 1e-4),
)


class Measured(msgspec.Struct):
    """What was measured, run after run."""

    rates: list[float] = []  # bytes a second, from one process to another
    wakes: list[float] = []  # seconds until a process that sleeps runs, at the least
    lingers: list[float] = []  # beside that, on average
    touches: list[float] = []  # seconds for each byte of memory that is written for the first time
    runs: dict[str, list[list[float]]] = {}  # of each workload: the seconds of each run's repetitions


def measure(note: Callable[[str], None], names: Iterable[str] = FITTED, runs: int = RUNS) -> Measured:
    """Measure the machine, and workloads by turns, for what a machine can do changes from minute to minute.

    Args:
        note: is told what is being done.
        names: of the workloads; those that are fitted at the least.
        runs: of each, every one in a process of its own.
    """
    found = Measured()
    for number in range(runs):
        note(f"measuring how processes reach each other, {number + 1} of {runs}")
        rate, wake, linger = between_processes()
        found.rates.append(rate)
        found.wakes.append(wake)
        found.lingers.append(linger)
        found.touches.append(first_touch())
        for name in names:
            note(f"measuring {name}, {number + 1} of {runs}")
            found.runs.setdefault(name, []).append(really(name))
    return found


def middle(runs: list[list[float]], part: float) -> float:
    """Return a quantile, the middle of all runs."""
    return quantile([quantile(run, part) for run in runs], MIDDLE)


def fit(found: Measured, note: Callable[[str], None]) -> dict[str, Any]:
    """Return the description with which simulated workloads take as long as the fitted ones did.

    Args:
        found: what was measured.
        note: is told what is being done.
    """
    costs = {"local": 0.0, "spin": SPIN_SECONDS, "batch": HOLD_MAX}
    for name, values in (("wake", found.wakes), ("linger", found.lingers), ("touch", found.touches)):
        costs[name] = quantile(values, MIDDLE)
    for constant in CONSTANTS:
        costs |= constant.costs((constant.least * constant.most) ** 0.5)
    machine = {"nodes": NODES // len(set(processors())), "cores": 1.0}
    network = {"latency": 0.0, "bandwidth": quantile(found.rates, MIDDLE)}
    cluster: dict[str, Any] = {"machine": machine, "network": network, "costs": costs}
    for number in range(ROUNDS):
        for constant in CONSTANTS:
            note(f"fitting {' and '.join(constant.parts)}, {number + 1} of {ROUNDS}")
            set_constant(cluster, constant, middle(found.runs[constant.workload], MIDDLE))
    note("fitting interruptions")
    set_interruptions(cluster, {name: middle(found.runs[name], TAIL) for name in FITTED})
    return cluster


def set_constant(found: dict[str, Any], constant: Constant, seconds: float) -> None:
    """Set one constant such that its workload takes so long."""
    low, high = constant.least, constant.most
    for _ in range(STEPS):
        value = (low * high) ** 0.5
        found["costs"] |= constant.costs(value)
        took = quantile(simulated(constant.workload, found, 0, REPETITIONS), MIDDLE)
        low, high = (value, high) if took < seconds else (low, value)


def set_interruptions(found: dict[str, Any], tails: Mapping[str, float]) -> None:
    """Set for how long a process is interrupted such that the tails of the workloads are as long, by and large."""
    low, high = LEAST, MOST
    for step in range(STEPS):
        length = (low * high) ** 0.5
        found["costs"] |= {"interruption": length, "calm": length / SHARE}
        ratios = [quantile(simulated(name, found, step, TAIL_REPETITIONS), TAIL) / tail for name, tail in tails.items()]
        low, high = (length, high) if prod(ratios) < 1 else (low, length)


def written(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a description in TOML."""
    yield f"# measured on {platform.processor() or platform.machine()} with {os.cpu_count()} processors"
    for table, values in found.items():
        yield ""
        yield f"[{table}]"
        for name, value in values.items():
            unit = f"{value * 1e9:.4g} ns/B" if name in PER_BYTE else shown(value, "s")
            yield f'{name} = "{unit}"' if table == "costs" and name != "batch" else f"{name} = {value:g}"
