"""References as they complete: in which order, at what price, and what is left when a loop ends early."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

import freehold
from freehold.core.events import GetWanted
from freehold.exceptions import GetTimeoutError

pytestmark = pytest.mark.nodes(1)
FOR_EVER = 60.0  # seconds; nobody waits for their end


@freehold.remote
def nap(seconds: float, value: Any = None) -> Any:
    time.sleep(seconds)
    return seconds if value is None else value


@freehold.remote
def fail() -> None:
    raise KeyError("missing")


@freehold.remote
def count_inside(number: int) -> int:
    return sum(freehold.get(ref) for ref in freehold.as_completed([nap.remote(0, 1) for _ in range(number)]))


@pytest.fixture(autouse=True)
def clean(world: Any) -> Iterator[None]:
    """Every test has a cluster, and leaves nothing in it: neither requests nor records nor tasks."""
    world.start()
    yield
    world.assert_clean("as_completed")


def never(world: Any) -> Any:
    """Return a reference to what is not there within any test; inline, where a task runs when somebody waits, late."""
    return nap.remote(0.2 if world.backend == "inline" else FOR_EVER)


def give_up(*refs: Any) -> None:
    """End tasks; one that is just about to begin may have to be told twice."""
    for ref in refs:
        while not freehold.wait([ref], timeout=0.05)[0]:
            freehold.cancel(ref)


def test_each_is_returned_once_and_is_ready() -> None:
    refs = [freehold.put(1), *[nap.remote(0, number) for number in range(20)], freehold.put(b"x" * 1_000_000)]
    seen = []
    for ref in freehold.as_completed(refs + refs):
        assert freehold.wait([ref], timeout=0) == ([ref], [])
        seen.append(ref)
    assert len(seen) == len(refs) and set(seen) == set(refs)


def test_none_at_all() -> None:
    assert list(freehold.as_completed([])) == []
    assert list(freehold.as_completed(iter(()), ordered=True, timeout=0)) == []


def test_what_is_there_comes_first(world: Any) -> None:
    late, there = never(world), freehold.put(1)
    for ref in freehold.as_completed([late, there]):
        assert ref is there
        break
    give_up(late)


def test_in_the_order_of_completion(world: Any) -> None:
    """A task that takes the value of another one is complete after it."""
    first = nap.remote(0, 1)
    second = nap.remote(0, first)
    refs = [second, first]
    found = list(freehold.as_completed(refs))
    assert set(found) == set(refs)
    if world.backend == "sim":
        freehold.get([nap.remote(0.1) for _ in range(2)])  # two workers are there now
        naps = [nap.remote(seconds) for seconds in (0.3, 0.1)]
        start = time.monotonic()
        assert [(freehold.get(ref), round(time.monotonic() - start, 2)) for ref in freehold.as_completed(naps)] == [
            (0.1, 0.1),
            (0.3, 0.3),
        ]


def test_in_the_order_given() -> None:
    refs = [nap.remote(0.03), nap.remote(0.0), freehold.put(1), nap.remote(0.02)]
    assert list(freehold.as_completed(refs, ordered=True)) == refs


def test_failures_are_returned_like_others() -> None:
    refs = [fail.remote(), nap.remote(0, 3), fail.remote()]
    found = list(freehold.as_completed(refs))
    assert set(found) == set(refs)
    for ref in (refs[0], refs[2]):
        with pytest.raises(KeyError, match="missing"):
            freehold.get(ref)


@pytest.mark.parametrize("ordered", [False, True])
def test_the_time_is_up(world: Any, ordered: bool) -> None:
    there, late = freehold.put(1), never(world)
    loop = freehold.as_completed([there, late], timeout=0.05, ordered=ordered)
    assert next(loop) is there
    with pytest.raises(GetTimeoutError, match=r"1 of 2 objects were not there after 0\.05 s"):
        next(loop)
    give_up(late)


def test_a_timeout_of_nothing_returns_what_is_there(world: Any) -> None:
    there, late = freehold.put(1), never(world)
    found = []
    with pytest.raises(GetTimeoutError):
        for ref in freehold.as_completed([late, there], timeout=0):
            found.append(ref)
    assert found == [there]
    give_up(late)


def test_a_loop_that_ends_early_leaves_nothing(world: Any) -> None:
    late = [never(world) for _ in range(3)]
    for ref in freehold.as_completed([*late, freehold.put(1)]):
        assert freehold.get(ref) == 1
        break
    loop = freehold.as_completed([*late, freehold.put(2)])
    assert freehold.get(next(loop)) == 2
    assert len(loop) == 3
    del loop
    freehold.put(3)  # any call looks at what has died
    assert not world.session.host.listeners and not world.session.worker.requests
    give_up(*late)


def test_each_completion_costs_the_same(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are left: one object is asked for, once, beside the standing request for each."""
    number = 60
    refs = [nap.remote(0.001, index) for index in range(number)]
    host = world.session.host
    wanted: list[int] = []
    tell = host.tell

    def counted(*events: Any) -> None:
        wanted.extend(len(event.objects) for event in events if isinstance(event, GetWanted))
        tell(*events)

    monkeypatch.setattr(host, "tell", counted)
    assert {ref for ref in freehold.as_completed(refs)} == set(refs)
    assert sum(wanted) <= 2 * number, wanted
    assert max(wanted) == 1


def test_in_tasks_more_than_there_are_workers() -> None:
    assert freehold.get([count_inside.remote(12) for _ in range(6)]) == [12] * 6


@pytest.mark.parametrize("given", [5, "text", None, freehold])
def test_of_what_is_no_reference(given: Any) -> None:
    with pytest.raises(TypeError, match="as_completed wants ObjectRefs"):
        freehold.as_completed(given)


def test_of_a_bare_reference() -> None:
    with pytest.raises(TypeError, match="as_completed wants ObjectRefs, not ObjectRef"):
        freehold.as_completed(freehold.put(1))  # type: ignore[arg-type]


def test_with_a_bad_timeout() -> None:
    with pytest.raises(ValueError, match="timeout"):
        freehold.as_completed([freehold.put(1)], timeout=-1)


# ------------------------------------------------------------------ in an event loop


def test_an_asynchronous_loop() -> None:
    async def main() -> list[int]:
        refs = [freehold.put(-1), *[nap.remote(0, number) for number in range(10)], fail.remote()]
        values = []
        async for ref in freehold.as_completed(refs):
            try:
                values.append(await ref)
            except KeyError:
                values.append(100)
        return values

    assert sorted(asyncio.run(main())) == [-1, *range(10), 100]


def test_an_asynchronous_loop_in_the_order_given() -> None:
    async def main() -> bool:
        refs = [nap.remote(0.02), nap.remote(0), freehold.put(1)]
        return [ref async for ref in freehold.as_completed(refs, ordered=True)] == refs

    assert asyncio.run(main())


def test_the_event_loop_does_other_things_meanwhile(world: Any) -> None:
    if world.backend == "inline":
        pytest.skip("a task runs when somebody waits, and keeps the event loop")

    async def main() -> list[str]:
        order = []

        async def other() -> None:
            await asyncio.sleep(0)
            order.append("other")

        side = asyncio.create_task(other())
        async for _ in freehold.as_completed([nap.remote(0.2)]):
            order.append("task")
        await side
        return order

    assert asyncio.run(main()) == ["other", "task"]


def test_the_time_of_an_asynchronous_loop_is_up(world: Any) -> None:
    if world.backend == "inline":
        pytest.skip("a task runs when somebody waits, and so is never late for an event loop")
    there, late = freehold.put(1), never(world)

    async def main() -> None:
        loop = freehold.as_completed([late, there], timeout=0.05)
        assert await anext(loop) is there
        with pytest.raises(GetTimeoutError, match=r"1 of 2 objects were not there after 0\.05 s"):
            await anext(loop)

    asyncio.run(main())
    give_up(late)


def test_an_asynchronous_loop_that_is_cancelled_leaves_nothing(world: Any) -> None:
    if world.backend == "inline":
        pytest.skip("a task runs when somebody waits, and so is never cancelled meanwhile")
    late = never(world)

    async def consume() -> None:
        async for _ in freehold.as_completed([late]):
            pytest.fail("it is never complete")

    async def main() -> None:
        task = asyncio.create_task(consume())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    freehold.put(3)
    assert not world.session.host.listeners and not world.session.worker.requests
    give_up(late)


def test_a_future_that_is_cancelled_leaves_nothing(world: Any) -> None:
    if world.backend == "inline":
        pytest.skip("a future is done as soon as there is one")
    late = never(world)
    assert late.future().cancel()
    freehold.put(3)
    assert not world.session.host.listeners and not world.session.worker.requests
    give_up(late)
