"""Ctrl-C in a terminal: SIGINT for the whole group of processes, at any instant, once or twice."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from typing import Any

import pytest

import freehold

PROGRAMS = {
    "all calls": """
        import freehold, time

        @freehold.remote
        def nap(seconds):
            time.sleep(seconds)

        @freehold.remote
        def same(value):
            return value

        print("ready", flush=True)
        while True:
            with freehold.init(num_cpus=2):
                refs = [same.remote(number) for number in range(20)]
                large = freehold.put(bytes(500_000))
                freehold.wait(refs, num_returns=10)
                freehold.get([*refs, large, nap.remote(0.02), same.remote(large)])
    """,
    "waiting": """
        import freehold, time
        freehold.init(num_cpus=2)

        @freehold.remote
        def nap():
            time.sleep(600)

        @freehold.remote
        def parent():
            return freehold.get(nap.remote())

        print("ready", flush=True)
        freehold.get([nap.remote(), parent.remote()])
    """,
    "import": """
        print("ready", flush=True)
        import freehold
        freehold.init(num_cpus=2)
        freehold.get(freehold.put(1))
        while True:
            pass
    """,
}


def default_interrupts() -> None:
    """Undo what a shell does for what it starts in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def ended(program: Any) -> tuple[str, int]:
    """Return what a program says on its standard error, and how often it had to be interrupted again."""
    for again in range(5):
        with contextlib.suppress(subprocess.TimeoutExpired):
            return program.communicate(timeout=10)[1], again
        os.killpg(program.pid, signal.SIGINT)
    program.kill()
    return program.communicate()[1], 5


@pytest.mark.slow
@pytest.mark.parametrize("what", PROGRAMS)
@pytest.mark.parametrize("presses", [1, 2])
def test_at_any_instant(desk, what: str, presses: int) -> None:
    """The program ends by the signal, with a traceback, and takes everything along."""
    if desk.backend != "local" and what == "waiting":
        pytest.skip("the task runs on the program's own stack, or a simulated day passes at once")
    desk.write(program=PROGRAMS[what])
    instants = random.Random(f"{what} {presses} {desk.backend}")
    for _ in range(3 if desk.backend == "local" else 2):
        program = desk.start("program.py", start_new_session=True, preexec_fn=default_interrupts)
        assert program.stdout.readline() == "ready\n"
        for _ in range(presses):
            time.sleep(instants.uniform(0, 0.4 / presses))
            if program.poll() is None:
                os.killpg(program.pid, signal.SIGINT)
        errors, again = ended(program)
        assert again <= errors.count("Exception ignored in"), errors  # Python swallows what it raises in a finalizer
        assert program.returncode == -signal.SIGINT, errors
        assert "KeyboardInterrupt" in errors, errors
        if presses == 1 and what != "import" and not again:  # else Python may say more: what it was in the middle of
            assert errors.rstrip().endswith("KeyboardInterrupt"), errors


def test_amid_the_end_of_a_simulation() -> None:
    """The signal comes while a task is being ended: it is raised when all is over."""

    @freehold.remote
    def nap() -> None:
        try:
            time.sleep(600)
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    freehold.init(backend="sim")
    ref = nap.remote()
    freehold.wait([ref], timeout=1)
    with pytest.raises(KeyboardInterrupt):
        freehold.shutdown()
    assert not freehold.is_initialized()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


LOSERS = (  # what is called while C code would clear whatever is raised, and by which backend
    ("local", 'event == "call" and frame.f_globals.get("__name__") == "datetime"'),
    ("local", 'frame.f_code.co_name == "__hash__" and frame.f_back.f_globals["__name__"].startswith("freehold.core")'),
    ("sim", 'frame.f_code.co_name == "exec_module" and frame.f_locals["module"].__name__ == "pyexpat"'),
)
AMID = """
import os, signal, sys

def press(frame, event, _):
    if {}:
        sys.setprofile(None)
        print("pressed", flush=True)
        os.kill(os.getpid(), signal.SIGINT)

sys.setprofile(press)
import freehold
freehold.init(num_cpus=1)
print("lost")
"""


@pytest.mark.parametrize(("backend", "moment"), LOSERS)
def test_while_c_code_would_lose_it(desk, backend: str, moment: str) -> None:
    """It is held back meanwhile; msgspec's process even died by SIGSEGV some time later."""
    assert desk.backend == backend
    desk.write(program=AMID.format(moment))
    program = desk.start("program.py", start_new_session=True, preexec_fn=default_interrupts)
    said, errors = program.communicate(timeout=60)
    assert (program.returncode, said) == (-signal.SIGINT, "pressed\n"), errors
