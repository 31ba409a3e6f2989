"""asyncio in simulated time: sleeps, timeouts and references, in the program and in tasks at once."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

import freehold


@freehold.remote
def nap(seconds: float, value: Any = None) -> Any:
    time.sleep(seconds)
    return value


def test_sleep_and_references(sim: Any) -> None:
    sim()

    async def main() -> list[Any]:
        loop = asyncio.get_running_loop()
        start = loop.time()
        await asyncio.sleep(100)
        values = await asyncio.gather(nap.remote(3, "a"), nap.remote(2, "b"), asyncio.sleep(1, "c"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(nap.remote(9), 4)
        return [*values, loop.time() - start]

    *values, seconds = asyncio.run(main())
    assert values == ["a", "b", "c"] and 107 <= seconds < 107.01


def test_loops_of_tasks_run_side_by_side(sim: Any) -> None:
    sim(num_nodes=1, num_cpus=3)

    @freehold.remote
    def task(seconds: float) -> Any:
        async def main() -> Any:
            await asyncio.sleep(seconds)
            return await nap.options(num_cpus=0).remote(seconds, seconds)

        return asyncio.run(main())

    start = time.monotonic()
    assert freehold.get([task.remote(seconds) for seconds in (3, 1, 2)]) == [3, 1, 2]
    assert time.monotonic() - start < 6.01


def test_a_loop_of_real_time_goes_on_in_real_time(sim: Any) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        sim()
        start, virtual = loop.time(), time.monotonic()
        await asyncio.sleep(0.01)
        assert time.monotonic() == virtual and 0.01 <= loop.time() - start < 5
        assert await nap.remote(1000, "awaited") == "awaited"
        assert time.monotonic() - virtual >= 1000 and loop.time() - start < 5
        freehold.shutdown()
        assert loop.time() > start

    asyncio.run(main())
