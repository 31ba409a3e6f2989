"""Threads, event loops and callbacks of users, all at once: nobody waits for another who need not."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import freehold
from freehold.core import cluster
from freehold.exceptions import GetTimeoutError

pytestmark = [pytest.mark.local, pytest.mark.slow, pytest.mark.timeout(100)]
PATIENCE = 20.0


@freehold.remote
def nap(seconds: float, value: Any = None) -> Any:
    time.sleep(seconds)
    return value


@freehold.remote
def add(a: Any, b: Any) -> Any:
    return a + b


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Call each in a thread of its own; return what came of them, or raise the first error."""
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(PATIENCE) for future in [pool.submit(call) for call in calls]]


def assert_clean(eventually: Any) -> None:
    gc.collect()
    host: Any = cluster.engine().host
    eventually(lambda: not host.census())
    assert host.census() == []


def test_eight_threads_at_once(watch, eventually) -> None:
    freehold.init(num_nodes=2, num_cpus=2)
    shared = [freehold.put(number) for number in range(8)]

    def user(me: int) -> int:
        dice = random.Random(me)
        total = 0
        for number in range(60):
            small, large = freehold.put((me, number)), freehold.put(np.full(20_000, number))
            task = add.options(node=dice.randrange(2)).remote(small, small)
            if dice.random() < 0.3:
                ready, unready = freehold.wait([task, large, small], num_returns=2, timeout=PATIENCE)
                assert len(ready) == 2 and len(unready) == 1
            assert freehold.get(task) == (me, number) * 2
            values: list[Any] = freehold.get([large, small])
            assert values[0].sum() == 20_000 * number and values[1] == (me, number)
            total += freehold.get(shared[dice.randrange(8)])
        return total

    sums = together(*[lambda me=me: user(me) for me in range(8)])
    assert all(sums)
    del shared, user
    assert_clean(eventually)


def test_who_does_not_lead_is_served_as_soon(watch, eventually) -> None:
    """While one thread waits for long, in the kernel, the others' messages, deadlines and drops do not wait with it."""
    freehold.init(num_cpus=4, object_store_memory=10**7, store_wait=60.0)
    never = nap.remote(120)
    freehold.get(nap.remote(0))
    leader = threading.Thread(target=lambda: freehold.wait([never], timeout=PATIENCE + 10))
    leader.start()
    time.sleep(0.2)

    def in_time() -> float:
        began = time.monotonic()
        with pytest.raises(GetTimeoutError):
            freehold.get(never, timeout=0.2)
        return time.monotonic() - began

    def submit_only() -> Any:
        refs = [nap.remote(0.001, number) for number in range(20)]  # and then does something else
        return eventually(lambda: len(freehold.wait(refs, num_returns=20, timeout=0)[0]) == 20)

    def fill() -> None:
        refs = [freehold.put(bytes(6 * 10**6))]
        threading.Timer(0.2, refs.clear).start()  # nobody calls freehold to say so
        freehold.put(bytes(6 * 10**6))

    assert max(together(*[in_time] * 3)) < PATIENCE
    assert together(submit_only)
    together(fill)
    assert leader.is_alive()
    freehold.cancel(never, force=True)
    leader.join()
    del never, leader, submit_only, fill
    assert_clean(eventually)


def test_results_pass_between_threads_in_a_ring(watch, eventually) -> None:
    freehold.init(num_cpus=2)
    mail: list[Any] = [None] * 4
    turns = [threading.Semaphore(0) for _ in range(4)]

    def stand(me: int) -> int:
        for _ in range(50):
            turns[me].acquire()
            ref, mail[me] = mail[me], None
            mail[(me + 1) % 4] = add.remote(ref, 1)
            turns[(me + 1) % 4].release()
        return me

    mail[0] = freehold.put(0)
    turns[0].release()
    assert together(*[lambda me=me: stand(me) for me in range(4)]) == [0, 1, 2, 3]
    assert freehold.get(mail[0]) == 200
    mail.clear()
    assert_clean(eventually)


def test_asyncio_gathers_two_hundred(watch, eventually) -> None:
    freehold.init(num_cpus=2)

    async def main() -> list[int]:
        refs = [nap.remote(0.0005, number) for number in range(200)]
        results = await asyncio.gather(*refs)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(nap.remote(60).as_future(), 0.05)
        return list(results)

    assert asyncio.run(main()) == list(range(200))
    host: Any = cluster.engine().host
    assert eventually(lambda: not host.listeners)  # also of the one that was given up
    freehold.shutdown()


def test_callbacks_may_use_freehold(watch, eventually, caplog) -> None:
    """A future's callback gets, puts, submits and adds callbacks; it runs outside all locks."""
    freehold.init(num_cpus=2)
    done: concurrent.futures.Future[int] = concurrent.futures.Future()

    def called(future: concurrent.futures.Future[int]) -> None:
        value = freehold.get(add.remote(freehold.put(future.result()), 1))
        add.remote(value, 1).future().add_done_callback(lambda last: done.set_result(last.result()))

    nap.remote(0.05, 40).future().add_done_callback(called)
    assert done.result(PATIENCE) == 42
    values = [nap.remote(0, number).future() for number in range(50)]
    for value in values:
        value.add_done_callback(lambda future: freehold.put(future.result()))
    assert [value.result(PATIENCE) for value in values] == list(range(50))
    caplog.set_level(logging.CRITICAL + 1, "concurrent.futures")  # a record keeps the frames, and they the reference
    broken = nap.remote(0).future()
    broken.add_done_callback(lambda future: 1 / 0)
    broken.result(PATIENCE)
    del values, value, broken, done, called
    assert_clean(eventually)


def test_finalizers_may_use_freehold_or_be_refused(watch, eventually) -> None:
    """The collector runs users' finalizers anywhere, also amid freehold's own work: no deadlock."""
    freehold.init(num_cpus=1)
    refused: list[str] = []

    class Finalized:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            try:
                freehold.get(freehold.put(1))
            except RuntimeError as error:
                refused.append(str(error))

    gc.set_threshold(50)
    try:
        for number in range(2000):
            Finalized()
            assert freehold.get(freehold.put([number])) == [number]
            if number % 20 == 0:
                assert freehold.get(add.remote(number, 1)) == number + 1
    finally:
        gc.set_threshold(700)
    assert set(refused) <= {"freehold was called by a finalizer, or a signal handler, amid its own work"}
    assert_clean(eventually)


def test_prints_of_all_kinds(watch, capfd) -> None:
    """Whole lines arrive, in order, before the get returns: long ones, half ones, of threads, and broken text."""
    freehold.init(num_cpus=1)

    @freehold.remote
    def talk() -> None:
        print("x" * 600_000)
        print("one\ntwo", end="")
        print(" three")
        print("half a pair \ud800")
        threads = [threading.Thread(target=lambda n=n: [print(f"thread {n} " * 3) for _ in range(50)]) for n in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print("no end", end="")

    freehold.get(talk.remote())
    lines = [line.partition(") ")[2] for line in capfd.readouterr().out.splitlines()]
    assert lines[:4] == ["x" * 600_000, "one", "two three", "half a pair \\ud800"]
    assert lines[-1] == "no end"
    assert sum(line.count("thread") for line in lines[4:-1]) == 300
