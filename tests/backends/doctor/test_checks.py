"""Each check is shown a good world and bad ones: what it finds, how bad that is, and what mends it."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from freehold.backends.doctor import checks
from freehold.backends.doctor.checks import Finding
from freehold.backends.doctor.world import World

MIB, GIB = 1 << 20, 1 << 30
BAD: list[tuple[Any, dict[str, Any], str, str, str]] = [  # check, what is bad, level, words, mend
    (checks.system, {"system": "Darwin"}, "problem", "Darwin", "FREEHOLD_BACKEND=sim"),
    (checks.python, {"python": (3, 10, 9)}, "problem", "CPython 3.10.9: freehold needs CPython 3.11", "uv python"),
    (checks.python, {"implementation": "PyPy"}, "problem", "needs CPython", "uv python install"),
    (checks.python, {"free_threaded": True}, "note", "without its lock", "PYTHON_GIL=1"),
    (checks.python, {"optimized": False}, "note", "profile-guided", "--enable-optimizations pyenv install"),
    (checks.packages, {"lacking": ("simpy>=4.1", "rich>=13.7")}, "problem", "simpy>=4.1", "pip install 'simpy>=4.1'"),
    (checks.kernel, {"broken": {"memfd_create": "Function not implemented"}}, "problem", "not impl", "Linux 5.1"),
    (checks.kernel, {"broken": {"F_SEAL_FUTURE_WRITE": "Invalid argument"}}, "problem", "F_SEAL_", "Linux 5.1"),
    (checks.kernel, {"broken": {"eventfd": "x", "/proc": "y"}}, "problem", "eventfd fails: x", "container"),
    (checks.kernel, {"broken": {"/proc": "No such file"}}, "note", "limits are not seen", "mount -t proc"),
    (checks.kernel, {"broken": {"pidfd_open": "not permitted"}}, "note", "pidfd_open", "Linux 5.3"),
    (checks.memory, {"left": 90 * MIB}, "problem", "of which 90 MiB left to this control group (8.0 GiB", "--memory"),
    (checks.memory, {"left": 0, "machine_left": 0}, "problem", "a cluster needs 96 MiB", "end other programs"),
    (checks.store, {"capacity": 75 * MIB}, "note", "75 MiB by default, the least", "more memory"),
    (checks.store, {"capacity": 20 * MIB}, "note", "since addresses are limited", "ulimit -v unlimited"),
    (checks.addresses, {"address_space": 90 * MIB}, "problem", "leaves 90 MiB", "ulimit -v unlimited"),
    (checks.addresses, {"address_space": GIB}, "note", "leaves 1.0 GiB", "ulimit -v unlimited"),
    (checks.overcommit, {"overcommit": 2, "commit_left": 9 * GIB}, "note", "promises 9.0 GiB", "sysctl vm.overcommit"),
    (checks.overcommit, {"overcommit": 2, "commit_left": -1}, "problem", "promises 0 MiB", "sysctl vm.overcommit"),
    (checks.descriptors, {"descriptors": (20, 4096)}, "problem", "with 2 workers needs 22", "ulimit -n 22"),
    (checks.descriptors, {"descriptors": (20, 20)}, "problem", "at most 20", "as root: echo '* - nofile"),
    (checks.descriptors, {"descriptors": (64, 64)}, "note", "84 when many tasks wait", "ulimit -n 84"),
    (checks.descriptors, {"descriptors_open": 1020}, "problem", "needs 1039", "ulimit -n 1039"),
    (checks.processes, {"processes": (-3, "ulimit -u 10")}, "problem", "ulimit -u 10 leaves 0", "ulimit -u 1132"),
    (checks.processes, {"processes": (50, "ulimit -u 60")}, "note", "132 when many tasks wait", "ulimit -u 1132"),
    (checks.processes, {"processes": (5, "pids.max of the control group /sys/g")}, "problem", "/sys/g", "/pids.max"),
    (checks.cpus, {"allowed": 1}, "note", "1 of 2 CPUs", "taskset"),
    (checks.cpus, {"cpus": 1, "allowed": 1}, "note", "1 of 1 CPUs", "two CPUs"),
    (checks.cpus, {"cpus": 8, "allowed": 8, "quota": 1.5}, "note", "for 1.5 CPUs' worth", "init(num_cpus=1)"),
    (checks.temporary, {"temporary": "/" + "x" * 75}, "note", "TMPDIR has 76 bytes", "TMPDIR=/tmp"),
    (checks.temporary, {"temporary": ""}, "note", "no folder", "export TMPDIR"),
    (checks.home, {"home": "/nonexistent", "home_writable": False}, "note", "/nonexistent cannot be", "MPLCONFIGDIR"),
    (checks.encoding, {"encoding": "ANSI_X3.4-1968"}, "note", "ANSI_X3.4-1968", "PYTHONUTF8=1"),
    (checks.encoding, {"output_encoding": "latin-1"}, "note", "output is latin-1", "PYTHONUTF8=1"),
]  # fmt: skip
NEVER_BAD = {checks.start}  # it tells a fact


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
def test_a_good_machine_passes(check: Any) -> None:
    finding = check(World(versions={"freehold": "1.0"}))
    assert (finding.level, finding.mend) == ("ok", "")
    assert finding.words


@pytest.mark.parametrize(("check", "bad", "level", "words", "mend"), BAD)
def test_a_bad_machine_is_told_what_mends_it(
    check: Any, bad: dict[str, Any], level: str, words: str, mend: str
) -> None:
    finding = check(World(**bad))
    assert isinstance(finding, Finding)
    assert finding.level == level
    assert words in finding.words
    assert mend in finding.mend
    assert "\n" not in finding.words + finding.mend


def test_every_check_has_a_bad_world() -> None:
    assert {check for check, *_ in BAD} | NEVER_BAD == set(checks.CHECKS)


@pytest.mark.parametrize(
    "good",
    [
        {"descriptors": (84, 84)},
        {"processes": (132, "ulimit -u 140")},
        {"quota": 2.0},
        {"capacity": 8 * GIB},
        {"address_space": 64 * GIB},
        {"threads": 12},
        {"memory": 0},
        {"left": 96 * MIB},
        {"temporary": "/" + "x" * 74},
    ],
)
def test_a_machine_just_good_enough_passes(good: dict[str, Any]) -> None:
    assert {finding.level for finding in checks.examine(World(**good))} == {"ok"}


@pytest.mark.slow
@pytest.mark.parametrize("length", [75, 76])
def test_the_longest_folder_for_sockets_of_multiprocessing_is_known(length: int) -> None:
    program = "import multiprocessing as m; m.get_context('forkserver').Process(target=print).start()"
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        folder = Path(short, "x" * (length - len(short) - 1))
        folder.mkdir()
        environment = {**os.environ, "TMPDIR": str(folder)}
        run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    works = run.returncode == 0
    assert works == (checks.temporary(World(temporary=str(folder))).level == "ok"), run.stderr
    assert works or "AF_UNIX path too long" in run.stderr


def test_sizes_are_written_as_people_write_them() -> None:
    assert checks.size(75 * MIB) == "75 MiB"
    assert checks.size(3 * GIB // 2) == "1.5 GiB"
