"""However a program ends, and whoever of its cluster is killed, nothing is left on the machine."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

import freehold
from freehold.exceptions import FreeholdError, SessionError

pytestmark = [pytest.mark.local, pytest.mark.timeout(60)]

START = """
    import freehold, os, signal, sys, time
    import numpy as np
    freehold.init(num_nodes=2, num_cpus=2, object_store_memory=2**26)

    @freehold.remote
    def nap(seconds):
        time.sleep(seconds)
        return np.ones(10**6)

    naps = [nap.options(node=node).remote(60) for node in (0, 1)]
    kept = freehold.get([nap.options(node=node).remote(0) for node in (0, 1)])
    print("ready", flush=True)
"""
ENDS = {  # the last lines of a program -> its exit status
    "freehold.shutdown()": 0,
    "freehold.shutdown(); freehold.shutdown()": 0,
    "pass": 0,
    "sys.exit(3)": 3,
    "raise RuntimeError('a bug')": 1,
    "os._exit(4)": 4,
    "os.kill(os.getpid(), signal.SIGKILL)": -signal.SIGKILL,
    "os.kill(os.getpid(), signal.SIGTERM)": -signal.SIGTERM,
    "import faulthandler; faulthandler._sigsegv()": -signal.SIGSEGV,
    "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5)); os.kill(os.getpid(), signal.SIGTERM)": 5,
    "import atexit; atexit.register(freehold.shutdown); atexit.register(freehold.put, 1)": 0,
}


@pytest.mark.parametrize("end", ENDS)
def test_a_program_ends_and_takes_everything_along(watch, eventually, end: str) -> None:
    done = watch.run(START + "    " + end)
    assert done.returncode == ENDS[end], done.stderr
    assert done.stdout == "ready\n"
    if "RuntimeError" in end:
        assert done.stderr.count("Traceback") == 1
    elif "SEGV" not in end and "sigsegv" not in end:
        assert done.stderr == ""
    assert eventually(lambda: not watch.processes()), watch.processes()


ROLES = ("launcher", "template 0", "node 0", "worker 0.0", "template 1", "node 1", "worker 1.0")


def started(watch, eventually) -> dict[str, int]:
    """Start a cluster of two nodes with two workers each, and return its processes by their roles."""
    freehold.init(num_nodes=2, num_cpus=2)
    return eventually(lambda: len(roles := watch.roles()) == len(ROLES) + 2 and roles)


def test_nothing_has_a_name(watch, eventually) -> None:
    """No socket of any process of a cluster has a name that somebody else could connect to."""
    roles = started(watch, eventually)
    named = {}
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7:
            named[f"socket:[{fields[6]}]"] = fields[7]
    sockets = 0
    for pid in roles.values():
        for fd in os.listdir(f"/proc/{pid}/fd"):
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
            sockets += target.startswith("socket:")
            assert target not in named
    assert sockets > 10


@pytest.mark.parametrize("role", ROLES)
def test_whoever_is_killed_nothing_is_left(watch, eventually, role: str) -> None:
    roles = started(watch, eventually)

    @freehold.remote(max_retries=0)
    def nap(seconds: float) -> int:
        Path(folder, f"pid-{os.getpid()}").touch()
        time.sleep(seconds)
        return 1

    folder = str(watch.folder)
    large = freehold.put(bytes(10**6))
    waiting = [nap.options(node=node).remote(60) for node in (0, 1)]
    for node in (0, 1):
        pair = [roles.pop(f"worker {node}.{index}") for index in (0, 1)]
        at_work = eventually(lambda pair=pair: [pid for pid in pair if Path(folder, f"pid-{pid}").exists()])
        roles[f"worker {node}.0"] = at_work[0]
    os.kill(roles[role], signal.SIGKILL)
    hurt = [1] if "1" in role else [0]
    if role in ("launcher", "template 0", "node 0"):
        hurt = [0, 1]
    for node in hurt:
        with pytest.raises(FreeholdError):
            freehold.get(waiting[node], timeout=20)
    if len(hurt) == 1:
        assert freehold.get(large) == bytes(10**6)
        assert freehold.get(nap.options(node=1 - hurt[0]).remote(0), timeout=20) == 1
        assert freehold.is_initialized()
    else:
        assert eventually(lambda: not freehold.is_initialized())
        with pytest.raises(SessionError):
            freehold.get(large)
        assert freehold.get(freehold.put(2)) == 2  # in a new cluster
    freehold.shutdown()
    assert eventually(lambda: not watch.left()), watch.left()
