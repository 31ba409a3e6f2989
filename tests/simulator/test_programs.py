"""Blocking programs in simulated time: everyone gets what he waits for, when it is due, and nothing really waits."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import threading
import time
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import freehold
from freehold.core import cluster
from freehold.core.ids import HEAD, object_name, worker_id
from freehold.exceptions import (
    DeadlockError,
    GetTimeoutError,
    TaskCancelledError,
    WorkerCrashedError,
)


@freehold.remote
def nap(seconds: float, value: Any = None) -> Any:
    time.sleep(seconds)
    return value


@freehold.remote
def whose() -> str:
    time.sleep(1)
    return freehold.get_runtime_context().get_worker_id()


@freehold.remote
def get_awaited(*names: str) -> Any:
    time.sleep(1)
    return freehold.get([sys.modules["awaited"].refs[name] for name in names])


@pytest.fixture
def awaited(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return references that tasks find in the memory of their process, where no copy of them is made."""
    module = ModuleType("awaited")
    monkeypatch.setitem(sys.modules, "awaited", module)
    refs: dict[str, Any] = {}
    vars(module)["refs"] = refs
    return refs


@freehold.remote
def wait_for_event() -> None:
    threading.Event().wait()


def test_values_and_errors(sim: Any) -> None:
    sim()
    ref = freehold.put([23, 42, 93])
    total: Any = freehold.remote(sum)
    assert freehold.get(total.remote(ref)) == 158
    assert freehold.get([freehold.put(i) for i in range(3)]) == [0, 1, 2]
    assert freehold.get(freehold.remote(lambda refs: freehold.get(refs[0])).remote([ref])) == [23, 42, 93]

    @freehold.remote
    def boom() -> None:
        raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        freehold.get(boom.remote())


def test_a_large_array_takes_its_time_over_the_network(sim: Any) -> None:
    sim()
    arange: Any = freehold.remote(np.arange)
    ref = arange.options(node=1).remote(1_000_000)
    freehold.wait([ref], fetch_local=False)
    start = time.monotonic()
    assert freehold.get(ref).sum() == 499_999_500_000
    assert 8e6 / 1.25e9 < time.monotonic() - start < 1.2 * 8e6 / 1.25e9


def test_time_is_virtual(sim: Any) -> None:
    really = time.perf_counter()
    sim()
    clocks = time.time(), time.monotonic(), time.perf_counter(), time.monotonic_ns(), time.time_ns()
    time.sleep(3600)
    passed = [
        after - before
        for after, before in zip(
            (time.time(), time.monotonic(), time.perf_counter(), time.monotonic_ns(), time.time_ns()),
            clocks,
            strict=True,
        )
    ]
    assert passed == pytest.approx([3600, 3600, 3600, 3600 * 10**9, 3600 * 10**9], rel=1e-12)
    assert freehold.get(nap.remote(3600, "rested")) == "rested"
    freehold.shutdown()
    assert time.perf_counter() - really < 10


def test_ten_seconds_and_six(sim: Any) -> None:
    sim()
    start = time.monotonic()
    with pytest.raises(GetTimeoutError):
        freehold.get(nap.remote(10), timeout=6)
    assert 6 <= time.monotonic() - start < 6.001


def test_wait_with_a_timeout(sim: Any) -> None:
    sim()
    refs = [nap.remote(seconds, seconds) for seconds in (3, 1, 2, 9)]
    start = time.monotonic()
    ready, rest = freehold.wait(refs, num_returns=4, timeout=2.5)
    assert 2.5 <= time.monotonic() - start < 2.501
    assert freehold.get(ready) == [1, 2] and rest == [refs[0], refs[3]]
    ready, rest = freehold.wait(rest)
    assert freehold.get(ready) == [3] and 3 <= time.monotonic() - start < 3.01


def test_tasks_that_are_blocked_at_once_get_their_own_values(sim: Any) -> None:
    sim(num_nodes=1, num_cpus=4)

    @freehold.remote
    def twice(refs: list[Any]) -> list[Any]:
        return [freehold.get(ref) for ref in refs] + freehold.get(refs)

    pairs = [[nap.remote(2 - i / 10, 10 * i), nap.remote(1, 10 * i + 1)] for i in range(4)]
    start = time.monotonic()
    assert freehold.get([twice.remote(pair) for pair in pairs]) == [[10 * i, 10 * i + 1] * 2 for i in range(4)]
    assert time.monotonic() - start < 4.01


def test_four_seconds_on_two_cpus(sim: Any) -> None:
    sim(num_nodes=1, num_cpus=2)
    freehold.get([nap.remote(0), nap.remote(0)])
    start = time.monotonic()
    freehold.get([nap.remote(1) for _ in range(4)])
    assert 2 <= time.monotonic() - start < 2.01


@pytest.mark.parametrize("blocked", [False, True], ids=["asleep", "blocked"])
def test_cancel_of_a_running_task(sim: Any, blocked: bool) -> None:
    sim()

    @freehold.remote
    def wait_for(refs: list[Any]) -> None:
        try:
            freehold.get(refs) if blocked else time.sleep(100)
        except KeyboardInterrupt:
            print("interrupted")
            raise

    ref = wait_for.remote([nap.remote(100)])
    time.sleep(1)
    freehold.cancel(ref)
    with pytest.raises(TaskCancelledError):
        freehold.get(ref)
    assert time.monotonic() < 1.01
    assert freehold.get(nap.remote(0, "others go on")) == "others go on"


def test_an_interrupt_that_comes_late_hits_nobody_else(sim: Any) -> None:
    world = sim(num_nodes=1, num_cpus=1)
    ref = nap.remote(1, "spared")
    time.sleep(0.5)
    (session,) = [session for session in world.sessions.values() if session.task]
    world.interrupt(session, session.task - 1)
    assert freehold.get(ref) == "spared"


def test_a_worker_killed_in_mid_task_is_replaced(sim: Any) -> None:
    world = sim(num_nodes=1, num_cpus=2)
    ref = whose.remote()
    time.sleep(0.5)
    (running,) = [me for me, session in world.sessions.items() if session.task]
    world.remove(running)
    assert freehold.get(ref) != f"{running:016x}"
    assert 1.5 <= time.monotonic() < 1.51


def test_the_dead_do_nothing_more(sim: Any, capsys: pytest.CaptureFixture[str]) -> None:
    world = sim(num_nodes=1, num_cpus=2)

    @freehold.remote(max_retries=0)
    def stubborn() -> None:
        for _ in range(3):
            try:
                time.sleep(1)
            except BaseException:
                print("refused to die")
        freehold.put("from beyond")
        print("never")

    ref = stubborn.remote()
    time.sleep(0.5)
    world.remove(next(me for me, session in world.sessions.items() if session.task))
    with pytest.raises(WorkerCrashedError):
        freehold.get(ref)
    time.sleep(5)
    assert capsys.readouterr().out == "refused to die\n" * 3


@pytest.mark.parametrize("leave", [lambda: exec("raise SystemExit"), lambda: os._exit(1)], ids=["exit", "_exit"])
def test_a_task_that_exits_takes_its_worker_along(sim: Any, leave: Any) -> None:
    sim()
    with pytest.raises(WorkerCrashedError):
        freehold.get(freehold.remote(max_retries=1)(leave).remote())
    assert freehold.get(nap.remote(0, "others go on")) == "others go on"


def test_nodes_come_and_go(sim: Any) -> None:
    sim(num_nodes=1)
    freehold.shutdown()
    with freehold.Cluster(backend="sim", num_nodes=1) as cluster:
        index = cluster.add_node(num_cpus=2, fast=1)
        assert (
            freehold.get(nap.options(resources={"fast": 1}).remote(1, "fast")) == "fast" and len(freehold.nodes()) == 2
        )
        cluster.remove_node(index)
        assert len(freehold.nodes()) == 1


def test_tasks_that_wait_for_each_other_are_told_first(sim: Any, awaited: dict[str, Any]) -> None:
    """Each of two tasks gets what the other returns; who waits for one of them, or does not end, is only counted."""
    sim()
    awaited["hanging"] = wait_for_event.remote()
    awaited["left"] = get_awaited.options(node=0).remote("hanging", "right")
    awaited["right"] = get_awaited.options(node=1).remote("left")
    left, right = (re.escape(object_name(awaited[name]._id)) for name in ("left", "right"))
    behind = nap.remote(0, awaited["left"])
    circle = (
        rf"(.+ on n0w\d) waits for {right}, which (.+ on n1w\d) makes, and for 1 more; "
        rf"\2 waits for {left}, which \1 makes"
    )
    with pytest.raises(DeadlockError, match=f"any more: {circle}; 3 others wait$"):
        freehold.get(behind)


def test_a_task_that_waits_for_itself(sim: Any, awaited: dict[str, Any]) -> None:
    sim()
    awaited["itself"] = get_awaited.remote("itself")
    name = re.escape(object_name(awaited["itself"]._id))
    told = rf"any more: get_awaited on n\dw\d waits for {name}, which it makes itself; 1 other waits$"
    with pytest.raises(DeadlockError, match=told):
        freehold.get(awaited["itself"])


def test_where_nobody_makes_what_is_awaited_the_way_there_is_told(sim: Any) -> None:
    """The program waits for a task, that for another's return as its argument, and that for an event."""
    sim()
    ref = nap.remote(0, wait_for_event.remote())
    told = (
        rf"any more: the program on n0w1 waits for {re.escape(object_name(ref._id))}, which nap \(not begun\) makes; "
        r"nap \(not begun\) waits for n0w1\.\d+, which (wait_for_event on n0w\d) makes; "
        r"\1 waits for a lock, an event or the like, which nobody sets$"
    )
    with pytest.raises(DeadlockError, match=told):
        freehold.get(ref)
    assert freehold.get(nap.remote(0, "others go on")) == "others go on"


def test_of_many_who_wait_a_few_are_told(sim: Any) -> None:
    sim(num_nodes=1, num_cpus=6)
    hanging = [wait_for_event.remote() for _ in range(6)]
    with pytest.raises(DeadlockError, match=r"which nobody sets; 2 others wait$") as raised:
        freehold.get(hanging)
    assert str(raised.value).count("waits for a lock") == 4 and ", and for 5 more; " in str(raised.value)


def test_a_program_that_waits_for_an_event_is_told(sim: Any) -> None:
    """It waits no more for what it has waited for, for some time."""
    sim()
    ref = wait_for_event.remote()
    freehold.wait([ref], timeout=1)
    with pytest.raises(
        DeadlockError, match=r"any more: the program on n0w1 waits for a lock, an event or the like, which"
    ):
        threading.Event().wait()


def test_what_is_awaited_in_an_event_loop_is_told(sim: Any) -> None:
    """The program awaits a reference to what a task returns that does so, too."""
    sim()

    async def first(*refs: Any) -> None:
        await refs[0]

    @freehold.remote
    def awaiting(refs: list[Any]) -> None:
        asyncio.run(first(*refs))

    told = (
        r"any more: the program on n0w1 waits for n0w1\.\d+, which (.*awaiting on n\dw\d) makes; "
        r"\1 waits for n0w1\.\d+, which wait_for_event on n\dw\d makes; "
    )
    with pytest.raises(DeadlockError, match=told):
        asyncio.run(first(awaiting.remote([wait_for_event.remote()])))


def test_a_task_that_is_over_waits_for_nothing(sim: Any, awaited: dict[str, Any]) -> None:
    """It has left a future behind."""
    sim()
    ref = wait_for_event.remote()

    @freehold.remote
    def leave(refs: list[Any]) -> None:
        sys.modules["awaited"].refs["future"] = refs[0].future()

    freehold.get(leave.remote([ref]))
    with pytest.raises(DeadlockError, match=r"which wait_for_event on n\dw\d makes; [^;]+, which nobody sets$"):
        freehold.get(ref)
    assert not awaited["future"].done()


def test_an_interrupt_is_for_the_program(sim: Any) -> None:
    sim()

    @freehold.remote
    def disturb() -> str:
        signal.raise_signal(signal.SIGINT)
        return "undisturbed"

    ref = disturb.remote()
    with pytest.raises(KeyboardInterrupt):
        freehold.get(ref)
    assert freehold.get(ref) == "undisturbed"


def test_shutdown_ends_tasks_that_sleep_or_wait(sim: Any, capsys: pytest.CaptureFixture[str]) -> None:
    sim(num_nodes=1, num_cpus=3)

    @freehold.remote
    def sleeper() -> None:
        try:
            time.sleep(1000)
        finally:
            print("over")

    @freehold.remote
    def waiter(refs: list[Any]) -> None:
        freehold.get(refs)

    waiter.remote([sleeper.remote()])
    time.sleep(1)
    waiter.remote([])  # has not begun
    freehold.shutdown()
    assert capsys.readouterr().out == "over\n"
    assert not freehold.is_initialized()


def test_tasks_that_have_not_ended_are_reported_at_the_end(sim: Any) -> None:
    """Two sleep, for longer than their workers remember, and six have not begun; what was got is not named."""
    world = sim(num_cpus=1)

    @freehold.remote
    def sleeper() -> None:
        time.sleep(100)

    assert freehold.get(nap.remote(0, "over")) == "over"
    sleeper.options(node=0).remote()
    for _ in range(6):
        whose.options(node=0).remote()
    sleeper.options(node=1).remote()
    time.sleep(1)
    for driver in world.drivers.values():
        driver.ring.raw.clear()
    freehold.shutdown()
    told = r"a second; 8 tasks had not ended: \S*sleeper on n0w\d, \S*sleeper on n1w\d"
    assert re.search(told + r"(, whose \(not begun\)){3} and 3 more$", cluster.summary)


@pytest.mark.parametrize("seconds", [0.0, 1.0], ids=["on its way there", "on its way back"])
def test_whether_a_task_on_its_way_has_ended(sim: Any, seconds: float) -> None:
    """A task that was sent and has not come to its worker is not over; one whose reply has not come back is."""
    world = sim(num_nodes=1, num_cpus=1, cluster={"costs": {"local": "1 ms"}})
    assert freehold.get(nap.remote(0)) is None
    nap.remote(seconds)
    time.sleep(seconds + 0.0005)
    (call,) = world.sessions[worker_id(HEAD, 1)].worker.execution.values()
    assert call.state.name == "RUNNING"
    freehold.shutdown()
    assert ("1 task had not ended: nap (not begun)" in cluster.summary) == (seconds == 0.0)


def test_where_all_tasks_have_ended_nothing_is_reported(sim: Any) -> None:
    sim()
    freehold.get([nap.remote(seconds) for seconds in range(3)])
    freehold.shutdown()
    assert cluster.summary.endswith("events a second")
