"""What the machine is like, as one record: the checks read nothing else, so that each can be shown a bad one.

Nothing here judges.  A file of the kernel that cannot be read leaves the field as it is on a machine without limits.
"""

from __future__ import annotations

import locale
import os
import platform
import resource
import select
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from freehold.backends.local.arena import CAPACITY_MAX, Arena, default_capacity, group_memory_left
from freehold.backends.local.limits import (
    UNLIMITED,
    address_space_left,
    descriptors_open,
    finite,
    processes_left,
)
from freehold.core.requirements import installed, lacking, requirements


class World(msgspec.Struct, frozen=True, kw_only=True):
    """A machine, and this process on it."""

    system: str = "Linux"
    kernel: str = "6.1"
    python: tuple[int, int, int] = (3, 11, 0)
    implementation: str = "CPython"
    optimized: bool = True  # built with PGO
    free_threaded: bool = False  # the interpreter runs without its global lock
    executable: str = "python3"
    versions: dict[str, str] = {}  # of freehold and the packages that it needs; "" for one that is missing
    lacking: tuple[str, ...] = ()  # requirements that are not met
    cpus: int = 2  # of the machine
    allowed: int = 2  # CPUs that this process may use
    quota: float = 0.0  # CPUs that the control group grants; 0: all
    memory: int = 16 << 30  # bytes of the machine
    left: int = 8 << 30  # bytes that machine and control groups still grant
    machine_left: int = 8 << 30  # bytes that the machine alone still grants
    capacity: int = 2 << 30  # bytes of the object store that a cluster of one node would have
    address_space: int = UNLIMITED  # bytes of addresses that this process may still map
    overcommit: int = 0  # how the kernel grants memory: 0 by a guess, 1 always, 2 strictly
    commit_left: int = UNLIMITED  # bytes that a strict kernel still promises
    descriptors: tuple[int, int] = (1024, 1024)  # soft and hard limit
    descriptors_open: int = 3
    processes: tuple[int, str] = (UNLIMITED, "")  # how many more may be started, and what says so
    broken: dict[str, str] = {}  # what the kernel does not do: name of the call -> its complaint
    threads: int = 1  # of this process
    temporary: str = "/tmp"  # folder for temporary files, "" if there is none
    home: str = "/root"
    home_writable: bool = True
    encoding: str = "UTF-8"  # of the locale
    output_encoding: str = "utf-8"  # of what this process prints


def here(root: Path = Path("/")) -> World:
    """Return the machine that this is.

    Args:
        root: where the files of the kernel are.
    """
    home = os.path.expanduser("~")
    meminfo = numbers(root / "proc/meminfo")
    machine_left = meminfo.get("MemAvailable", CAPACITY_MAX)  # as the arena takes it, where nobody says
    return World(
        system=platform.system(),
        kernel=platform.release(),
        python=sys.version_info[:3],
        implementation=platform.python_implementation(),
        optimized=optimized(sysconfig.get_config_vars()),
        free_threaded=not getattr(sys, "_is_gil_enabled", lambda: True)(),
        executable=sys.executable,
        versions={name: installed(name) for name in ("freehold", *requirements())},
        lacking=tuple(lacking()),
        cpus=os.cpu_count() or 1,
        allowed=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        quota=quota(root),
        memory=meminfo.get("MemTotal", 0),
        left=max(0, min(machine_left, group_memory_left(root))),
        machine_left=machine_left,
        capacity=default_capacity(1),
        address_space=address_space_left(root),
        overcommit=int(text(root / "proc/sys/vm/overcommit_memory") or 0),
        commit_left=meminfo.get("CommitLimit", UNLIMITED) - meminfo.get("Committed_AS", 0),
        descriptors=tuple(map(finite, resource.getrlimit(resource.RLIMIT_NOFILE))),  # type: ignore[arg-type]
        descriptors_open=descriptors_open(root),
        processes=processes_left(root),
        broken=broken(),
        threads=threading.active_count(),
        temporary=temporary(),
        home=home,
        home_writable=os.access(home, os.W_OK),
        encoding=locale.getpreferredencoding(False),
        output_encoding=getattr(sys.stdout, "encoding", None) or "",
    )


def optimized(variables: dict[str, Any]) -> bool:
    """Tell whether this Python was built with profile-guided optimization.

    Distributions that profile in their own way leave the flag empty, and count as optimized.

    Args:
        variables: with which it was built.
    """
    return "--enable-optimizations" in (variables.get("CONFIG_ARGS") or "") or not variables.get("PGO_PROF_USE_FLAG")


def text(path: Path) -> str:
    """Return the text of a small file, "" if it cannot be read."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def numbers(path: Path) -> dict[str, int]:
    """Return the lines ``name: number kB`` of a file, in bytes."""
    rows = [line.replace(":", " ").split() for line in text(path).splitlines()]
    return {row[0]: int(row[1]) * 1024 for row in rows if len(row) > 1 and row[1].isdecimal()}


def quota(root: Path) -> float:
    """Return how many CPUs the narrowest control group grants, 0 for all."""
    found = []
    for line in text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "" or "cpu" in controllers.split(","):
            mount = root / "sys/fs/cgroup" / ("cpu" if controllers else "")
            group = mount / path.lstrip("/")
            found += [granted(folder) for folder in (group, *group.parents) if folder.is_relative_to(mount)]
    return min((cpus for cpus in found if cpus > 0), default=0.0)


def granted(group: Path) -> float:
    """Return how many CPUs one control group grants, 0 for all."""
    words = text(group / "cpu.max").split() or [
        text(group / name) for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
    ]
    try:
        limit, period = map(int, words)
    except ValueError:  # "max", or no such files
        return 0.0
    return limit / period if limit > 0 and period > 0 else 0.0


def temporary() -> str:
    """Return the folder for temporary files, "" if none can be written."""
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:
        return ""


# ------------------------------------------------------------------ what the kernel does


def try_arena() -> None:
    """Make a small arena, as a node does; its pages are a question of memory."""
    Arena.create(1 << 16).close()


def try_seal() -> None:
    """Seal an arena, and see that nobody can make it writable again."""
    arena = Arena.create(1 << 16)
    try:
        arena.seal()
        try:
            os.pwrite(arena.fileno(), b"x", 0)
        except PermissionError:
            return
        raise OSError("a sealed memory file can be written")
    finally:
        arena.close()


def try_eventfd() -> None:
    """Make an eventfd."""
    os.close(os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC))


def try_pidfd() -> None:
    """Open this process as a descriptor."""
    os.close(os.pidfd_open(os.getpid()))


def try_epoll() -> None:
    """Make an epoll."""
    select.epoll().close()


def try_descriptor_list() -> None:
    """List the descriptors of this process."""
    os.listdir("/proc/self/fd")


TRIALS: dict[str, Callable[[], None]] = {
    "memfd_create": try_arena,
    "F_SEAL_FUTURE_WRITE": try_seal,
    "eventfd": try_eventfd,
    "pidfd_open": try_pidfd,
    "epoll": try_epoll,
    "/proc": try_descriptor_list,
}


def broken(trials: dict[str, Callable[[], None]] = TRIALS) -> dict[str, str]:
    """Return which calls fail here, with what they say."""
    found = {}
    for name, attempt in trials.items():
        try:
            attempt()
        except (OSError, AttributeError, MemoryError) as error:  # AttributeError: not on this system at all
            found[name] = getattr(error, "strerror", None) or str(error)
    return found
