"""Waiting: timeouts of get and wait, what counts as ready, and in which order."""

from __future__ import annotations

import time
from typing import Any

import freehold
from freehold.exceptions import GetTimeoutError
from freehold.specs.scenario import scenario
from freehold.specs.scenarios.gates import Gate


def slow(value: Any, seconds: float = 0.5) -> Any:
    """Return the reference of a task that takes some time."""

    @freehold.remote
    def later() -> Any:
        time.sleep(seconds)
        return value

    return later.remote()


def times_out(ref: Any, timeout: float) -> bool:
    """Tell whether a get runs out of time."""
    try:
        freehold.get(ref, timeout=timeout)
    except GetTimeoutError as error:
        return isinstance(error, TimeoutError)
    return False


@scenario(returns=(True, 1))
def get_runs_out_of_time() -> Any:
    """A get with a timeout gives up; the task goes on, and a later get has the value."""
    ref = slow(1)
    return times_out(ref, 0.05), freehold.get(ref)


@scenario(marks=["virtual"], returns=(True, 6.0, 42))
def ten_seconds_and_six() -> Any:
    """The tutorial's: a task of ten seconds, a get of six, in simulated time to the hundredth."""
    ref, start = slow(42, 10), time.monotonic()
    late = times_out(ref, 6)
    passed = time.monotonic() - start
    return late, round(passed, 2), freehold.get(ref)


@scenario(returns=(True, False, 7, False))
def get_without_any_time() -> Any:
    """A get with timeout 0 takes what is there, and gives up at once on what is not."""
    ref = slow(7)
    ready = freehold.put(b"x" * 300_000)
    first = times_out(ref, 0), times_out(ready, 0)
    return *first, freehold.get(ref), times_out(ref, 0)


@scenario(returns=[1, 2, 3])
def get_with_all_the_time() -> Any:
    """Timeouts of -1 and None wait for ever; a long one has no effect."""
    return [
        freehold.get(slow(1, 0.05), timeout=-1),
        freehold.get(slow(2, 0.05)),
        freehold.get(slow(3, 0.05), timeout=60),
    ]


@scenario(returns=(True, [1, 2], True))
def get_of_many_runs_out_of_time() -> Any:
    """Of three objects one is late: the whole get gives up, and the others can be had."""
    refs = [freehold.put(1), freehold.put(2), slow(3)]
    return times_out(refs, 0.02), freehold.get(refs[:2]), freehold.get(refs[2]) == 3


@scenario(marks=["preempts"], returns=(True, 5))
def borrower_runs_out_of_time() -> Any:
    """A borrower's get gives up on an unfinished object; what it had asked of the owner is withdrawn."""
    gate = Gate()

    @freehold.remote
    def later() -> int:
        gate.wait()
        return 5

    @freehold.remote
    def peek(refs: list[Any]) -> bool:
        return times_out(refs[0], 0.02)

    ref = later.remote()
    late = freehold.get(peek.remote([ref]))
    gate.open()
    return late, freehold.get(ref)


@scenario(returns=([1, 3], [0, 2, 4]))
def order_of_a_wait() -> Any:
    """Two of five are wanted, all are there: the first two in the order of the list."""
    refs = [freehold.put(i) for i in range(5)]
    given = [refs[i] for i in (1, 3, 0, 2, 4)]
    ready, rest = freehold.wait(given, num_returns=2)
    return freehold.get(ready), freehold.get(rest)


@scenario(returns=([], 2, [0, 1], 0))
def wait_without_any_time() -> Any:
    """A wait with timeout 0 finds nothing ready; one without a timeout finds everything."""
    refs = [slow(0), slow(1)]
    ready, rest = freehold.wait(refs, num_returns=2, timeout=0)
    all_ready, none = freehold.wait(refs, num_returns=2)
    return ready, len(rest), freehold.get(all_ready), len(none)


@scenario(returns=(1, 1, True))
def wait_runs_out_of_time() -> Any:
    """A wait for two gets one in its time, and returns it."""
    ready, rest = freehold.wait([slow(0), freehold.put(1)], num_returns=2, timeout=0.02)
    return len(ready), len(rest), freehold.get(ready) == [1]


@scenario(marks=["preempts"], init={"num_cpus": 2}, returns=["fast", "slow"])
def fastest_first() -> Any:
    """Of a slow and a fast task the fast one is ready first, though it was submitted last."""
    gate = Gate()

    @freehold.remote
    def later() -> str:
        gate.wait()
        return "slow"

    refs, words = [later.remote(), slow("fast", 0.01)], []
    while refs:
        (ready,), refs = freehold.wait(refs)
        words.append(freehold.get(ready))
        gate.open()
    return words


@scenario(returns=([], []))
def wait_for_nothing() -> Any:
    """A wait for an empty list returns two empty lists."""
    return freehold.wait([])


@scenario(returns=(2, 0, True))
def failed_is_ready() -> Any:
    """A failed object counts as ready."""

    @freehold.remote
    def fail() -> None:
        raise ValueError("x")

    ready, rest = freehold.wait([fail.remote(), freehold.put(1)], num_returns=2)
    return len(ready), len(rest), freehold.get(ready[1]) == 1


@scenario(nodes=3, returns=(1, 1, 500_000))
def wait_without_fetching() -> Any:
    """A large object on another node is ready, without being fetched, once it exists; then it is fetched."""

    @freehold.remote(node=2)
    def make() -> bytes:
        return b"x" * 500_000

    ref = make.remote()
    there, _ = freehold.wait([ref], fetch_local=False)
    here, _ = freehold.wait([ref])
    return len(there), len(here), len(freehold.get(ref))


@scenario(returns=[1, 1, 300_000])
def borrower_waits_again_without_fetching() -> Any:
    """A task waits twice until a borrowed object exists: the second time it knows already; then it reads it."""

    @freehold.remote
    def look(refs: list[Any]) -> Any:
        found = [len(freehold.wait(refs, fetch_local=False)[0]) for _ in range(2)]
        return [*found, len(freehold.get(refs[0]))]

    return freehold.get(look.remote([freehold.put(b"x" * 300_000)]))


@scenario(nodes=3, init={"object_store_memory": 8 * 2**20}, returns=[1, 1, 1, 3 * 2**20])
def ready_when_its_copy_had_to_go() -> Any:
    """A borrower's node wants the room of a copy back: the object is as ready as before, and can be fetched again."""

    @freehold.remote(node=2)
    def look(refs: list[Any]) -> Any:
        def ready() -> int:
            return len(freehold.wait(refs, timeout=0, fetch_local=False)[0])

        freehold.get(refs[0])
        found = [ready()]
        others = [freehold.put(bytes(3 * 2**20)) for _ in range(2)]
        found.append(ready())
        del others
        return [*found, ready(), len(freehold.get(refs[0]))]

    return freehold.get(look.remote([freehold.put(bytes(3 * 2**20))]))


@scenario(returns=[(4, 0), (2, 2), (4, 0), (4, 0)])
def borrower_waits() -> Any:
    """A task waits for borrowed references to large and small objects, one of them unfinished, with fetching."""
    refs = [freehold.put(b"x" * 300_000), freehold.put("small"), freehold.put(b"y" * 300_000), slow(4)]

    @freehold.remote
    def count(refs: list[Any], needed: int, timeout: float | None) -> Any:
        ready, rest = freehold.wait(refs, num_returns=needed, timeout=timeout)
        return len(ready), len(rest)

    calls = [count.remote(refs, needed, timeout) for needed, timeout in ((4, None), (2, None), (4, 30))]
    first = freehold.get(calls)
    return [*first, freehold.get(count.remote(refs, 4, 0.5))]


@scenario(returns=[(4, 0), (1, 3), (4, 0)])
def borrower_waits_without_fetching() -> Any:
    """The same, but it is enough that the objects exist."""
    refs = [slow(4), freehold.put(b"x" * 300_000), freehold.put("small"), freehold.put(b"y" * 300_000)]

    @freehold.remote
    def count(refs: list[Any], needed: int) -> Any:
        ready, rest = freehold.wait(refs, num_returns=needed, timeout=30, fetch_local=False)
        return len(ready), len(rest)

    return [freehold.get(count.remote(refs, needed)) for needed in (4, 1, 4)]


@scenario(returns=(45, 10))
def pipeline() -> Any:
    """Results are taken as they come, one wait each, while two more are always under way."""

    @freehold.remote
    def same(i: int) -> int:
        return i

    todo, running, done = list(range(10)), [same.remote(0)], []
    while running:
        running += [same.remote(todo.pop()) for _ in range(min(3 - len(running), len(todo) - 1)) if len(todo) > 1]
        ready, running = freehold.wait(running)
        done += freehold.get(ready)
    return sum(done), len(done)


@scenario(returns=[True, True, 1])
def abandoned_gets() -> Any:
    """Several gets and waits of one object give up, one after another; the last one gets it."""
    ref = slow(1)
    given_up = times_out([ref, ref], 0.01)
    waited = freehold.wait([ref], timeout=0.01) == ([], [ref]) or freehold.get(ref) == 1
    return [given_up, waited, freehold.get(ref)]
