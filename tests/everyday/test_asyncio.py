"""References in asyncio programs behave as futures do there."""

from __future__ import annotations

import pytest

TASKS = """
    import asyncio, concurrent.futures, freehold, sys, time
    freehold.init(num_cpus=2)

    @freehold.remote
    def nap(seconds, value=None):
        time.sleep(seconds)
        return value

    @freehold.remote
    def fail():
        raise KeyError("a key")

    async def of(ref):
        return await ref
"""


def test_await_and_gather(desk) -> None:
    assert desk.program(
        TASKS
        + """
    async def main():
        ref = nap.remote(0, 1)
        print(await ref, await ref, await asyncio.shield(asyncio.ensure_future(ref)), await asyncio.wait_for(ref, 60))
        print(await asyncio.gather(*[nap.remote(0.001 * (5 - number), number) for number in range(5)]))
        try:
            await fail.remote()
        except KeyError as error:
            print(type(error).__name__)
        found = await asyncio.gather(fail.remote(), nap.remote(0, 2), return_exceptions=True)
        print(type(found[0]).__name__, found[1])
        try:
            await asyncio.gather(fail.remote(), nap.remote(0.01))
        except KeyError:
            print("the first failure")
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(of(nap.remote(0, number))) for number in range(3)]
        print([task.result() for task in tasks])
        print(sorted([await one for one in asyncio.as_completed([nap.remote(0, n).as_future() for n in range(3)])]))
        done, pending = await asyncio.wait([nap.remote(0, n).as_future() for n in range(3)])
        print(len(done), len(pending))

    asyncio.run(main())
    """
    ) == [
        "1 1 1 1",
        "[0, 1, 2, 3, 4]",
        "TaskError(KeyError)",
        "TaskError(KeyError) 2",
        "the first failure",
        "[0, 1, 2]",
        "[0, 1, 2]",
        "3 0",
    ]


def test_many_loops_and_blocking_calls_in_them(desk) -> None:
    assert desk.program(
        TASKS
        + """
    async def blocks():
        return freehold.get(nap.remote(0, 4)), freehold.wait([nap.remote(0)])[1], freehold.get(freehold.put(5))

    print([asyncio.run(of(nap.remote(0, number))) for number in range(3)], asyncio.run(blocks()))

    @freehold.remote
    def inside():
        async def both():
            return await asyncio.gather(nap.remote(0, 1), nap.remote(0, 2))
        return asyncio.run(both())

    print(freehold.get(inside.remote()))
    futures = [nap.remote(0.001 * number, number).future() for number in range(3)]
    print(sorted(future.result() for future in concurrent.futures.as_completed(futures)))
    print(concurrent.futures.wait(futures).not_done)
    """
    ) == ["[0, 1, 2] (4, [], 5)", "[1, 2]", "[0, 1, 2]", "set()"]


@pytest.mark.parametrize("backend", [pytest.param("local", marks=pytest.mark.local), "sim"], indirect=True)
def test_timeouts_and_cancelled_awaits_leave_the_task_alone(desk) -> None:
    assert desk.program(
        TASKS
        + """
    async def main():
        slow = nap.remote(1.5, "slow")
        for attempt in (asyncio.wait_for(slow, 0.05), asyncio.wait_for(asyncio.shield(slow.as_future()), 0.05)):
            try:
                await attempt
            except TimeoutError:
                print("late")
        try:
            async with asyncio.timeout(0.05):
                await slow
        except TimeoutError:
            print("late")
        task = asyncio.create_task(of(slow))
        await asyncio.sleep(0.01)
        task.cancel()
        print((await asyncio.gather(task, return_exceptions=True))[0].__class__.__name__)
        done, pending = await asyncio.wait([slow.as_future(), nap.remote(0, 1).as_future()], timeout=0.5)
        print(len(done), len(pending))
        for one in pending:
            one.cancel()
        print(await slow)

    asyncio.run(main())
    abandoned = nap.remote(0.2, "abandoned")

    async def lose():
        abandoned.as_future()
        await asyncio.sleep(0)

    asyncio.run(lose())  # the loop is closed when the value comes
    print(freehold.get(abandoned))
    future = abandoned.future()
    sleeping = nap.remote(600).future()
    print(sleeping.cancel(), sleeping.cancelled(), future.result())
    """
    ) == ["late"] * 3 + ["CancelledError", "1 1", "slow", "abandoned", "True True abandoned"]


def test_what_is_cancelled_in_a_task_is_its_outcome(desk) -> None:
    assert desk.program(
        TASKS.replace("import asyncio", "import freehold.exceptions, asyncio", 1)
        + """
    @freehold.remote
    def cancelled():
        async def cancel():
            asyncio.current_task().cancel()
            await asyncio.sleep(1)
        asyncio.run(cancel())

    try:
        freehold.get(cancelled.remote())
    except freehold.exceptions.TaskError as error:
        print(type(error.original).__name__)

    async def coroutine():
        return 1

    for make in (coroutine, lambda: 1):
        try:
            print(freehold.get(freehold.remote(make).remote()))
        except freehold.exceptions.NotSupported as error:
            print(str(error).partition(":")[0])
    """
    ) == ["CancelledError", "@remote on the coroutine function coroutine", "1"]


@pytest.mark.parametrize("backend", [pytest.param("local", marks=pytest.mark.local)], indirect=True)
def test_nothing_is_leaked_by_abandoned_awaits(desk) -> None:
    assert desk.program(
        TASKS
        + """
    from freehold.core import cluster

    async def main():
        for _ in range(50):
            refs = [nap.remote(0.001), nap.remote(0.001)]
            task = asyncio.create_task(of(refs[0]))
            await asyncio.sleep(0)
            task.cancel()
            try:
                await asyncio.wait_for(refs[1], 0.0001)
            except TimeoutError:
                pass
            del refs, task

    asyncio.run(main())
    host = cluster.active.host
    until = time.monotonic() + 30
    while (left := host.census()) and time.monotonic() < until:
        time.sleep(0.01)
    print(left, host.listeners)
    """
    ) == ["[] {}"]
