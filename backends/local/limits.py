"""What a cluster asks of the machine beside memory, and whether the machine grants it.

``init`` looks here first: a cluster that could not stand is not begun.  Otherwise the limit is met by some process
in the middle of a start, and the program would learn only that the cluster is gone.  Every file of the kernel that is
read may be missing, which counts as "no limit".
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

PROGRAM_FDS = 16  # of the program, beside one for each other process of the cluster; 8 were counted, 12 amid init
DESCRIPTORS_WANTED = 4096  # of a process of the cluster: later nodes and workers are linked, too
SCANNED_MAX = 10_000  # a limit on processes above it is not compared with a count, which takes milliseconds
ADDRESS_SPACE_MIN = 256 << 20  # bytes, of each process: threads, libraries, and a small object store mapped twice
UNLIMITED = 1 << 62
ROOT = Path("/")


def finite(limit: int) -> int:
    """Return a resource limit as a number to compare with."""
    return UNLIMITED if limit == resource.RLIM_INFINITY else limit


def descriptors_needed(nodes: int, workers: int) -> int:
    """Return how many descriptors the program opens for a cluster, linked to every other process of it.

    Args:
        nodes: of the cluster.
        workers: that each node starts with.
    """
    return PROGRAM_FDS + nodes * (1 + workers)


def processes_needed(nodes: int, workers: int) -> int:
    """Return how many processes and threads a cluster consists of, without the program's main thread.

    The launcher, and the program's background thread; of each node a template, the node, and workers of two threads.
    """
    return 2 + nodes * (2 + 2 * workers)


def descriptors_open(root: Path = ROOT) -> int:
    """Return how many descriptors this process has; three if nobody says."""
    try:
        return len(os.listdir(root / "proc/self/fd")) - 1  # one is for the list itself
    except OSError:
        return 3


def processes_left(root: Path = ROOT, limit: int | None = None, user: int | None = None) -> tuple[int, str]:
    """Return how many more processes and threads may be started, and what says so.

    Args:
        root: where the files of the kernel are.
        limit: of this user's processes; None asks.
        user: whose they are; None: of this process.  The system's user 0 has no such limit.
    """
    user = os.getuid() if user is None else user
    limit = finite(resource.getrlimit(resource.RLIMIT_NPROC)[0]) if limit is None else limit
    found = [(UNLIMITED, "")]
    if user and limit <= SCANNED_MAX:
        found.append((limit - sum(threads_of(user, root)), f"ulimit -u {limit}"))
    found += [(left, f"pids.max of the control group {folder}") for folder, left in groups_left(root)]
    return min(found)


def threads_of(user: int, root: Path) -> Iterator[int]:
    """Yield the number of threads of every process of a user."""
    try:
        entries = [entry for entry in os.scandir(root / "proc") if entry.name.isdecimal()]
    except OSError:
        entries = []
    for entry in entries:
        try:
            if entry.stat().st_uid == user:
                yield len(os.listdir(f"{entry.path}/task"))
        except OSError:  # it has ended
            continue


def control_groups(root: Path) -> Iterator[tuple[str, str]]:
    """Yield the control groups of this process: (controllers, "" for all of version 2; path)."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        yield controllers, path


def enclosing(mount: Path, path: str) -> list[Path]:
    """Return the folders of a control group and of all around it.

    In a container the path may be the host's, and only the mount itself is there.
    """
    group = mount / path.lstrip("/")
    return [folder for folder in (group, *group.parents) if folder.is_relative_to(mount)]


def groups_left(root: Path) -> Iterator[tuple[Path, int]]:
    """Yield every control group around this process that limits processes, and how many it still grants."""
    for controllers, path in control_groups(root):
        for folder in enclosing(root / "sys/fs/cgroup" / controllers, path) if controllers in ("", "pids") else ():
            try:
                limit, now = [int((folder / name).read_text()) for name in ("pids.max", "pids.current")]
            except (OSError, ValueError):  # no such group here, or "max": no limit
                continue
            yield folder, limit - now


def address_space_left(root: Path = ROOT, limit: int | None = None) -> int:
    """Return how many bytes of addresses this process may still map; `UNLIMITED` if nothing is said of it."""
    limit = finite(resource.getrlimit(resource.RLIMIT_AS)[0]) if limit is None else limit
    if limit == UNLIMITED:
        return limit
    try:
        pages = int((root / "proc/self/statm").read_text().split()[0])
    except OSError:
        pages = 0
    return max(0, limit - pages * resource.getpagesize())


def raise_own_limit() -> None:
    """Let this process, and what it forks, open more descriptors, as far as that is free to do."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(DESCRIPTORS_WANTED, finite(hard))
    if finite(soft) < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def check(
    nodes: int,
    workers: int,
    *,
    limits: Callable[[int], tuple[int, int]] = resource.getrlimit,
    used: Callable[[], int] = descriptors_open,
    left: Callable[[], tuple[int, str]] = processes_left,
    space: Callable[[], int] = address_space_left,
) -> None:
    """Raise an error that says how to mend it, if this process may not have such a cluster.

    Args:
        nodes: of the cluster.
        workers: that each node starts with.
        limits: says the soft and the hard limit of a resource, as ``resource.getrlimit``.
        used: says how many descriptors are open.
        left: says how many more processes may be started, and by what.
        space: says how many bytes of addresses are left.

    Raises:
        RuntimeError: a limit is too low.
    """
    size = f"a cluster with {nodes} x {workers} workers"
    soft, hard = map(finite, limits(resource.RLIMIT_NOFILE))
    needed = descriptors_needed(nodes, workers) + used()
    if soft < needed:
        where = "this shell" if needed <= hard else f"a new shell (here it may be raised to {hard} only)"
        mend = f"run 'ulimit -n {needed}' in {where} first"
        raise RuntimeError(f"{size} needs {needed} open files here, and 'ulimit -n' is {soft}: {mend}")
    few, what = left()
    wanted = processes_needed(nodes, workers)
    if few < wanted:
        mend = "raise it, end other processes, or start fewer nodes or workers (num_nodes, num_cpus)"
        raise RuntimeError(f"{size} needs {wanted} processes and threads, and {what} leaves {max(0, few)}: {mend}")
    if space() < ADDRESS_SPACE_MIN:
        raise RuntimeError(
            f"{size} needs {ADDRESS_SPACE_MIN >> 20} MiB of address space in each process, and 'ulimit -v' leaves "
            f"{space() >> 20}: run 'ulimit -v unlimited' in this shell first"
        )
