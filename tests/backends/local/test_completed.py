"""Loops over completions on real processes: in threads and event loops at once, interrupted, and at the end of all."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import freehold
from freehold.core import cluster
from freehold.exceptions import FreeholdError

pytestmark = [pytest.mark.local, pytest.mark.slow, pytest.mark.timeout(100)]
PATIENCE = 30.0


@freehold.remote
def same(value: Any) -> Any:
    return value


@freehold.remote
def wait_for(path: Path, value: Any = None) -> Any:
    """Return when there is a file."""
    until = time.monotonic() + PATIENCE
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.001)
    return value


def host() -> Any:
    return cluster.engine().host


def assert_nothing_waits(eventually: Any) -> None:
    assert eventually(lambda: not host().listeners and not cluster.engine().worker.requests)


def test_in_the_order_in_which_gates_are_opened(watch, eventually, tmp_path: Path) -> None:
    """The loop opens the next gate itself, so that the order is certain."""
    freehold.init(num_cpus=4)
    gates = [tmp_path / str(number) for number in range(4)]
    order = [2, 0, 3, 1]
    refs = {wait_for.remote(gates[number], number): number for number in range(4)}
    gates[order[0]].touch()
    found = []
    for ref in freehold.as_completed(list(refs)):
        found.append(refs[ref])
        if len(found) < 4:
            gates[order[len(found)]].touch()
    assert found == order
    assert_nothing_waits(eventually)


def test_while_others_put_get_and_loop(watch, eventually) -> None:
    """Eight threads loop at once, and two event loops with them; each finds its own."""
    freehold.init(num_cpus=2)

    def loop(me: int) -> int:
        total = 0
        for turn in range(5):
            refs = [same.remote(me * 1000 + number) for number in range(30)]
            total += sum(freehold.get(ref) for ref in freehold.as_completed(refs, ordered=turn % 2 == 0))
        return total

    async def asynchronous(me: int) -> int:
        refs = [same.remote(me * 1000 + number) for number in range(150)]
        return sum([await ref async for ref in freehold.as_completed(refs)])

    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        sync = [pool.submit(loop, me) for me in range(8)]
        awaited = [pool.submit(asyncio.run, asynchronous(me)) for me in range(2)]
        totals = [future.result(PATIENCE) for future in [*sync, *awaited]]
    assert totals[:8] == [5 * sum(range(me * 1000, me * 1000 + 30)) for me in range(8)]
    assert totals[8:] == [sum(range(me * 1000, me * 1000 + 150)) for me in range(2)]
    assert_nothing_waits(eventually)


@pytest.mark.parametrize("style", ["for", "async for"])
def test_when_the_cluster_ends(watch, eventually, tmp_path: Path, style: str) -> None:
    """Who waits in a loop hears of it."""
    freehold.init(num_cpus=1)
    late = wait_for.remote(tmp_path / "never")

    def loop() -> None:
        for _ in freehold.as_completed([late]):
            pytest.fail("it is never complete")

    async def asynchronous() -> None:
        async for _ in freehold.as_completed([late]):
            pytest.fail("it is never complete")

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        call = pool.submit(loop) if style == "for" else pool.submit(lambda: asyncio.run(asynchronous()))
        assert eventually(lambda: host().listeners)
        freehold.shutdown()
        with pytest.raises(FreeholdError, match="shut down"):
            call.result(PATIENCE)


def test_ctrl_c_ends_a_loop_and_leaves_nothing(watch, eventually, tmp_path: Path) -> None:
    freehold.init(num_cpus=1)
    gate = tmp_path / "gate"
    late = wait_for.remote(gate, 5)

    def interrupt() -> None:
        eventually(lambda: host().listeners)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        for _ in freehold.as_completed([late]):
            pytest.fail("it is not complete")
    thread.join()
    assert_nothing_waits(eventually)
    gate.touch()
    assert freehold.get(late) == 5


def test_an_event_loop_that_has_ended_meanwhile(watch, eventually, tmp_path: Path) -> None:
    """Its loop over completions lives on, and what completes wakes nobody."""
    freehold.init(num_cpus=1)
    gate = tmp_path / "gate"
    loop = freehold.as_completed([wait_for.remote(gate, 5)])

    async def look() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(anext(loop), 0.01)

    asyncio.run(look())
    gate.touch()
    assert [freehold.get(ref) for ref in loop] == [5]  # the same loop, in the other style
    assert_nothing_waits(eventually)
