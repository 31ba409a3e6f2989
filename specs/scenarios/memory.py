"""A full object store: an error that says who fills it, never a hang; and what is dropped makes room."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

import freehold
from freehold.exceptions import GetTimeoutError, ObjectStoreFullError, TaskCancelledError
from freehold.specs.scenario import forget, keep, scenario
from freehold.specs.scenarios.gates import Gate

MIB = 2**20
SMALL_STORE = {"object_store_memory": 8 * MIB, "store_wait": 0.2}


def full(call: Any, *args: Any) -> str:
    """Return what a full store says when something is called; "" if it has room."""
    try:
        call(*args)
    except ObjectStoreFullError as error:
        return str(error)
    return ""


def fails(error: type[Exception], refs: list[Any], timeout: float | None = None) -> bool:
    """Tell whether a get raises an error of some kind."""
    try:
        freehold.get(refs, timeout=timeout)
    except error:
        return True
    return False


@scenario(init=SMALL_STORE, returns=[False, False, True, False])
def store_fills_up() -> Any:
    """Three objects of 3 MiB do not fit into 8: the third put says so, and fits when one was dropped."""
    refs, filled = [], []
    for _ in range(2):
        refs.append(freehold.put(bytes(3 * MIB)))
        filled.append(False)
    text = full(freehold.put, bytes(3 * MIB))
    assert "3,145,7" in text and "8,388,608" in text, text
    filled.append(bool(text))
    refs.pop()
    return [*filled, bool(full(freehold.put, bytes(3 * MIB)))]


@scenario(init=SMALL_STORE, returns=60 * 3 * MIB)
def rebinding_in_a_loop() -> Any:
    """A loop rebinds one name to a put, and to a task's result, sixty times as much as fits (ray#31421)."""

    @freehold.remote
    def same(value: bytes) -> bytes:
        return value

    total = 0
    for i in range(60):
        ref = freehold.put(bytes([i]) * (3 * MIB)) if i % 3 else same.remote(bytes([i]) * (3 * MIB))
        value = freehold.get(ref)
        assert value[0] == i
        total += len(value)
    return total


@scenario(init=SMALL_STORE, returns=[True, True, True, "fits"])
def larger_than_the_store() -> Any:
    """A put, a return and an argument are larger than the whole store: an error at once, and the cluster goes on."""

    @freehold.remote
    def make(nbytes: int) -> bytes:
        return bytes(nbytes)

    @freehold.remote
    def use(value: bytes) -> str:
        return "fits"

    errors = [
        full(freehold.put, bytes(9 * MIB)),
        full(lambda: freehold.get(make.remote(9 * MIB))),
        full(use.remote, bytes(9 * MIB)),
    ]
    return [*map(bool, errors), freehold.get(use.remote(bytes(5 * MIB)))]


@scenario(init=SMALL_STORE, returns=(True, 1, False))
def view_keeps_its_bytes() -> Any:
    """An object is dropped while an array still shows its bytes: they are not given away before the array is gone."""
    ref = freehold.put(np.ones(5 * MIB, np.uint8))
    array = freehold.get(ref)
    del ref
    text = full(freehold.put, bytes(5 * MIB))
    byte = int(array.min())
    del array
    return bool(text), byte, bool(full(freehold.put, bytes(5 * MIB)))


@scenario(init=SMALL_STORE, nodes=3, returns=[0, 1, 2, 3, 4, 5])
def copies_of_others_are_evicted() -> Any:
    """Six objects of 3 MiB lie on three nodes, and are read in turn on node 0: what was pulled makes room again."""

    @freehold.remote
    def make(i: int) -> bytes:
        return bytes([i]) * (3 * MIB)

    @freehold.remote(node=0)
    def first(value: bytes) -> int:
        return value[0]

    refs = [make.options(node=1 + i % 2).remote(i) for i in range(4)]
    assert [freehold.get(first.remote(ref)) for ref in refs] == [0, 1, 2, 3]
    refs.append(make.options(node=0).remote(4))
    return [*[freehold.get(first.remote(ref)) for ref in refs], freehold.get(first.remote(b"\5"))]


@scenario(marks=["preempts"], init={"object_store_memory": 8 * MIB, "num_cpus": 3}, nodes=2, returns=[1, 5 * MIB, ""])
def read_while_another_waits_for_room() -> Any:
    """A put waits for the room of a copy that is read; another task reads it, too: that keeps no hold in case."""

    @freehold.remote(node=1)
    def view(refs: list[Any]) -> int:
        array = freehold.get(refs[0])
        viewed.open()
        read.wait()
        return int(array[0])

    @freehold.remote(node=1)
    def look(refs: list[Any]) -> int:
        waits.wait()
        time.sleep(0.05)  # the put is waiting then; if it is not, the results are the same
        nbytes = len(freehold.get(refs[0]))
        read.open()
        return nbytes

    @freehold.remote(node=1)
    def write() -> str:
        viewed.wait()
        waits.open()
        return full(freehold.put, bytes(5 * MIB))

    viewed, waits, read = Gate(), Gate(), Gate()
    large = freehold.put(np.ones(5 * MIB, np.uint8))
    return freehold.get([view.remote([large]), look.remote([large]), write.remote()])


@scenario(init=SMALL_STORE, returns=["AB", "BC", "CD"])
def fits_only_one_after_another() -> Any:
    """Pairs of 3 MiB arguments are passed by value, each pair as much as fits: the last pair's bytes are free."""

    @freehold.remote
    def join(a: bytes, b: bytes) -> str:
        return chr(a[0]) + chr(b[0])

    pairs = [(b"A", b"B"), (b"B", b"C"), (b"C", b"D")]
    return [freehold.get(join.remote(a * (3 * MIB), b * (3 * MIB))) for a, b in pairs]


@scenario(init=SMALL_STORE, returns=(True, 300_000))
def failed_put_leaves_nothing() -> Any:
    """A put that fails holds references inside: they are let go, and readable by whoever still holds them."""
    inner = freehold.put(b"x" * 300_000)
    text = full(freehold.put, [inner, bytes(9 * MIB)])
    return bool(text), len(freehold.get(inner))


def large_there_and_larger_here() -> tuple[Any, Callable[[], int]]:
    """Return a large object on node 2, and a function that needs its room on node 1, where a reference is kept."""

    @freehold.remote(node=2)
    def make() -> bytes:
        return bytes(5 * MIB)

    @freehold.remote(node=1)
    def size(value: bytes) -> int:
        forget("large")
        return len(value)

    return make.remote(), lambda: freehold.get(size.remote(freehold.put(bytes(6 * MIB))))


@scenario(marks=["preempts"], init=SMALL_STORE | {"num_cpus": 1}, nodes=3, returns=(True, 6 * MIB))
def timed_out_get_makes_room() -> Any:
    """A get waits for two objects, of which only a large one comes: when its time is up the copy may be evicted."""

    @freehold.remote(node=0)
    def never() -> None:
        gate.wait()

    @freehold.remote(node=1)
    def read(refs: list[Any]) -> bool:
        keep("large", refs)
        return fails(GetTimeoutError, refs, 0.3)

    gate = Gate()
    large, larger = large_there_and_larger_here()
    late = freehold.get(read.remote([large, never.remote()]))
    gate.open()
    return late, larger()


@scenario(marks=["preempts"], init=SMALL_STORE | {"num_cpus": 1}, nodes=3, returns=(True, 6 * MIB))
def failed_get_makes_room() -> Any:
    """A get waits for an object that is to fail, and for a large one, which comes first: that may be evicted."""

    @freehold.remote(node=0)
    def refuse() -> None:
        gate.wait()
        raise ValueError

    @freehold.remote(node=1)
    def read(refs: list[Any]) -> bool:
        keep("large", refs)
        future = refs[1].future()
        future.add_done_callback(lambda _: gate.open())
        return fails(ValueError, refs)

    gate = Gate()
    large, larger = large_there_and_larger_here()
    failed = freehold.get(read.remote([refuse.remote(), large]))
    return failed, larger()


@scenario(marks=["preempts"], init=SMALL_STORE | {"num_cpus": 1}, nodes=3, returns=(True, 6 * MIB))
def cancelled_task_makes_room() -> Any:
    """A task is cancelled while its large argument is on its way to a worker that has a reference to it, too."""

    @freehold.remote(node=1)
    def hold(refs: list[Any]) -> None:
        keep("large", refs)

    @freehold.remote(node=1)
    def wait_with(value: bytes) -> None:
        gate.wait()

    gate = Gate()
    large, larger = large_there_and_larger_here()
    freehold.get(hold.remote([large]))
    waiting = wait_with.remote(large)
    time.sleep(0.001)  # in simulated time the copy is on its way then; wherever it is, the results are the same
    freehold.cancel(waiting)
    cancelled = fails(TaskCancelledError, [waiting])
    gate.open()
    return cancelled, larger()


@scenario(nodes=2, init={"object_store_memory": 8 * MIB, "num_cpus": 1, "store_wait": 0.2}, returns=(True, 4 * MIB))
def full_once_and_not_for_ever() -> Any:
    """A get finds the store full; its reference goes, comes back in a value when there is room, and can be read."""

    @freehold.remote(node=1)
    def make() -> bytes:
        return bytes(4 * MIB)

    @freehold.remote(node=1)
    def hold(refs: list[Any]) -> bytes:
        keep("large", refs[0])
        return bytes(2 * MIB)

    @freehold.remote(node=1)
    def give() -> list[Any]:
        return [forget("large")]

    large = make.remote()
    freehold.wait([large], fetch_local=False)
    others = [freehold.put(bytes(2 * MIB)) for _ in range(3)]
    filled = bool(full(freehold.get, large))
    held = hold.remote([large])
    del large
    freehold.wait([held], fetch_local=False)
    others.clear()
    (large,) = freehold.get(give.remote())
    return filled, len(freehold.get(large))


@scenario(nodes=2, init={"object_store_memory": 8 * MIB, "num_cpus": 1, "store_wait": 0.0}, returns=6 * MIB)
def nothing_waits_and_what_is_idle_goes() -> Any:
    """A put may not wait for room: the argument of a task that is over, kept in case that runs again, goes at once."""

    @freehold.remote(node=1)
    def longer(value: bytes) -> bytes:
        return value + b"x"

    argument = freehold.put(bytes(4 * MIB))
    result = longer.remote(argument)
    freehold.wait([result], fetch_local=False)
    del argument
    return len(freehold.get(freehold.put(bytes(6 * MIB))))
