"""What cannot be pickled: a TypeError at the call that caused it names the path and the type."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

import freehold
from freehold.exceptions import FreeholdError

pytestmark = pytest.mark.nodes(1)


@freehold.remote
def same(*values, **named):
    return values or named


@dataclass
class Model:
    layers: list[Any]


@pytest.fixture(autouse=True)
def unharmed(world) -> Iterator[None]:
    world.start()
    yield
    assert freehold.get(same.remote(2)) == (2,)
    world.assert_clean("unpicklable values")


class Refuses:
    """Pickling it raises an error of its own."""

    def __reduce__(self):
        raise RuntimeError("not today")


class RefusesToCome:
    """It can be pickled, but not unpickled."""

    def __reduce__(self):
        return _fail, ()


def _fail():
    raise RuntimeError("not here")


BAD = [
    (lambda: threading.Lock(), [], r"lock"),
    (lambda: {"a": [1, threading.Lock()]}, [r"\['a'\]\[1\]"], r"lock"),
    (lambda: Model([1, {"w": (x for x in "a")}]), [r"\.layers\[1\]\['w'\]"], "generator"),
    (lambda: [re.match("a", "a")], [r"\[0\]"], r"re\.Match"),
    (lambda: {"r": Refuses()}, [r"\['r'\]"], "Refuses.*not today"),
]


@pytest.mark.parametrize(("make", "paths", "kind"), BAD)
class TestAValue:
    def test_that_is_put(self, make, paths, kind) -> None:
        with pytest.raises(TypeError, match=".*".join([*paths, kind])):
            freehold.put(make())

    def test_that_is_an_argument(self, make, paths, kind) -> None:
        for call in (lambda: same.remote(1, make()), lambda: same.remote(named=make())):
            with pytest.raises(TypeError, match=".*".join(["same", *paths, kind])):
                call()

    def test_that_is_returned(self, make, paths, kind) -> None:
        ref = freehold.remote(make).remote()
        with pytest.raises(TypeError, match=".*".join([*paths, kind])):
            freehold.get(ref)


def test_an_argument_is_named_as_in_the_call() -> None:
    with pytest.raises(TypeError, match=r"args\[1\]\[0\] is a _thread.lock"):
        same.remote(1, [threading.Lock()])
    with pytest.raises(TypeError, match=r"kwargs\['x'\]\['k'\] is a _thread.lock"):
        same.remote(x={"k": threading.Lock()})


class TestAFunction:
    def test_that_closes_over_a_lock(self) -> None:
        guard = {"guard": threading.Lock()}

        @freehold.remote
        def locked():
            return guard

        with pytest.raises(TypeError, match=r"locked.*guard.*lock"):
            locked.remote()

    def test_with_a_default_that_cannot_be_pickled(self) -> None:
        @freehold.remote
        def locked(guard=threading.Lock()):  # noqa: B008
            return guard

        with pytest.raises(TypeError, match=r"locked.*lock"):
            locked.remote()

    def test_can_be_called_once_it_is_mended(self) -> None:
        guard = {"guard": threading.Lock()}

        @freehold.remote
        def locked():
            return len(guard)

        with pytest.raises(TypeError):
            locked.remote()
        guard.clear()
        assert freehold.get(locked.remote()) == 0


class TestReferencesInside:
    """A call that fails half-way has counted references: they are let go, and stay good elsewhere."""

    def test_a_put(self) -> None:
        ref = freehold.put(1)
        with pytest.raises(TypeError, match="lock"):
            freehold.put([ref, threading.Lock()])
        assert freehold.get(ref) == 1

    def test_arguments(self) -> None:
        ref, large = freehold.put(1), bytes(300_000)
        with pytest.raises(TypeError, match="lock"):
            same.remote(ref, [ref], large, threading.Lock(), named=ref)
        assert freehold.get(ref) == 1

    def test_a_return(self) -> None:
        @freehold.remote
        def give(refs):
            return [refs[0], freehold.put(2), threading.Lock()]

        ref = freehold.put(1)
        with pytest.raises(TypeError, match="lock"):
            freehold.get(give.remote([ref]))
        assert freehold.get(ref) == 1


class TestUnpickling:
    """What can be pickled but not unpickled fails where it is read."""

    def test_here(self) -> None:
        ref = freehold.put(RefusesToCome())
        for _ in range(2):
            with pytest.raises(RuntimeError, match="not here"):
                freehold.get(ref)

    @pytest.mark.parametrize("large", [False, True])
    def test_in_a_task(self, large: bool) -> None:
        value = [RefusesToCome(), bytes(300_000 * large)]
        for ref in (same.remote(value), same.remote(freehold.put(value))):
            with pytest.raises((RuntimeError, FreeholdError), match="not here"):
                freehold.get(ref)

    def test_beside_references(self) -> None:
        """The references inside the value that does not come are let go: the fixture sees to that."""
        for length in (1, 300_000):
            ref = freehold.put([freehold.put(1), RefusesToCome(), bytes(length)])
            with pytest.raises(RuntimeError, match="not here"):
                freehold.get(ref)
