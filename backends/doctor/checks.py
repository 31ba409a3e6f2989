"""The checks: each is a small function from a world to one finding, and asks the machine nothing.

A *problem* keeps a cluster of the default size from running; a *note* makes it slower or smaller than it could be, or
spoils something beside it.  The mend is a command wherever there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from freehold.backends.doctor.world import World
from freehold.backends.local.arena import CAPACITY_MAX, CAPACITY_MIN, SLAB_NBYTES, SPARE_NBYTES
from freehold.backends.local.limits import (
    ADDRESS_SPACE_MIN,
    DESCRIPTORS_WANTED,
    UNLIMITED,
    descriptors_needed,
    processes_needed,
)
from freehold.core.policies import DEFAULT
from freehold.core.requirements import install_command

GIB = 1 << 30
MEMORY_MIN = SPARE_NBYTES + 2 * SLAB_NBYTES  # bytes: with less left, no object store takes its first pages
SOCKET_PATH_MAX = 107  # bytes of a Unix socket's path
SOCKET_NAME_BYTES = len("/pymp-12345678/listener-12345678")  # what multiprocessing adds to TMPDIR
Level = Literal["ok", "note", "problem"]


class Finding(msgspec.Struct, frozen=True):
    """What one check found."""

    what: str  # was looked at
    level: Level
    words: str
    mend: str = ""  # a command wherever there is one, "" where nothing is to be done


def ok(what: str, words: str) -> Finding:
    """Return a finding that needs no mend."""
    return Finding(what, "ok", words)


def size(nbytes: int) -> str:
    """Return a number of bytes as people write it."""
    return f"{nbytes / GIB:.1f} GiB" if nbytes >= GIB else f"{nbytes >> 20} MiB"


def workers(world: World) -> int:
    """Return how many workers the one node of a default cluster starts with."""
    return max(1, world.allowed)


# ------------------------------------------------------------------ the software


def system(world: World) -> Finding:
    """The backend ``local`` is written for Linux."""
    if world.system != "Linux":
        mend = "FREEHOLD_BACKEND=sim runs programs in simulated time, here too"
        return Finding("system", "problem", f"{world.system}: the backend local needs Linux", mend)
    return ok("system", f"Linux {world.kernel}")


def python(world: World) -> Finding:
    """Views of the object store rest on CPython's counting of references, under its lock."""
    name = f"{world.implementation} {'.'.join(map(str, world.python))}"
    if world.implementation != "CPython" or world.python < (3, 11, 0):
        return Finding("python", "problem", f"{name}: freehold needs CPython 3.11 or newer", "uv python install 3.13")
    if world.free_threaded:
        return Finding("python", "note", f"{name} runs without its lock, which is not tested", "export PYTHON_GIL=1")
    if not world.optimized:
        mend = "PYTHON_CONFIGURE_OPTS=--enable-optimizations pyenv install --force " + ".".join(map(str, world.python))
        return Finding("python", "note", f"{name} was built without profile-guided optimization: it is slower", mend)
    return ok("python", f"{name}, built with profile-guided optimization")


def packages(world: World) -> Finding:
    """Everything that pyproject.toml names is there and new enough."""
    if world.lacking:
        words = f"missing or too old: {', '.join(world.lacking)}"
        return Finding("packages", "problem", words, install_command(list(world.lacking)))
    return ok("packages", ", ".join(f"{name} {version}" for name, version in world.versions.items()))


def kernel(world: World) -> Finding:
    """What the object store and the pump ask of the kernel."""
    needed = {name: words for name, words in world.broken.items() if name not in ("pidfd_open", "/proc")}
    if needed:
        words = "; ".join(f"{name} fails: {words}" for name, words in needed.items())
        return Finding("kernel", "problem", words, "use Linux 5.1 or newer, in a container that allows these calls")
    if "/proc" in world.broken:
        return Finding("kernel", "note", "/proc is missing: limits are not seen", "mount -t proc proc /proc")
    if world.broken:
        words = "pidfd_open fails: if a fork of the program outlives it, so does the cluster"
        return Finding("kernel", "note", words, "use Linux 5.3 or newer")
    return ok("kernel", "memfd_create, F_SEAL_FUTURE_WRITE, eventfd, pidfd_open and epoll work")


# ------------------------------------------------------------------ memory


def memory(world: World) -> Finding:
    """The first pages of an object store have to fit, beside what is left to everybody else."""
    total = f"{size(world.memory)}, of which " if world.memory else ""
    words = f"{total}{size(world.left)} left"
    if world.left < world.machine_left:
        words += f" to this control group ({size(world.machine_left)} on the machine)"
    if world.left < MEMORY_MIN:
        mend = "end other programs, or give the container more memory (docker run --memory=1g)"
        return Finding("memory", "problem", f"{words}; a cluster needs {size(MEMORY_MIN)}", mend)
    return ok("memory", words)


def store(world: World) -> Finding:
    """How large the object store would be, and what makes it so."""
    taken = f"an object store of {size(world.capacity)} by default"
    if world.capacity < CAPACITY_MIN:
        return Finding("store", "note", f"{taken}, since addresses are limited", "ulimit -v unlimited")
    if world.capacity >= CAPACITY_MAX:
        return ok("store", f"{taken}, the most that is taken unasked; init(object_store_memory=...) takes more")
    if world.capacity == CAPACITY_MIN:
        words = f"{taken}, the least, though it is more than 30 % of what is left"
        return Finding("store", "note", words, "end other programs, or give the container more memory")
    return ok("store", f"{taken}, 30 % of what is left; pages are taken as values need them")


def addresses(world: World) -> Finding:
    """A limit on addresses (``ulimit -v``) counts both mappings of the object store, used or not."""
    if world.address_space >= UNLIMITED:
        return ok("addresses", "ulimit -v unlimited")
    words = f"ulimit -v leaves {size(world.address_space)} of addresses to each process"
    if world.address_space < ADDRESS_SPACE_MIN:
        return Finding("addresses", "problem", f"{words}; {size(ADDRESS_SPACE_MIN)} are needed", "ulimit -v unlimited")
    if world.address_space < 4 * GIB:
        return Finding("addresses", "note", words, "ulimit -v unlimited")
    return ok("addresses", words)


def overcommit(world: World) -> Finding:
    """A kernel that promises strictly counts every process's copy of memory that forks share."""
    if world.overcommit != 2:
        return ok("overcommit", f"vm.overcommit_memory={world.overcommit}")
    words = f"vm.overcommit_memory=2: the kernel promises {size(max(0, world.commit_left))} more"
    level: Level = "note" if world.commit_left > GIB else "problem"
    return Finding("overcommit", level, words, "sudo sysctl vm.overcommit_memory=0")


# ------------------------------------------------------------------ limits


def descriptors(world: World) -> Finding:
    """The program has one descriptor for each process that it talks to."""
    soft, hard = world.descriptors
    needed = descriptors_needed(1, workers(world)) + world.descriptors_open
    words = f"ulimit -n is {soft} (at most {hard}), and a cluster with {workers(world)} workers needs {needed}"
    if soft < needed:
        mend = f"ulimit -n {needed}"
        if hard < needed:
            mend += f" in a new shell, or as root: echo '* - nofile {DESCRIPTORS_WANTED}' >> /etc/security/limits.conf"
        return Finding("descriptors", "problem", words, mend)
    most = descriptors_needed(1, DEFAULT.workers_max) + world.descriptors_open
    if soft < most:
        return Finding("descriptors", "note", f"{words}; {most} when many tasks wait", f"ulimit -n {most}")
    return ok("descriptors", words)


def processes(world: World) -> Finding:
    """Threads count as processes; tasks that wait are joined by more workers."""
    left, what = world.processes
    needed = processes_needed(1, workers(world))
    most = processes_needed(1, DEFAULT.workers_max)
    if left >= UNLIMITED:
        return ok("processes", f"no limit that matters; a cluster with {workers(world)} workers needs {needed}")
    words = f"{what} leaves {max(0, left)} processes and threads, and a cluster needs {needed}"
    mend = (
        f"ulimit -u {most + 1000}" if "ulimit" in what else f"echo {most + 1000} | sudo tee {what.split()[-1]}/pids.max"
    )
    if left < needed:
        return Finding("processes", "problem", words, mend)
    if left < most:
        return Finding("processes", "note", f"{words}; {most} when many tasks wait", mend)
    return ok("processes", words)


def cpus(world: World) -> Finding:
    """One CPU for the program, and one for a worker, is the least at which both run."""
    words = f"{world.allowed} of {world.cpus} CPUs may be used"
    if 0 < world.quota < world.allowed:
        words += f", for {world.quota:g} CPUs' worth of time"
        mend = f"init(num_cpus={max(1, int(world.quota))}), or docker run --cpus={world.allowed}"
        return Finding("cpus", "note", f"{words}: freehold would start {world.allowed} workers", mend)
    if world.allowed < 2:
        mend = "taskset -cp 0-1 $$" if world.cpus > 1 else "use a machine with two CPUs for speed"
        return Finding("cpus", "note", f"{words}: every message waits for a switch between processes", mend)
    return ok("cpus", words)


# ------------------------------------------------------------------ what lies around


def start(world: World) -> Finding:
    """Threads of the program, and locks that they hold, never reach a worker."""
    many = "" if world.threads == 1 else f"; {world.threads} threads here are no obstacle"
    return ok("start", f"a fresh interpreter is started and forks the workers{many}")


def temporary(world: World) -> Finding:
    """freehold makes no temporary files; programs and multiprocessing do."""
    if not world.temporary:
        return Finding("temporary", "note", "no folder for temporary files can be written", "export TMPDIR=$HOME/tmp")
    length = len(world.temporary.encode())
    if length + SOCKET_NAME_BYTES > SOCKET_PATH_MAX:
        words = f"TMPDIR has {length} bytes: too long for sockets of multiprocessing (freehold has none there)"
        return Finding("temporary", "note", words, "export TMPDIR=/tmp")
    return ok("temporary", f"{world.temporary}; freehold keeps nothing there, nor in /dev/shm")


def home(world: World) -> Finding:
    """freehold writes nothing there; matplotlib and pip keep caches."""
    if not world.home_writable:
        words = f"{world.home} cannot be written: matplotlib and pip do without their caches"
        return Finding("home", "note", words, "export XDG_CACHE_HOME=/tmp/cache MPLCONFIGDIR=/tmp/cache")
    return ok("home", f"{world.home} can be written; freehold keeps nothing there")


def encoding(world: World) -> Finding:
    """What tasks print reaches the program as UTF-8."""
    names = {name.lower().replace("-", "").replace("_", "") for name in (world.encoding, world.output_encoding) if name}
    if names - {"utf8"}:
        words = f"texts are {world.encoding} and output is {world.output_encoding}: some characters cannot be printed"
        return Finding("encoding", "note", words, "export PYTHONUTF8=1")
    return ok("encoding", "UTF-8")


CHECKS: tuple[Callable[[World], Finding], ...] = (
    system,
    python,
    packages,
    kernel,
    memory,
    store,
    addresses,
    overcommit,
    descriptors,
    processes,
    cpus,
    start,
    temporary,
    home,
    encoding,
)


def examine(world: World) -> list[Finding]:
    """Return what all checks find."""
    return [check(world) for check in CHECKS]
