"""Clusters begin and end: in every order, more than once, and with references that outlive them."""

from __future__ import annotations

import asyncio
import gc
import math
from collections.abc import Iterator
from typing import Any

import pytest

import freehold
from freehold.exceptions import SessionError

pytestmark = pytest.mark.nodes(1)


@freehold.remote
def same(value):
    return value


@pytest.fixture(autouse=True)
def no_cluster(world, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test begins and ends without a cluster; one that starts by itself is of the right kind."""
    world.stop()
    monkeypatch.setenv("FREEHOLD_BACKEND", world.backend)
    yield
    freehold.shutdown()
    gc.collect()


class TestInit:
    def test_twice(self, world) -> None:
        freehold.init(**world.options())
        ref = freehold.put(1)
        with pytest.raises(RuntimeError, match="ignore_reinit_error"):
            freehold.init(**world.options())
        freehold.init(**world.options(ignore_reinit_error=True, num_cpus=7))
        assert freehold.get(ref) == 1 and freehold.cluster_resources()["CPU"] == 2

    def test_as_a_context(self, world) -> None:
        with freehold.init(**world.options()) as context:
            assert freehold.is_initialized() and freehold.get(same.remote(1)) == 1
            assert "cluster" in repr(context)
        assert not freehold.is_initialized()

    def test_a_context_ends_after_an_error(self, world) -> None:
        with pytest.raises(KeyError), freehold.init(**world.options()):
            raise KeyError
        assert not freehold.is_initialized()

    def test_disconnect(self, world) -> None:
        freehold.init(**world.options()).disconnect()
        assert not freehold.is_initialized()

    @pytest.mark.parametrize(
        ("argument", "value"),
        [
            ("num_nodes", 0),
            ("num_nodes", -1),
            ("num_nodes", 1.5),
            ("num_nodes", "one"),
            ("num_cpus", 0),
            ("num_cpus", -1),
            ("num_cpus", math.nan),
            ("num_cpus", "two"),
            ("object_store_memory", 0),
            ("object_store_memory", -5),
            ("object_store_memory", "1 GB"),
            ("resources", {"tea": -1}),
            ("resources", {"tea": "much"}),
            ("resources", ["tea"]),
            ("backend", "cloud"),
            ("colour", "red"),
            ("borrow", "steal"),
            ("location", "furthest"),
            ("inline_bytes_max", -1),
            ("inline_bytes_max", "1 kB"),
            ("workers_max", 0),
            ("chunk_bytes", 0),
            ("store_wait", -1),
        ],
    )
    def test_with_a_bad_argument(self, world, argument: str, value) -> None:
        with pytest.raises((TypeError, ValueError), match=argument):
            freehold.init(**world.options(**{argument: value}))
        assert not freehold.is_initialized()
        with freehold.init(**world.options()):
            assert freehold.get(same.remote(1)) == 1

    def test_with_a_name_that_nothing_has(self, world) -> None:
        known = r"'nodes' is neither an argument of init \(backend, num_nodes, .*\) nor a rule \(inline_bytes_max, "
        with pytest.raises(ValueError, match=known):
            freehold.init(**world.options(nodes=3))

    def test_with_rays_arguments(self, world) -> None:
        import logging

        freehold.init(**world.options(logging_level=logging.ERROR, log_to_driver=False, resources={"tea": 2}))
        freehold.init(ignore_reinit_error=True, logging_level=logging.ERROR)
        assert freehold.cluster_resources()["tea"] == 2
        (node,) = freehold.nodes()
        assert node["Alive"] and node["Index"] == 0 and node["Resources"]["CPU"] == 2

    @pytest.mark.parametrize(
        "call",
        [
            lambda: freehold.put(1),
            lambda: same.remote(1),
            lambda: freehold.get([]),
            lambda: freehold.wait([]),
            lambda: freehold.get_runtime_context().get_node_id(),
        ],
    )
    def test_happens_by_itself(self, call) -> None:
        assert not freehold.is_initialized()
        call()
        assert freehold.is_initialized()


class TestShutdown:
    def test_without_a_cluster(self) -> None:
        freehold.shutdown()
        freehold.shutdown()
        assert not freehold.is_initialized()

    def test_twice(self, world) -> None:
        freehold.init(**world.options())
        freehold.shutdown()
        freehold.shutdown()
        assert not freehold.is_initialized()

    def test_with_work_under_way(self, world) -> None:
        freehold.init(**world.options())
        refs = [same.remote(bytes(300_000)) for _ in range(20)]
        freehold.shutdown()
        del refs

    def test_and_start_again(self, world) -> None:
        for i in range(5):
            freehold.init(**world.options())
            assert freehold.get(same.remote(i)) == i
            freehold.shutdown()

    def test_inside_a_task(self, world) -> None:
        """A task that shuts down leaves the cluster, or is refused; the program's cluster goes on."""

        @freehold.remote
        def leave():
            freehold.shutdown()

        freehold.init(**world.options())
        ref = leave.options(max_retries=0).remote()
        freehold.wait([ref])
        assert freehold.get(same.remote(1)) == 1

    def test_from_del(self, world) -> None:
        class Owner:
            def __del__(self) -> None:
                freehold.shutdown()

        freehold.init(**world.options())
        owner = Owner()
        assert freehold.get(same.remote(1)) == 1
        del owner
        assert not freehold.is_initialized()


GONE = r"was shut down|another cluster"
USES = {
    "get": freehold.get,
    "get of a list": lambda ref: freehold.get([ref]),
    "get in time": lambda ref: freehold.get(ref, timeout=1),
    "wait": lambda ref: freehold.wait([ref]),
    "cancel": freehold.cancel,
    "story": freehold.story,
    "explain": freehold.explain,
    "argument": same.remote,
    "nested argument": lambda ref: same.remote([ref]),
    "keyword": lambda ref: same.remote(value=ref),
    "put in a list": lambda ref: freehold.put([ref]),
    "future": lambda ref: ref.future(),
    "await": lambda ref: asyncio.run(_wait_for(ref)),
}


async def _wait_for(ref):
    return await asyncio.wait_for(ref.as_future(), 5)


def references(world) -> list[Any]:
    """Start a cluster; return references to a small, a large, an unfinished and a failed object."""
    freehold.init(**world.options())
    failed = same.options(num_cpus=99).remote(1)
    freehold.wait([failed])
    return [freehold.put(b"x"), freehold.put(bytes(300_000)), same.remote(1), failed]


@pytest.mark.parametrize("use", USES.values(), ids=USES)
class TestReferencesThatOutlivedTheirCluster:
    def test_after_shutdown(self, world, use) -> None:
        refs = references(world)
        freehold.shutdown()
        while refs:
            with pytest.raises((SessionError, TypeError), match="was shut down"):
                use(refs[-1])
            assert "ObjectRef" in repr(refs[-1]) and len(refs.pop().hex()) == 56
        gc.collect()
        assert freehold.get(freehold.put(2)) == 2  # starts a new cluster

    def test_in_the_next_cluster(self, world, use) -> None:
        refs = references(world)
        freehold.shutdown()
        freehold.init(**world.options())
        first = freehold.put(b"the first of this cluster")
        while refs:
            with pytest.raises((SessionError, TypeError), match=GONE):
                use(refs[-1])
            refs.pop()
        gc.collect()
        assert freehold.get([first, same.remote(1)]) == [b"the first of this cluster", 1]


class TestWhatOutlivesItsCluster:
    def test_a_value(self, world) -> None:
        import numpy as np

        freehold.init(**world.options())
        array = freehold.get(freehold.put(np.arange(50_000)))
        freehold.shutdown()
        gc.collect()
        assert array.sum() == 50_000 * 49_999 // 2
        with freehold.init(**world.options()):
            others = [freehold.put(np.zeros(50_000)) for _ in range(3)]
            assert array[-1] == 49_999
            del others

    def test_a_remote_function(self, world) -> None:
        captured = same

        @freehold.remote
        def call(value):
            return freehold.get(captured.remote(value))

        for i in range(3):
            freehold.init(**world.options())
            assert freehold.get(call.remote(i)) == i
            freehold.shutdown()

    def test_a_value_with_references(self, world) -> None:
        freehold.init(**world.options())
        value = freehold.get(freehold.put([freehold.put(1)]))
        freehold.shutdown()
        with freehold.init(**world.options()), pytest.raises((SessionError, TypeError), match=GONE):
            freehold.put(value)
        del value

    def test_a_function_that_closes_over_a_reference(self, world) -> None:
        freehold.init(**world.options())
        ref = freehold.put(1)

        @freehold.remote
        def read():
            return freehold.get(ref)

        assert freehold.get(read.remote()) == 1
        freehold.shutdown()
        freehold.init(**world.options())
        with pytest.raises((SessionError, TypeError), match=GONE):
            read.remote()
