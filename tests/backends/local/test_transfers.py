"""Bytes between nodes and within small stores: whatever happens on the way, a value is right or an error says why."""

from __future__ import annotations

import gc
import hashlib
import random
import threading
import time
from typing import Any

import numpy as np
import pytest

import freehold
from freehold.core import cluster, serde
from freehold.exceptions import GetTimeoutError, ObjectStoreFullError

pytestmark = [pytest.mark.local, pytest.mark.slow, pytest.mark.timeout(100)]
CHUNK = 2**16
MIB = 2**20


def made(seed: int, nbytes: int) -> bytes:
    return random.Random(seed).randbytes(nbytes)


@freehold.remote
def make(seed: int, nbytes: int) -> bytes:
    return made(seed, nbytes)


@freehold.remote
def digest(value: bytes) -> str:
    return hashlib.sha256(value).hexdigest()


def digest_of(seed: int, nbytes: int) -> str:
    return hashlib.sha256(made(seed, nbytes)).hexdigest()


def assert_clean(eventually: Any) -> None:
    gc.collect()
    host: Any = cluster.engine().host
    eventually(lambda: not host.census())
    assert host.census() == []


def test_sizes_around_the_chunks_bounds(watch, eventually) -> None:
    """From one node to another, on to a third, and back."""
    freehold.init(num_nodes=3, num_cpus=1, chunk_bytes=CHUNK, inline_bytes_max=1000)
    extra = serde.serialize(bytes(CHUNK)).nbytes - CHUNK
    window = 4 * CHUNK  # as much as is asked for at once
    bounds = [1001, CHUNK, 2 * CHUNK, window - CHUNK, window, window + CHUNK, 3 * window]
    sizes = [bound + delta - extra for bound in bounds for delta in (-1, 0, 1)]
    refs = [make.options(node=1).remote(size, size) for size in sizes]
    there = [digest.options(node=2).remote(ref) for ref in refs]
    for size, ref, far in zip(sizes, refs, there, strict=True):
        assert freehold.get(ref) == made(size, size)
        assert freehold.get(far) == digest_of(size, size)
        back = digest.options(node=1).remote(freehold.put(made(size + 1, size)))
        assert freehold.get(back) == digest_of(size + 1, size)
    del refs, ref, there, far, back
    assert_clean(eventually)


def test_transfers_that_are_called_off(watch, eventually) -> None:
    """A get that gives up in the middle leaves nothing; a later one gets everything."""
    freehold.init(num_nodes=2, num_cpus=2, chunk_bytes=CHUNK, object_store_memory=64 * MIB)
    dice = random.Random(5)
    early = 0
    for seed in range(30):
        ref = make.options(node=1).remote(seed, 6 * MIB)
        freehold.wait([ref], fetch_local=False)
        for timeout in (*[dice.uniform(0, 0.01) for _ in range(dice.randrange(5))], 30):
            try:
                value = freehold.get(ref, timeout=timeout)
            except GetTimeoutError:
                early += 1
                continue
            assert hashlib.sha256(value).hexdigest() == digest_of(seed, 6 * MIB)
            del value
            if dice.random() < 0.5:
                break
        del ref
    assert early > 15
    assert_clean(eventually)


def test_drops_amid_transfers(watch, eventually) -> None:
    """References die while what they stand for is on its way; the room is used again for others at once."""
    freehold.init(num_nodes=3, num_cpus=2, chunk_bytes=CHUNK, object_store_memory=64 * MIB)
    dice = random.Random(6)
    for seed in range(30):
        refs = [make.options(node=1 + seed % 2).remote(seed * 10 + i, 4 * MIB) for i in range(4)]
        freehold.wait(refs, num_returns=4, fetch_local=False)
        waiting = [threading.Thread(target=freehold.wait, args=(refs,), kwargs={"timeout": dice.uniform(0, 0.02)})]
        waiting[0].start()
        kept = dice.randrange(4)
        chosen = refs[kept]
        del refs
        waiting[0].join()
        assert hashlib.sha256(freehold.get(chosen)).hexdigest() == digest_of(seed * 10 + kept, 4 * MIB)
        del chosen, waiting
    assert_clean(eventually)


def test_many_pulls_at_once(watch, eventually) -> None:
    """Eight threads and the tasks of three nodes pull forty objects in all directions."""
    freehold.init(num_nodes=3, num_cpus=2, chunk_bytes=CHUNK, object_store_memory=256 * MIB)
    sizes = [150_000 + 37_000 * number for number in range(40)]
    refs = [make.options(node=number % 3).remote(number, size) for number, size in enumerate(sizes)]
    wrong: list[int] = []

    def pull(order: list[int]) -> None:
        for number in order:
            if freehold.get(refs[number]) != made(number, sizes[number]):
                wrong.append(number)

    orders = [random.Random(seed).sample(range(40), 40) for seed in range(8)]
    threads = [threading.Thread(target=pull, args=(order,)) for order in orders]
    for thread in threads:
        thread.start()
    digests = [digest.options(node=(number + 1) % 3).remote(ref) for number, ref in enumerate(refs)]
    assert freehold.get(digests) == [digest_of(number, size) for number, size in enumerate(sizes)]
    for thread in threads:
        thread.join()
    assert wrong == []
    del refs, digests, pull
    assert_clean(eventually)


def test_a_small_store_evicts_what_can_be_had_again(watch, eventually) -> None:
    """Thirty times what the head node's store holds is pulled into it; primary copies lie on the other node."""
    freehold.init(num_nodes=1, num_cpus=1, object_store_memory=8 * MIB, chunk_bytes=CHUNK)
    more = cluster.engine().host.add_node({"CPU": 1.0}, 300 * MIB)
    assert more
    refs = [make.options(node=1).remote(seed, MIB) for seed in range(240)]
    for _ in range(2):
        for seed in random.Random(7).sample(range(240), 240):
            assert freehold.get(refs[seed]) == made(seed, MIB)
    del refs
    assert_clean(eventually)


def test_a_full_store_says_who_fills_it_and_serves_again(watch, eventually) -> None:
    freehold.init(num_cpus=2, object_store_memory=8 * MIB, store_wait=0.2)
    kept = [freehold.put(np.full(MIB // 8, number)) for number in range(7)]
    with pytest.raises(ObjectStoreFullError) as caught:
        freehold.put(bytes(2 * MIB))
    assert f"{8 * MIB:,}" in str(caught.value) and "largest" in str(caught.value)
    with pytest.raises(ObjectStoreFullError):
        freehold.put(bytes(9 * MIB))
    with pytest.raises(ObjectStoreFullError):
        freehold.get(make.remote(1, 3 * MIB))
    views = [freehold.get(ref) for ref in kept]
    del kept
    with pytest.raises(ObjectStoreFullError):  # views hold it as well as references do
        freehold.put(bytes(2 * MIB))
    assert [int(view[0]) for view in views] == list(range(7))
    del views, caught
    gc.collect()
    assert freehold.get(freehold.put(made(1, 6 * MIB))) == made(1, 6 * MIB)
    assert_clean(eventually)


def test_creates_wait_for_room(watch, eventually) -> None:
    """Eight threads put five times what fits, and drop it: each waits for the others, and nobody fails."""
    freehold.init(num_cpus=1, object_store_memory=8 * MIB, store_wait=60.0)
    wrong: list[BaseException] = []

    def fill(seed: int) -> None:
        try:
            for number in range(12):
                value = made(seed * 100 + number, 2 * MIB - seed * 1000)
                ref = freehold.put(value)
                time.sleep(0.001 * (seed % 3))
                assert freehold.get(ref) == value
                del ref
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=fill, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert_clean(eventually)


def test_a_store_under_pressure_from_all_sides(watch, eventually) -> None:
    """Tasks return, arguments are pulled, the program puts and drops: three stores of a few objects each."""
    freehold.init(num_nodes=3, num_cpus=2, object_store_memory=10 * MIB, store_wait=30.0, chunk_bytes=CHUNK)
    dice = random.Random(8)
    for round_ in range(40):
        size = dice.choice((150_000, 600_000, MIB))
        seeds = [round_ * 10 + number for number in range(4)]
        refs = [make.options(node=dice.randrange(3)).remote(seed, size) for seed in seeds[:3]]
        refs.append(freehold.put(made(seeds[3], size)))
        digests = [digest.options(node=dice.randrange(3)).remote(ref) for ref in refs]
        assert freehold.get(digests, timeout=60) == [digest_of(seed, size) for seed in seeds]
        assert freehold.get(refs[dice.randrange(4)], timeout=60)
        del refs, digests
    assert_clean(eventually)
