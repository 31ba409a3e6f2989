"""On what a run was made: a figure without its machine says nothing."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from freehold.backends.bench.peers import Peers, versions_of

LIBRARIES = ("freehold", "numpy", "msgspec", "cloudpickle")


def facts(peers: Peers) -> dict[str, str]:
    """Return the facts about this machine and the versions, each in words."""
    import psutil

    own = versions_of(sys.executable, *LIBRARIES)
    python = own.pop("python")
    libraries = {**own, **peers.versions}
    shared = os.statvfs("/dev/shm")
    sizes = [psutil.virtual_memory().total, shared.f_blocks * shared.f_frsize]
    memory, shm = [f"{size / 2**30:.0f} GiB" for size in sizes]
    return {
        "machine": f"{processor()}, {len(os.sched_getaffinity(0))} cores usable, {memory}, /dev/shm {shm}",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {python}",
        "libraries": ", ".join(f"{name} {version}" for name, version in libraries.items()),
        "load": load(),
    }


def load() -> str:
    """Return how busy the machine is, over 1, 5 and 15 minutes."""
    return ", ".join(f"{average:.2f}" for average in os.getloadavg())


def processor() -> str:
    """Return the processor's name."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
