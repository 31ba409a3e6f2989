"""Measure this machine: a description of a cluster on it, with which the simulator takes as long as it does.

Some workloads are measured.  Each of them says one constant, once the others are known; so they are set in turn, three
times over.  Refuses to know how well that predicts others: see ``validate``.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from freehold.simulator.validation.measuring import quantile, really, simulated
from freehold.simulator.validation.workloads import FITTED
from freehold.simulator.world.units import shown

RUNS = 3  # of each workload
ROUNDS = 3
STEPS = 14  # halvings, on a logarithmic scale, of the range in which a constant is looked for
REPETITIONS = 30  # simulated ones differ little


class Constant(msgspec.Struct, frozen=True):
    """A constant that is looked for."""

    names: tuple[str, ...]  # in the table of costs; all have the same value
    workload: str
    least: float
    most: float


CONSTANTS = (
    Constant(("copy",), "put_large", 1e-12, 1e-8),
    Constant(("call", "send", "receive", "run"), "pipelined", 1e-7, 1e-3),
    Constant(("local",), "round_trip", 1e-7, 1e-3),
    Constant(("step",), "chain", 1e-8, 1e-4),
)


def calibrate(note: Callable[[str], None]) -> dict[str, Any]:
    """Return the description of a cluster on this machine.

    Args:
        note: is told what is being done.
    """
    measured = {}
    for name in FITTED:
        note(f"measuring {name}")
        measured[name] = quantile([quantile(really(name), 0.5) for _ in range(RUNS)], 0.5)
    return fit(measured, note)


def fit(measured: Mapping[str, float], note: Callable[[str], None]) -> dict[str, Any]:
    """Return the description with which simulated medians are those that were measured."""
    cores = float(len(os.sched_getaffinity(0)))
    costs = dict.fromkeys(("call", "send", "receive", "run"), 5e-6)
    costs |= {"local": 3e-6, "step": 1e-6, "copy": 1e-10, "pickle": 1e-10}
    found: dict[str, Any] = {"machine": {"nodes": 2, "cores": cores}, "costs": costs}
    for number in range(ROUNDS):
        for constant in CONSTANTS:
            note(f"fitting {' and '.join(constant.names)}, {number + 1} of {ROUNDS}")
            set_constant(found, constant, measured[constant.workload])
    return found


def set_constant(found: dict[str, Any], constant: Constant, seconds: float) -> None:
    """Set one constant such that its workload takes so long."""
    low, high = constant.least, constant.most
    for _ in range(STEPS):
        value = (low * high) ** 0.5
        found["costs"] |= dict.fromkeys(constant.names, value)
        took = quantile(simulated(constant.workload, found, 0, REPETITIONS), 0.5)
        low, high = (value, high) if took < seconds else (low, value)


def written(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a description in TOML."""
    yield f"# measured on {platform.processor() or platform.machine()} with {os.cpu_count()} processors"
    for table, values in found.items():
        yield ""
        yield f"[{table}]"
        for name, value in values.items():
            unit = {"copy": f"{value * 1e9:.4g} ns/B", "pickle": f"{value * 1e9:.4g} ns/B"}.get(name, shown(value, "s"))
            yield f'{name} = "{unit}"' if table == "costs" else f"{name} = {value:g}"
