"""The machine is read from the files of the kernel, which may lie anywhere, be missing, or say "max"."""

import errno
import os
from pathlib import Path

import pytest

from freehold.backends.doctor import checks, world


def put(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_this_machine_is_read() -> None:
    found = world.here()
    assert found.allowed <= found.cpus
    assert 0 < found.left <= found.machine_left <= found.memory
    assert found.versions["freehold"]
    assert found.broken == {}


def test_a_control_group_that_grants_less_than_the_machine_counts(tmp_path: Path) -> None:
    group = {"memory.max": f"{90 << 20}", "memory.current": f"{50 << 20}", "memory.stat": f"inactive_file {5 << 20}\n"}
    files = {"proc/meminfo": "MemTotal: 2048000 kB\nMemAvailable: 1024000 kB\n", "proc/self/cgroup": "0::/a\n"}
    found = world.here(put(tmp_path, files | {f"sys/fs/cgroup/a/{name}": text for name, text in group.items()}))
    assert (found.left, found.machine_left) == (45 << 20, 1024000 << 10)
    assert checks.memory(found).level == "problem"


def test_memory_and_the_kernels_promises_are_read(tmp_path: Path) -> None:
    meminfo = "MemTotal: 2048 kB\nMemAvailable: 1024 kB\nCommitLimit: 512 kB\nCommitted_AS: 500 kB\n"
    found = world.here(put(tmp_path, {"proc/meminfo": meminfo, "proc/sys/vm/overcommit_memory": "2\n"}))
    assert (found.memory, found.left, found.overcommit, found.commit_left) == (2 << 20, 1 << 20, 2, 12 << 10)


@pytest.mark.parametrize(
    ("files", "cpus"),
    [
        ({}, 0.0),
        ({"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/cpu.max": "max 100000\n"}, 0.0),
        ({"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/cpu.max": "150000 100000\n"}, 1.5),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/b/cpu.max": "400000 100000\n",
                "sys/fs/cgroup/a/cpu.max": "300000 100000\n",
            },
            3.0,
        ),
        (
            {
                "proc/self/cgroup": "4:cpu:/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            0.5,
        ),
        (
            {
                "proc/self/cgroup": "4:cpu,cpuacct:/x\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            0.0,
        ),
    ],
)
def test_the_narrowest_quota_of_cpus_counts(files: dict[str, str], cpus: float, tmp_path: Path) -> None:
    assert world.quota(put(tmp_path, files)) == cpus


def test_a_call_that_fails_is_named_with_what_it_says() -> None:
    def refuse() -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    def absent() -> None:
        raise AttributeError("module 'os' has no attribute 'eventfd'")

    trials = {"memfd_create": refuse, "eventfd": absent, "epoll": world.try_epoll}
    assert world.broken(trials) == {
        "memfd_create": "Operation not permitted",
        "eventfd": "module 'os' has no attribute 'eventfd'",
    }


def test_the_trials_leave_no_descriptor() -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    assert world.broken() == {}
    assert sorted(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("arguments", "flag", "optimized"),
    [
        ("'--prefix=/x'", "-fprofile-use", False),
        ("'--prefix=/x' '--enable-optimizations'", "-fprofile-use", True),
        ("'--prefix=/usr'", "", True),  # Debian, which profiles in its own way
        (None, None, True),
    ],
)
def test_a_build_without_profiles_is_told(arguments: str | None, flag: str | None, optimized: bool) -> None:
    assert world.optimized({"CONFIG_ARGS": arguments, "PGO_PROF_USE_FLAG": flag}) is optimized
