"""Cancelling: what has not begun never runs, what runs is interrupted, what is over stays."""

from __future__ import annotations

import time
from typing import Any

import freehold
from freehold.exceptions import GetTimeoutError, TaskCancelledError, WorkerCrashedError
from freehold.specs.scenario import scenario
from freehold.specs.scenarios.gates import Gate


def outcome(ref: Any) -> Any:
    """Return a value, or the name of what a get raises for a cancelled task."""
    try:
        return freehold.get(ref, timeout=20)
    except (TaskCancelledError, WorkerCrashedError, GetTimeoutError) as error:
        return type(error).__name__


@scenario(init={"num_cpus": 1}, returns=("TaskCancelledError", "done", False))
def cancel_before_the_start() -> Any:
    """A task queued behind another on the only CPU is cancelled: it never runs, the other does."""
    ran = Gate()

    @freehold.remote(node=0)
    def first() -> str:
        time.sleep(0.4)
        return "done"

    @freehold.remote(node=0)
    def second() -> None:
        ran.open()

    ahead = first.remote()
    ref = second.remote()
    freehold.cancel(ref)
    return outcome(ref), outcome(ahead), ran.is_open()


@scenario(returns=("TaskCancelledError", "TaskCancelledError", 5))
def cancel_while_arguments_are_awaited() -> Any:
    """A task that waits for its argument is cancelled, and so fails what depends on it; the argument comes."""

    @freehold.remote
    def slow() -> int:
        time.sleep(0.4)
        return 5

    @freehold.remote
    def use(value: int) -> int:
        return value + 1

    argument = slow.remote()
    ref = use.remote(argument)
    dependent = use.remote(ref)
    freehold.cancel(ref)
    return outcome(ref), outcome(dependent), outcome(argument)


@scenario(marks=["preempts"], returns=("TaskCancelledError", "interrupted"))
def cancel_while_it_runs() -> Any:
    """A task that sleeps is cancelled: it is interrupted, and can clean up before it ends."""
    begun, never, interrupted = Gate(), Gate(), Gate()

    @freehold.remote
    def sleep() -> None:
        try:
            begun.open()
            never.wait()
        except KeyboardInterrupt:
            interrupted.open()
            raise

    ref = sleep.remote()
    begun.wait()
    freehold.cancel(ref)
    return outcome(ref), "interrupted" if interrupted.is_open() else ""


@scenario(marks=["preempts"], returns=("TaskCancelledError", 1))
def cancel_while_it_waits() -> Any:
    """A task that waits in a get for another is cancelled; the other goes on."""

    begun, gate = Gate(), Gate()

    @freehold.remote
    def slow() -> int:
        gate.wait()
        return 1

    @freehold.remote
    def read(refs: list[Any]) -> Any:
        begun.open()
        return freehold.get(refs[0])

    awaited = slow.remote()
    ref = read.remote([awaited])
    begun.wait()
    freehold.wait([ref], timeout=0.02)
    freehold.cancel(ref)
    found = outcome(ref)
    gate.open()
    return found, outcome(awaited)


@scenario(returns=(1, 1))
def cancel_after_the_end() -> Any:
    """A finished task is cancelled, gently and by force: its value stays."""

    @freehold.remote
    def one() -> int:
        return 1

    ref = one.remote()
    first = outcome(ref)
    freehold.cancel(ref)
    freehold.cancel(ref, force=True)
    return first, outcome(ref)


@scenario(marks=["preempts"], returns=("WorkerCrashedError", "after"))
def cancel_by_force() -> Any:
    """A task that ignores interrupts is cancelled by force: its worker is ended, it is not retried, others run on."""

    begun = Gate()

    @freehold.remote
    def stubborn(seconds: float) -> str:
        begun.open()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                time.sleep(0.02)
            except KeyboardInterrupt:
                continue
        return "after"

    ref = stubborn.remote(15)
    begun.wait()
    freehold.cancel(ref, force=True)
    return outcome(ref), outcome(stubborn.remote(0))


@scenario(marks=["preempts"], init={"num_cpus": 1}, returns=("cancelled", "TaskCancelledError"))
def cancel_by_a_borrower() -> Any:
    """A task cancels, by a borrowed reference, a task of its caller that has not begun: the owner sees to it."""

    gate = Gate()

    @freehold.remote(num_cpus=0)
    def wait() -> None:
        gate.wait()

    @freehold.remote
    def victim(_: Any) -> int:
        return 2

    @freehold.remote
    def stop(refs: list[Any]) -> str:
        freehold.cancel(refs[0])
        return "cancelled"

    ref = victim.remote(wait.remote())
    said = freehold.get(stop.remote([ref]))
    gate.open()
    return said, outcome(ref)


@scenario(returns=("put", ["TaskCancelledError"] * 3))
def cancel_of_a_put_and_of_many_returns() -> Any:
    """An object that was put has no task to cancel; cancelling one return cancels the task of all."""

    @freehold.remote(num_returns=3)
    def three(_: Any) -> Any:
        return 1, 2, 3

    ref = freehold.put("put")
    freehold.cancel(ref)
    refs = three.remote(freehold.remote(time.sleep).remote(0.4))
    freehold.cancel(refs[1])
    return outcome(ref), [outcome(r) for r in refs]


@scenario(returns=["TaskCancelledError"] * 2)
def cancel_twice() -> Any:
    """A task that has not begun is cancelled three times, in two ways: it is cancelled once."""

    @freehold.remote
    def one(_: Any) -> int:
        return 1

    ref = one.remote(freehold.remote(time.sleep).remote(0.4))
    for force in (False, False, True):
        freehold.cancel(ref, force=force)
    return [outcome(ref), outcome(ref)]


@scenario(marks=["virtual"], nodes=3, init={"chunk_bytes": 65_536, "chunks_in_flight": 1}, returns=[True, False])
def cancel_while_it_fetches() -> Any:
    """A task was sent to another node, which fetches its argument in small chunks, when it is cancelled: it never runs.

    On a real cluster the copy could be there sooner than the cancel.
    """
    ran = Gate()

    @freehold.remote(node=1)
    def read(value: bytes) -> None:
        ran.open()

    ref = read.remote(freehold.put(bytes(40 * 2**20)))
    freehold.wait([ref], timeout=0.005)
    freehold.cancel(ref)
    cancelled = outcome(ref) == "TaskCancelledError"
    time.sleep(1)
    return [cancelled, ran.is_open()]
