"""Several threads, and event loops, that call at once."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import freehold
from freehold.exceptions import GetTimeoutError
from freehold.specs.scenario import scenario
from freehold.specs.scenarios.gates import Gate


@scenario(marks=["threads"], returns=[sum(range(i, i + 20)) for i in range(8)])
def threads_put_submit_and_get() -> Any:
    """Eight threads put, submit and get at once; each sees its own values."""

    @freehold.remote
    def same(i: int) -> int:
        return i

    def work(start: int) -> int:
        refs = [same.remote(freehold.put(start + i)) for i in range(20)]
        return sum(freehold.get(refs))

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(work, range(8)))


@scenario(marks=["threads"], returns=["big"] * 6)
def threads_get_one_object() -> Any:
    """Six threads get one unfinished object, three of them after giving up once (ray#54007)."""

    @freehold.remote
    def slow() -> Any:
        threading.Event().wait(0.2)
        return ["big", b"x" * 500_000]

    ref = slow.remote()

    def read(impatient: bool) -> Any:
        if impatient:
            with suppress(GetTimeoutError):
                freehold.get(ref, timeout=0.02)
        return freehold.get(ref)[0]

    with ThreadPoolExecutor(6) as pool:
        return list(pool.map(read, [False, True] * 3))


@scenario(marks=["threads"], returns=10)
def threads_inside_a_task() -> Any:
    """A task has threads of its own, which submit and get while the task waits for them."""

    @freehold.remote
    def one() -> int:
        return 1

    @freehold.remote
    def outer() -> int:
        with ThreadPoolExecutor(5) as pool:
            return sum(pool.map(lambda _: int(freehold.get(one.remote())), range(10)))

    return freehold.get(outer.remote())


@scenario(marks=["threads"], returns=[0, 1, 2, 3])
def references_cross_threads() -> Any:
    """Threads create references and another one drops the last of each."""
    refs: list[Any] = []
    threads = [threading.Thread(target=lambda i=i: refs.append(freehold.put(i))) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(freehold.get(refs.pop()) for _ in range(4))


@scenario(marks=["threads", "realtime"], returns=(4, True, "ValueError"))
def futures() -> Any:
    """References become concurrent futures: one has a value, one calls back, one has an exception."""

    @freehold.remote
    def half(i: int) -> int:
        if i % 2:
            raise ValueError(i)
        return i // 2

    called = threading.Event()
    good, bad = half.remote(8).future(), half.remote(3).future()
    good.add_done_callback(lambda _: called.set())
    return good.result(20), called.wait(20), type(getattr(bad.exception(20), "original", None)).__name__


@scenario(marks=["asyncio"], returns=(1, [0, 1, 4], 3))
def await_and_gather() -> Any:
    """A coroutine awaits a reference, gathers three, and awaits one that was put."""

    @freehold.remote
    def square(i: int) -> int:
        return i * i

    async def main() -> Any:
        one = await square.remote(1)
        many = await asyncio.gather(*[square.remote(i) for i in range(3)])
        return one, many, await freehold.put(3)

    return asyncio.run(main())


@scenario(marks=["asyncio"], returns=("KeyError", 2))
def await_raises() -> Any:
    """A coroutine awaits a task that fails, catches the error by its class, and goes on."""

    @freehold.remote
    def fail(word: str) -> None:
        raise KeyError(word)

    async def main() -> Any:
        try:
            await fail.remote("x")
        except KeyError as error:
            return type(getattr(error, "original", None)).__name__, await freehold.put(2)

    return asyncio.run(main())


@scenario(marks=["asyncio", "preempts"], returns=["fast", "slow"])
def coroutines_overlap() -> Any:
    """Two coroutines await a slow and a fast task: the fast one goes on first, and lets the slow one end."""
    gate = Gate()

    @freehold.remote
    def work(word: str) -> None:
        if word == "slow":
            gate.wait()

    async def main() -> list[str]:
        words: list[str] = []

        async def follow(word: str) -> None:
            await work.remote(word)
            words.append(word)
            gate.open()

        await asyncio.gather(follow("slow"), follow("fast"))
        return words

    return asyncio.run(main())


@scenario(marks=["asyncio"], returns=(["a", 200_000], 5))
def await_inside_a_task() -> Any:
    """A task runs an event loop of its own, and awaits references that it was lent and one of its own task."""

    @freehold.remote
    def five() -> int:
        return 5

    @freehold.remote
    def outer(refs: list[Any]) -> Any:
        async def main() -> Any:
            small, large = await asyncio.gather(*refs)
            return [small, len(large)], await five.remote()

        return asyncio.run(main())

    return freehold.get(outer.remote([freehold.put("a"), freehold.put(b"x" * 200_000)]))
