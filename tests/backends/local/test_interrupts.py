"""Ctrl-C anywhere returns to the user at once, and the cluster stays usable or is gone completely."""

from __future__ import annotations

import gc
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import freehold
from freehold.backends.local.plugin import ProgramDriver
from freehold.core import cluster
from freehold.exceptions import TaskCancelledError

pytestmark = [pytest.mark.local, pytest.mark.slow, pytest.mark.timeout(100)]
LATE_SECONDS = 5.0  # much more than "at once", and much less than what was waited for


@pytest.fixture(autouse=True)
def heard_by_nobody_else() -> Iterator[None]:
    """Python swallows an interrupt amid a callback of the collector's, and Hypothesis has one once it has run."""
    callbacks = gc.callbacks[:]
    gc.callbacks.clear()
    yield
    gc.callbacks.extend(callbacks)


@freehold.remote
def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@freehold.remote
def shape_of(array: Any) -> tuple[int, ...]:
    return array.shape


def interrupt(call: Callable[[], Any], *pauses: float) -> float:
    """Call something and press Ctrl-C after a pause, once or twice; return how long the last press took to arrive.

    Two presses in quick succession may arrive as one.
    """
    pressed: list[float] = []
    came: list[float] = []

    def press() -> None:
        for pause in pauses:
            time.sleep(pause)
            pressed.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)

    def until_all_is_over() -> None:
        while finger.is_alive() or not came:
            time.sleep(0.001)
        time.sleep(0.001)

    finger = threading.Thread(target=press)
    try:
        try:
            finger.start()
            call()
            until_all_is_over()
        except KeyboardInterrupt:
            came.append(time.monotonic())
            until_all_is_over()
    except KeyboardInterrupt:  # the second
        came.append(time.monotonic())
    finger.join()
    return came[-1] - pressed[-1]


def assert_usable(eventually: Any) -> None:
    assert freehold.get(nap.remote(0), timeout=30) == 0
    host: Any = cluster.engine().host
    eventually(lambda: not host.census())
    assert host.census() == []


def full_store() -> None:
    """Wait for room that nobody will make."""
    kept = freehold.put(bytes(6 * 10**6))
    freehold.put(bytes(6 * 10**6))
    del kept


@pytest.mark.parametrize("presses", [1, 2])
@pytest.mark.parametrize("what", ["get", "get with a timeout", "get of many", "wait", "put"])
def test_ctrl_c_while_waiting(watch, eventually, what: str, presses: int) -> None:
    freehold.init(num_cpus=2, object_store_memory=10**7, store_wait=60.0)
    never = nap.remote(60)
    calls = {
        "get": lambda: freehold.get(never),
        "get with a timeout": lambda: freehold.get(never, timeout=50),
        "get of many": lambda: freehold.get([nap.remote(0), freehold.put(1), never]),
        "wait": lambda: freehold.wait([never, nap.remote(0)], num_returns=2),
        "put": full_store,
    }
    took = interrupt(calls[what], *[0.1, 0.0001][:presses])
    assert took < LATE_SECONDS
    freehold.cancel(never, force=True)
    del never, calls
    assert_usable(eventually)


def test_ctrl_c_amid_anything(watch, eventually) -> None:
    """At 300 random points of puts, gets, waits, submissions and drops; nothing is lost but what was interrupted."""
    freehold.init(num_nodes=2, num_cpus=1, object_store_memory=10**8)
    dice = random.Random(1)
    array = np.arange(10**6)

    def busy() -> None:
        until = time.monotonic() + 1
        while time.monotonic() < until:
            refs: list[Any] = [freehold.put(array), freehold.put(1), shape_of.remote(array[:10])]
            refs += [shape_of.options(node=1).remote(refs[0]), nap.remote(0.001)]
            assert freehold.get(refs[0])[-1] == 10**6 - 1
            freehold.wait(refs, num_returns=3, timeout=0.01)
            freehold.get(refs)

    for _ in range(300):
        assert interrupt(busy, dice.uniform(0, 0.03)) < LATE_SECONDS
    assert_usable(eventually)


@pytest.mark.parametrize("what", ["reference", "view"])
def test_ctrl_c_amid_a_del_is_raised_after_it(watch, what: str) -> None:
    """Python would swallow it there, and with it the word that the object is needed no more."""
    freehold.init(num_cpus=1, object_store_memory=10**8)
    ref = freehold.put(np.arange(10**6))
    view = freehold.get(ref)
    assert view[-1] == 10**6 - 1
    came: list[str] = []

    def press(frame: Any, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_name == "__del__" and not came:
            came.append(frame.f_globals["__name__"])
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        sys.setprofile(press)
        if what == "view":
            del view
        else:
            del ref
        sys.setprofile(None)
        while True:
            time.sleep(0.001)
    sys.setprofile(None)
    assert came == ["freehold.core.refs" if what == "reference" else "freehold.backends.local.arena"]


def test_ctrl_c_in_init(watch, eventually) -> None:
    """Either the cluster is there, or nothing is."""
    dice = random.Random(2)
    for _ in range(12):
        began = time.monotonic()
        interrupt(lambda: freehold.init(num_nodes=2, num_cpus=1), *[dice.uniform(0, 0.3), 0.001][: dice.choice((1, 2))])
        assert time.monotonic() - began < LATE_SECONDS
        if freehold.is_initialized():
            assert freehold.get(nap.remote(0), timeout=30) == 0
            freehold.shutdown()
        assert eventually(lambda: not watch.left()), watch.left()


def test_ctrl_c_when_the_nodes_have_come_is_not_lost(watch, monkeypatch) -> None:
    """Between the wait for the nodes and the return of init: the cluster is there, and Ctrl-C is raised."""
    wait = ProgramDriver.wait_for_nodes

    def then_press(*arguments: Any) -> None:
        wait(*arguments)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(ProgramDriver, "wait_for_nodes", then_press)
    with pytest.raises(KeyboardInterrupt):
        freehold.init(num_cpus=1)
    assert freehold.is_initialized()
    assert interrupt(lambda: freehold.get(nap.remote(60)), 0.1) < LATE_SECONDS


def test_ctrl_c_while_init_returns_is_not_lost(watch, monkeypatch) -> None:
    """The same, in the last instant before the program has its cluster."""
    monkeypatch.setattr(cluster, "atexit", PressAtExit())
    with pytest.raises(KeyboardInterrupt):
        freehold.init(num_cpus=1)
    assert freehold.is_initialized()


class PressAtExit:
    """Where ``atexit`` is asked to end the cluster, somebody presses Ctrl-C."""

    def register(self, call: Callable[[], None]) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    def unregister(self, call: Callable[[], None]) -> None:
        pass


def test_ctrl_c_in_shutdown(watch, eventually) -> None:
    """It is ended all the same."""
    dice = random.Random(3)
    for _ in range(10):
        freehold.init(num_cpus=1)
        never = nap.remote(60)
        interrupt(freehold.shutdown, dice.uniform(0, 0.02), 0.001)
        freehold.shutdown()
        assert eventually(lambda: not watch.left()), watch.left()
        del never


def test_other_handlers_of_ctrl_c_are_left_alone(watch) -> None:
    """A program's own handler stays; Python's is ours while a cluster runs, also when a notebook puts it back."""
    caught = []
    mine = signal.signal(signal.SIGINT, lambda *_: caught.append(1))
    try:
        freehold.init(num_cpus=1)
        freehold.put(1)
        os.kill(os.getpid(), signal.SIGINT)
        freehold.shutdown()
    finally:
        signal.signal(signal.SIGINT, mine)
    assert caught == [1]
    freehold.init(num_cpus=1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    assert interrupt(lambda: freehold.get(nap.remote(60)), 0.1) < LATE_SECONDS
    assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    freehold.shutdown()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_cancel_finds_a_task_that_is_just_being_started(watch, eventually) -> None:
    """Whether it has not been sent, has been given the thread, or runs: it does not go on for its whole minute."""
    freehold.init(num_cpus=2)
    dice = random.Random(4)
    freehold.get([nap.remote(0) for _ in range(10)])
    for _ in range(150):
        refs = [nap.remote(60) for _ in range(3)]
        until = time.perf_counter() + dice.uniform(0, 3e-3)
        while time.perf_counter() < until:
            pass
        for ref in refs:
            freehold.cancel(ref)
        for ref in refs:
            with pytest.raises(TaskCancelledError):
                freehold.get(ref, timeout=30)
    del refs, ref
    assert_usable(eventually)


def test_a_cancel_finds_a_task_that_has_not_heard_the_signal(watch, tmp_path, eventually) -> None:
    """A signal that comes when a call is just about to sleep does not end the sleep; here it is swallowed for sure."""

    @freehold.remote
    def swallow_and_sleep() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        (tmp_path / "begun").touch()
        signal.sigwait({signal.SIGINT})
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        (tmp_path / "swallowed").touch()
        time.sleep(60)

    freehold.init(num_cpus=1)
    ref = swallow_and_sleep.remote()
    assert eventually((tmp_path / "begun").exists)
    freehold.cancel(ref)
    with pytest.raises(TaskCancelledError):
        freehold.get(ref, timeout=30)
    assert (tmp_path / "swallowed").exists()
    assert freehold.get(nap.remote(0.2)) == 0.2  # which is not interrupted in its place
    freehold.shutdown()


def test_a_cancel_finds_a_task_on_whose_stack_another_runs(watch, eventually) -> None:
    """It is interrupted when it is on top of the stack again."""
    freehold.init(num_cpus=1, workers_max=1)

    @freehold.remote
    def outer() -> float:
        return freehold.get(nap.remote(1.0)) + freehold.get(nap.remote(60))

    ref = outer.remote()
    time.sleep(0.3)  # whatever it does by then, the cancel must find it
    freehold.cancel(ref)
    with pytest.raises(TaskCancelledError):
        freehold.get(ref, timeout=30)
    freehold.shutdown()
