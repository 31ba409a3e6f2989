"""wait, again and again on ever fewer references: each is asked for once, and nothing is left behind."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import freehold
from freehold.core import cluster
from freehold.exceptions import GetTimeoutError

pytestmark = pytest.mark.nodes(1)


@freehold.remote
def same(value: Any) -> Any:
    return value


@freehold.remote
def fail() -> None:
    raise ValueError("on purpose")


@freehold.remote
def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@pytest.fixture(autouse=True)
def clean(world: Any) -> Iterator[None]:
    """Every test has a cluster, and leaves nothing in it, not even a request."""
    world.start()
    yield
    if freehold.is_initialized():
        world.assert_clean("a wait")


def standing() -> dict[int, int]:
    session = cluster.active
    assert session is not None
    return session.waits.standing


def take_all(refs: list[Any]) -> list[Any]:
    """Take references as they are ready, one at a time."""
    taken = []
    while refs:
        ready, refs = freehold.wait(refs)
        assert len(ready) == 1
        taken += ready
    return taken


def test_many_one_by_one(world: Any) -> None:
    refs = [same.remote(index) for index in range(200)]
    assert sorted(freehold.get(take_all(list(refs)))) == list(range(200))
    assert not standing()


def test_failures_values_and_puts_are_ready_like_others(world: Any) -> None:
    refs = [fail.remote(), freehold.put(1), same.remote(2), fail.remote(), same.remote(bytes(200_000))]
    random.Random(1).shuffle(refs)
    assert set(take_all(list(refs))) == set(refs)
    assert not standing()


def test_what_is_waited_for_and_dropped_leaves_nothing_behind(world: Any) -> None:
    refs = [nap.remote(0.05) for _ in range(5)]
    freehold.wait(refs, timeout=0)
    freehold.wait(refs, timeout=0.001)
    ready, refs = freehold.wait(refs)
    del ready, refs
    freehold.get(same.remote(1))  # whatever died is told of now
    assert not standing()


def test_a_time_that_passes_is_no_error_and_the_next_call_finds_its_request(world: Any) -> None:
    refs = [nap.remote(0.4), nap.remote(0.4)]
    if world.backend != "inline":  # where a task is run when it is waited for
        assert freehold.wait(refs, timeout=0.01) == ([], refs)
    assert set(take_all(list(refs))) == set(refs)
    with pytest.raises(GetTimeoutError):
        freehold.get(nap.remote(0.2), timeout=0.01)
    assert not standing()


def test_threads_wait_for_the_same_references(world: Any) -> None:
    if world.backend != "local":
        pytest.skip("its threads wait one after the other")
    refs = [nap.remote(0.001 * (index % 7)) for index in range(60)]
    taken: list[list[Any]] = [[] for _ in range(3)]
    threads = [threading.Thread(target=lambda mine=mine: mine.extend(take_all(list(refs)))) for mine in taken]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [set(mine) for mine in taken] == [set(refs)] * 3
    assert not standing()
