"""Threads, forks and children of tasks: processors and memory come back, and nothing outlives worker or cluster."""

from __future__ import annotations

import os
import signal

import pytest

pytestmark = [
    pytest.mark.parametrize("backend", [pytest.param("local", marks=pytest.mark.local)], indirect=True),
]
LEAVE = """
    import freehold, multiprocessing, os, signal, subprocess, sys, threading, time, warnings
    warnings.simplefilter("ignore", ResourceWarning)  # a child is left behind: that is the point
    freehold.init(num_cpus=1, object_store_memory=2**27)

    @freehold.remote(max_retries=0)
    def leave(how):
        match how:
            case "popen":
                child = subprocess.Popen(["sleep", "600"]).pid
            case "popen in a session":
                child = subprocess.Popen(["sleep", "600"], start_new_session=True).pid
            case "fork" | "spawn":
                process = multiprocessing.get_context(how).Process(target=time.sleep, args=(600,))
                process.start()
                child = process.pid
            case "shell":
                child = int(subprocess.check_output("sleep 600 >/dev/null 2>&1 & echo $!", shell=True))
            case "daemon" | "daemon program":
                ours, theirs = os.pipe()
                if os.fork():
                    child = int(os.read(ours, 100))
                else:
                    os.setsid()
                    if not os.fork():
                        os.write(theirs, str(os.getpid()).encode())
                        if how == "daemon":
                            time.sleep(600)
                        os.execvp("sleep", ["sleep", "600"])
                    os._exit(0)
        return os.getpid(), child

    @freehold.remote
    def same(value):
        return value

    @freehold.remote(max_retries=0)
    def end():
        os._exit(1)

    def alive(pid):
        try:
            with open(f"/proc/{pid}/stat") as stat:
                return stat.read().rpartition(")")[2].split()[0] != "Z"
        except (FileNotFoundError, ProcessLookupError):  # the latter, if it ends amid the reading
            return False

    def is_gone(pid):
        until = time.monotonic() + 30
        while alive(pid) and time.monotonic() < until:
            time.sleep(0.01)
        return not alive(pid)

    HOWS = ["popen", "popen in a session", "fork", "spawn", "shell", "daemon", "daemon program"]
"""


def test_what_a_task_leaves_lives_as_long_as_its_worker(desk) -> None:
    assert desk.program(
        LEAVE
        + """
    for how in HOWS:
        worker, child = freehold.get(leave.remote(how))
        assert alive(child) and freehold.get(same.remote(1)) == 1, how
        try:
            freehold.get(end.remote())
        except Exception as error:
            assert type(error).__name__ == "WorkerCrashedError"
        assert is_gone(child), how
    print(freehold.get(same.remote(2)))
    """
    ) == ["2"]


def test_another_worker_s_death_does_not_touch_it(desk) -> None:
    assert desk.program(
        LEAVE.replace("num_cpus=1", "num_cpus=2")
        + """
    pairs = freehold.get([leave.remote(how) for how in HOWS * 3])
    workers = {worker for worker, _ in pairs}
    victim = min(workers)
    os.kill(victim, signal.SIGKILL)
    for worker, child in pairs:
        assert is_gone(child) if worker == victim else alive(child)
    print(freehold.get(same.remote(2)))
    """
    ) == ["2"]


@pytest.mark.parametrize("end", ["pass", "freehold.shutdown()", "sys.exit(0)", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_with_the_cluster_all_ends(desk, eventually, end: str) -> None:
    desk.write(
        program=LEAVE
        + f"""
    print(*[child for _, child in freehold.get([leave.remote(how) for how in HOWS])], flush=True)
    {end}
    """
    )
    done = desk.run("program.py")
    assert done.returncode == (-signal.SIGKILL if "KILL" in end else 0), done.stderr
    children = [int(word) for word in done.stdout.split()]
    assert len(children) == 7
    assert eventually(lambda: not any(os.path.exists(f"/proc/{child}") for child in children))


@pytest.mark.parametrize("role", ["template", "launcher", "node"])
def test_whoever_of_the_cluster_is_killed(desk, eventually, role: str) -> None:
    desk.write(
        program=LEAVE
        + """
    pairs = freehold.get([leave.remote(how) for how in HOWS])
    print(pairs[0][0], *[child for _, child in pairs], flush=True)
    input()
    """
    )
    program = desk.start("program.py")
    worker, *children = map(int, program.stdout.readline().split())
    template = parent(worker)
    node = min(pid for pid in desk.processes() if parent(pid) == template and pid != worker and pid not in children)
    os.kill({"template": template, "launcher": parent(template), "node": node}[role], signal.SIGKILL)
    assert eventually(lambda: not any(os.path.exists(f"/proc/{child}") for child in children))
    assert program.communicate("\n", timeout=30) == ("", "")


def parent(pid: int) -> int:
    with open(f"/proc/{pid}/stat") as stat:
        return int(stat.read().rpartition(")")[2].split()[1])


def test_the_processor_and_the_memory_of_the_result_come_back(desk) -> None:
    """Each task leaves a thread, a fork and a program, and returns more than the store holds twice."""
    assert desk.program(
        LEAVE
        + """
    @freehold.remote
    def work(value):
        threading.Thread(target=time.sleep, args=(600,)).start()
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,)).start()
        subprocess.Popen(["sleep", "600"], start_new_session=True)
        return bytes(value) + b"."

    large = freehold.put(bytes(50_000_000))
    for _ in range(4):
        assert len(freehold.get(work.remote(large))) == 50_000_001
    for _ in range(4):
        assert len(freehold.get(freehold.put(bytes(70_000_000)))) == 70_000_000
        assert freehold.get(same.remote(3)) == 3
    print("done")
    """
    ) == ["done"]
