"""Things that happen while others are under way: whoever goes first, the results are the same."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import freehold
from freehold.exceptions import GetTimeoutError, TaskCancelledError, WorkerCrashedError
from freehold.specs.scenario import scenario
from freehold.specs.scenarios.gates import Gate

MIB = 2**20


@scenario(returns=["lent", 200_000, "later"])
def impatient_borrowers() -> Any:
    """Borrowers ask for small, large and unfinished objects, give up at once, and ask again."""

    @freehold.remote
    def later() -> str:
        time.sleep(0.05)
        return "later"

    @freehold.remote
    def peek(refs: list[Any]) -> int:
        for ref in refs * 2:
            with suppress(GetTimeoutError):
                freehold.get(ref, timeout=0)
        return len(freehold.wait(refs, timeout=0))

    refs = [freehold.put("lent"), freehold.put(bytes(200_000)), later.remote()]
    freehold.get([peek.remote(refs) for _ in range(6)])
    small, large, late = freehold.get(refs)
    return [small, len(large), late]


@scenario(returns=[True] * 8)
def borrowers_die_while_they_ask() -> Any:
    """Borrowers ask for small, large and unfinished objects and exit before they are answered."""

    @freehold.remote
    def later() -> str:
        time.sleep(0.05)
        return "later"

    @freehold.remote(max_retries=0)
    def ask(refs: list[Any]) -> None:
        for ref in refs:
            ref.future()
        raise SystemExit

    died = []
    for _ in range(4):
        pending = [ask.remote([freehold.put("lent"), freehold.put(bytes(200_000)), later.remote()]) for _ in range(2)]
        for ref in pending:
            try:
                freehold.get(ref)
            except WorkerCrashedError:
                died.append(True)
    return died


@scenario(nodes=3, returns=[True, 500_000])
def borrower_dies_while_it_fetches() -> Any:
    """A borrower on another node asks for a large object and exits while the copy is on its way."""

    @freehold.remote(node=2, max_retries=0)
    def ask(refs: list[Any]) -> None:
        refs[0].future()
        freehold.wait(refs, timeout=0)
        raise SystemExit

    ref = freehold.put(bytes(500_000))
    try:
        freehold.get(ask.remote([ref]))
    except WorkerCrashedError:
        return [True, len(freehold.get(ref))]


@scenario(nodes=3, init={"num_cpus": 1, "quick_seconds": 60.0, "slow_seconds": 60.0}, returns=[2 * MIB] * 4)
def two_tasks_fetch_one_object() -> Any:
    """Tasks that queue on one worker want one large object of another node: it is pulled once, for all of them."""

    @freehold.remote(node=1)
    def make() -> bytes:
        return bytes(2 * MIB)

    @freehold.remote(node=2)
    def size(value: bytes) -> int:
        return len(value)

    freehold.get(size.remote(b"x"))
    ref = make.remote()
    return freehold.get([size.remote(ref) for _ in range(4)])


@scenario(
    marks=["preempts"],
    init={"num_cpus": 1, "quick_seconds": 60.0, "slow_seconds": 60.0},
    returns=["TaskCancelledError"] * 3,
)
def cancel_in_the_queue_of_a_worker() -> Any:
    """Tasks queue on the worker where another still runs, and are cancelled there, by force and without."""

    begun, gate = Gate(), Gate()

    @freehold.remote(node=0)
    def work(word: str) -> str:
        if word == "first":
            begun.open()
            gate.wait()
        return word

    freehold.get(work.remote("quick"))
    first = work.remote("first")
    rest = [work.remote("queued") for _ in range(3)]
    begun.wait()
    freehold.wait([first], timeout=0.05)
    found = []
    for ref, force in zip(rest, (False, True, False), strict=True):
        freehold.cancel(ref, force=force)
    for ref in rest:
        try:
            found.append(str(freehold.get(ref)))
        except TaskCancelledError as error:
            found.append(type(error).__name__)
    gate.open()
    assert freehold.get(first) == "first"
    return found


@scenario(marks=["preempts"], init={"object_store_memory": 8 * MIB, "num_cpus": 3}, returns=[5 * MIB] * 3)
def puts_wait_for_room() -> Any:
    """Three tasks each put more than half the store, and drop it after a while: each waits for the one before."""

    @freehold.remote(node=0)
    def hold() -> int:
        ref = freehold.put(bytes(5 * MIB))
        time.sleep(0.1)
        return len(freehold.get(ref))

    return freehold.get([hold.remote() for _ in range(3)])


@scenario(nodes=3, init={"object_store_memory": 16 * MIB, "num_cpus": 3}, returns=[6 * MIB] * 4)
def arguments_wait_for_their_turn() -> Any:
    """Four tasks want three arguments each of another node, all together more than the store: they take turns."""

    @freehold.remote
    def size(*values: bytes) -> int:
        return sum(map(len, values))

    @freehold.remote
    def make(i: int) -> bytes:
        return bytes([i]) * (2 * MIB)

    refs = [make.options(node=1 + i % 2).remote(i) for i in range(12)]
    return freehold.get([size.options(node=0).remote(*refs[i : i + 3]) for i in range(0, 12, 3)])


@scenario(returns=["ValueError", "ValueError", 2])
def known_failure_is_passed_on() -> Any:
    """A failure that the program knows is passed on as an argument, alone and beside a good one, and in a list."""

    @freehold.remote
    def fail() -> None:
        raise ValueError

    @freehold.remote
    def use(value: Any, more: Any = None) -> int:
        return len(value)

    ref, found = fail.remote(), []
    freehold.wait([ref])
    for result in (use.remote(ref), use.remote("xy", ref)):
        try:
            freehold.get(result)
        except ValueError as error:
            found.append(type(getattr(error, "original", error)).__name__)
    return [*found, freehold.get(use.remote([ref, ref]))]


@scenario(returns=[300_000] * 20)
def dropped_while_it_is_made() -> Any:
    """References to large results are dropped at every moment of their making; those that are kept are whole."""

    @freehold.remote
    def make() -> bytes:
        return bytes(300_000)

    kept = []
    for i in range(20):
        dropped = make.remote()
        kept.append(make.remote())
        freehold.wait([dropped], timeout=0.0005 * (i % 5))
        del dropped
    return [len(value) for value in freehold.get(kept)]


@scenario(marks=["preempts"], init={"num_cpus": 1}, returns=["slow", "quick", "quick", "quick"])
def slow_task_keeps_nobody_waiting() -> Any:
    """A task that was quick so far takes long: those that queue behind it on its worker go elsewhere, and are done."""

    @freehold.remote
    def work(seconds: float) -> str:
        time.sleep(seconds)
        return "slow" if seconds else "quick"

    freehold.get([work.remote(0) for _ in range(10)])
    refs = [work.remote(0.3), *[work.remote(0) for _ in range(3)]]
    return freehold.get(refs)
