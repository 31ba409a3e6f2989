"""What a simulated program finds changed, that nobody else does, and that all of it is put back."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import queue
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep
from typing import Any

import pytest

import freehold
from freehold.exceptions import NotSupported
from freehold.simulator.patches import EPOCH

REFUSED = {
    "thread": lambda: threading.Thread(target=print).start(),
    "pool": lambda: ThreadPoolExecutor().submit(print),
    "socket": lambda: socket.socket(),
    "pair": lambda: socket.create_connection(("127.0.0.1", 9)),
    "process": lambda: subprocess.run([sys.executable, "--version"]),
    "system": lambda: os.system("true"),
    "multiprocessing": lambda: multiprocessing.Process(target=print).start(),
}


@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("in_task", [False, True], ids=["program", "task"])
def test_what_cannot_be_simulated_is_refused_in_one_sentence(sim: Any, call: Any, in_task: bool) -> None:
    sim()

    def refused() -> str:
        with pytest.raises(NotSupported) as caught:
            call()
        return str(caught.value)

    text = freehold.get(freehold.remote(refused).remote()) if in_task else refused()
    assert text.startswith("backend='sim': ") and "\n" not in text


def test_other_threads_live_in_real_time(sim: Any) -> None:
    begin, end = queue.SimpleQueue[None](), queue.SimpleQueue[Any]()

    def elsewhere() -> None:
        begin.get()
        before = time.monotonic()
        time.sleep(0.01)
        with socket.socket():
            end.put(time.monotonic() - before)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    sim()
    begin.put(None)
    seconds = end.get()
    thread.join()
    assert seconds >= 0.01 and time.monotonic() == 0


def test_only_the_thread_of_the_program_is_served(sim: Any) -> None:
    begin, end = queue.SimpleQueue[None](), queue.SimpleQueue[BaseException]()

    def elsewhere() -> None:
        begin.get()
        try:
            freehold.get(pending)
        except BaseException as error:
            end.put(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    sim()
    pending = freehold.remote(time.sleep).remote(1)
    begin.put(None)
    assert isinstance(end.get(), NotSupported)
    thread.join()


def test_names_imported_by_value(sim: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    main = vars(sys.modules["__main__"])
    monkeypatch.setitem(main, "nap_by_value", time.sleep)
    monkeypatch.setitem(main, "what_is_left", len)
    real = time.sleep
    sim()
    main["nap_by_value"](5)
    assert time.monotonic() == 5

    @freehold.remote
    def task() -> float:
        sleep(5)
        return time.monotonic()

    assert 10 <= freehold.get(task.remote()) < 10.01
    main["late"] = time.sleep
    freehold.shutdown()
    assert main["nap_by_value"] is main.pop("late") is time.sleep is real and main["what_is_left"] is len


def test_a_function_of_an_importable_module(sim: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sleepy.py").write_text("from time import sleep\ndef doze(s):\n    sleep(s)\n    return 'dozed'\n")
    monkeypatch.syspath_prepend(tmp_path)
    import sleepy  # type: ignore[import-not-found]

    sim()
    assert freehold.get(freehold.remote(sleepy.doze).remote(1000)) == "dozed"
    assert 1000 <= time.monotonic() < 1001
    freehold.shutdown()
    assert sleepy.sleep is sleep is time.sleep


def test_virtual_functions_pickle(sim: Any) -> None:
    sim()
    assert pickle.loads(pickle.dumps([sleep, time.sleep, len])) == [time.sleep, time.sleep, len]


def test_sleep_refuses_what_it_always_refuses(sim: Any) -> None:
    sim()
    for wrong, error in ((-1, ValueError), (float("nan"), ValueError), ("1", TypeError), (None, TypeError)):
        with pytest.raises(error):
            time.sleep(wrong)  # type: ignore[arg-type]
    time.sleep(True)
    assert time.monotonic() == 1 and time.time() == EPOCH + 1


def test_conditions_wait_in_virtual_time(sim: Any) -> None:
    sim()

    @freehold.remote
    def late() -> str:
        time.sleep(3)
        return "late"

    with pytest.raises(queue.Empty):
        queue.Queue().get(timeout=2)
    assert time.monotonic() == 2
    ref = late.remote()
    with pytest.raises(TimeoutError):
        ref.future().result(timeout=1)
    assert 3 <= time.monotonic() < 3.001 and ref.future().result() == "late"
    assert not threading.Event().wait(1.5)
    assert threading.Lock().acquire(timeout=0)


def test_nothing_is_simulated_without_a_simulation() -> None:
    before = time.sleep, threading.Thread.start, socket.socket.__init__, os._exit
    freehold.init(backend="sim")
    assert time.sleep is not before[0]
    freehold.shutdown()
    assert (time.sleep, threading.Thread.start, socket.socket.__init__, os._exit) == before
    assert subprocess.run([sys.executable, "-c", "pass"]).returncode == 0
