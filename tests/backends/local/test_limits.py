"""A cluster that a limit forbids is refused before it begins, with the mend, and leaves nothing behind."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from freehold.backends.local import limits
from freehold.backends.local.arena import default_capacity

PLENTY = limits.UNLIMITED, ""


def files(root: Path, **texts: str) -> Path:
    for name, text in texts.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


# ------------------------------------------------------------------ what is counted


def test_a_cluster_without_limits_passes() -> None:
    unlimited = resource.RLIM_INFINITY
    limits.check(64, 64, limits=lambda _: (unlimited, unlimited), left=lambda: PLENTY, space=lambda: limits.UNLIMITED)


def test_too_few_descriptors_are_named_with_the_command() -> None:
    with pytest.raises(
        RuntimeError, match=r"3 x 2 workers needs 35 open files here, and 'ulimit -n' is 30: run 'ulimit"
    ):
        limits.check(3, 2, limits=lambda _: (30, 1000), used=lambda: 10, left=lambda: PLENTY)
    with pytest.raises(RuntimeError, match=r"run 'ulimit -n 35' in a new shell \(here it may be raised to 31 only\)"):
        limits.check(3, 2, limits=lambda _: (30, 31), used=lambda: 10, left=lambda: PLENTY)
    limits.check(3, 2, limits=lambda _: (35, 35), used=lambda: 10, left=lambda: PLENTY, space=lambda: limits.UNLIMITED)


def test_too_few_processes_are_named_with_what_limits_them() -> None:
    with pytest.raises(RuntimeError, match=r"2 x 2 workers needs 14 processes and threads, and ulimit -u 9 leaves 0: "):
        limits.check(2, 2, limits=lambda _: (999, 999), left=lambda: (-1, "ulimit -u 9"))


def test_too_little_address_space_is_named() -> None:
    with pytest.raises(RuntimeError, match=r"needs 256 MiB of address space .* leaves 10: run 'ulimit -v unlimited'"):
        limits.check(1, 1, limits=lambda _: (999, 999), left=lambda: PLENTY, space=lambda: 10 << 20)


def test_processes_of_other_users_do_not_count(tmp_path: Path) -> None:
    for pid in ("10", "11"):
        (tmp_path / "proc" / pid / "task" / pid).mkdir(parents=True)
    (tmp_path / "proc/10/task/12").mkdir()
    user = os.getuid()
    if not user:
        os.chown(tmp_path / "proc/10", 1234, -1)
        os.chown(tmp_path / "proc/11", 1234, -1)
        user = 1234
    assert limits.processes_left(tmp_path, limit=100, user=user) == (97, "ulimit -u 100")
    assert limits.processes_left(tmp_path, limit=100, user=user + 1) == (100, "ulimit -u 100")
    assert limits.processes_left(tmp_path, limit=100, user=0) == PLENTY


def test_the_narrowest_control_group_counts(tmp_path: Path) -> None:
    files(
        tmp_path,
        proc__self__cgroup="0::/a/b\n",
        **{
            "sys__fs__cgroup__a__b__pids.max": "max",
            "sys__fs__cgroup__a__b__pids.current": "3",
            "sys__fs__cgroup__a__pids.max": "20",
            "sys__fs__cgroup__a__pids.current": "15",
        },
    )
    left, what = limits.processes_left(tmp_path, limit=limits.UNLIMITED, user=1)
    assert (left, what) == (5, f"pids.max of the control group {tmp_path}/sys/fs/cgroup/a")


def test_a_control_group_of_the_first_version_counts(tmp_path: Path) -> None:
    names = {"sys__fs__cgroup__pids__pids.max": "8", "sys__fs__cgroup__pids__pids.current": "2"}
    files(tmp_path, proc__self__cgroup="4:memory:/x\n3:pids:/elsewhere/on/the/host\n", **names)
    assert limits.processes_left(tmp_path, limit=limits.UNLIMITED, user=1)[0] == 6


def test_a_machine_without_proc_has_no_limits_that_are_seen(tmp_path: Path) -> None:
    assert limits.processes_left(tmp_path, limit=limits.UNLIMITED, user=1) == PLENTY
    assert limits.descriptors_open(tmp_path) == 3
    assert limits.address_space_left(tmp_path, limit=1000) == 1000


def test_descriptors_are_counted() -> None:
    before = limits.descriptors_open()
    with open(os.devnull):
        assert limits.descriptors_open() == before + 1


def test_the_default_store_of_many_nodes_is_divided() -> None:
    assert default_capacity(4) <= default_capacity(1) // 4 + (1 << 30)


# ------------------------------------------------------------------ real ones

REFUSED = """
    import os, resource, sys
    import freehold
    name, limit, nodes = getattr(resource, sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    user = int(sys.argv[4])
    if user:
        os.setgid(user)
        os.setuid(user)
    resource.setrlimit(name, (limit, limit))
    before = sorted(os.listdir("/proc/self/fd"))
    try:
        freehold.init(backend="local", num_nodes=nodes, num_cpus=2)
    except RuntimeError as error:
        print(error)
    else:
        print(freehold.get([freehold.remote(abs).options(node=i).remote(-i) for i in range(nodes)]))
        freehold.shutdown()
    assert sorted(os.listdir("/proc/self/fd")) == before
"""


@pytest.mark.local
def test_a_cluster_with_too_few_descriptors_is_refused(watch) -> None:
    run = watch.run(REFUSED, "RLIMIT_NOFILE", "22", "3", "0")
    assert run.stderr == ""
    assert "a cluster with 3 x 2 workers needs" in run.stdout
    assert "run 'ulimit -n" in run.stdout


@pytest.mark.local
@pytest.mark.slow
@pytest.mark.parametrize("limit", [64, 256])
def test_few_descriptors_are_enough(watch, limit: int) -> None:
    run = watch.run(REFUSED, "RLIMIT_NOFILE", str(limit), "6", "0")
    assert (run.stderr, run.stdout) == ("", "[0, 1, 2, 3, 4, 5]\n")


@pytest.mark.local
def test_a_cluster_with_too_little_address_space_is_refused(watch) -> None:
    run = watch.run(REFUSED, "RLIMIT_AS", str(200 << 20), "1", "0")
    assert run.stderr == ""
    assert "ulimit -v unlimited" in run.stdout


@pytest.mark.local
def test_a_small_address_space_gets_a_small_object_store(watch) -> None:
    run = watch.run(REFUSED, "RLIMIT_AS", str(1 << 30), "2", "0")
    assert (run.stderr, run.stdout) == ("", "[0, 1]\n")


# ------------------------------------------------------------------ no more processes

OTHER_USER = 65_500  # who has no processes; the system's user 0 has no limit on them


@pytest.fixture
def user() -> int:
    """Return a user whose processes are limited, 0 for this one."""
    if os.getuid():
        return 0
    command = [sys.executable, "-c", "import freehold"]
    try:
        may = subprocess.run(command, user=OTHER_USER, group=OTHER_USER, cwd="/", capture_output=True).returncode == 0
    except PermissionError:  # the interpreter lies in a folder that is closed to others
        may = False
    if not may:
        pytest.skip(f"another user may not run {sys.executable}, and user 0 has no limit on processes")
    return OTHER_USER


@pytest.mark.local
@pytest.mark.defaults
def test_a_cluster_with_too_few_processes_is_refused(watch, user: int) -> None:
    run = watch.run(REFUSED, "RLIMIT_NPROC", "1", "1", str(user))
    assert run.stderr == ""
    assert "a cluster with 1 x 2 workers needs 8 processes and threads, and ulimit -u 1 leaves 0" in run.stdout


STARVED = """
    import os, resource, sys, time
    import freehold
    user = int(sys.argv[1])
    if user:
        os.setgid(user)
        os.setuid(user)

    def child_of(pid):
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return int(file.read().split()[0])

    def limit(pid, number):
        hard = resource.prlimit(pid, resource.RLIMIT_NPROC)[1]
        resource.prlimit(pid, resource.RLIMIT_NPROC, (number, hard))

    @freehold.remote
    def inner():
        return "inner"

    @freehold.remote
    def outer():
        return "outer and " + freehold.get(inner.remote())

    os.chdir("/")
    cluster = freehold.Cluster(backend="local", num_cpus=1)
    launcher = child_of(os.getpid())
    template = child_of(launcher)
    ready = freehold.get(inner.remote())
"""


@pytest.mark.local
@pytest.mark.defaults
def test_a_worker_that_cannot_be_forked_is_forked_later(watch, user: int) -> None:
    program = (
        STARVED
        + """
    limit(template, 1)
    waits = outer.remote()
    print(freehold.wait([waits], timeout=0.5)[0])
    limit(template, resource.prlimit(template, resource.RLIMIT_NPROC)[1])
    print(freehold.get(waits, timeout=30))
    freehold.shutdown()
    """
    )
    run = watch.run(program, str(user))
    assert run.stdout == "[]\nouter and inner\n", run.stderr
    assert run.stderr.startswith("freehold: no process can be started for n0w")
    assert run.stderr.count("\n") == 1


@pytest.mark.local
@pytest.mark.defaults
def test_a_node_that_cannot_be_forked_is_an_error_and_the_cluster_goes_on(watch, user: int) -> None:
    program = (
        STARVED
        + """
    limit(launcher, 1)
    try:
        cluster.add_node(num_cpus=1)
    except RuntimeError as error:  # or its death is heard of after its birth
        assert str(error).startswith("n1 ended while it was being started: 'freehold doctor'"), error
    until = time.monotonic() + 30
    while len(freehold.nodes()) > 1 and time.monotonic() < until:
        time.sleep(0.01)
    print(len(freehold.nodes()), freehold.get(inner.remote(), timeout=30))
    cluster.shutdown()
    """
    )
    run = watch.run(program, str(user))
    assert run.stdout == "1 inner\n", run.stderr
    assert run.stderr.startswith("freehold: no process can be started for n1 ")
    assert run.stderr.count("\n") == 1
