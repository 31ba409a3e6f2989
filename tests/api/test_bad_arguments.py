"""Bad input: the call that is wrong says what was given and what is wanted, and the cluster is unharmed."""

from __future__ import annotations

import math
import pickle
import re
from collections.abc import Iterator
from typing import Any

import cloudpickle
import pytest

import freehold
from freehold.exceptions import GetTimeoutError, NotSupported, OutOfBandReferenceError, TaskUnschedulableError

pytestmark = pytest.mark.nodes(1)


@freehold.remote
def same(value):
    return value


@pytest.fixture(autouse=True)
def unharmed(world) -> Iterator[None]:
    """Every test has a cluster, and leaves it as good as it was."""
    world.start()
    yield
    assert freehold.get(same.remote(2)) == 2
    world.assert_clean("bad arguments")


class TestGet:
    @pytest.mark.parametrize("given", [5, "text", None, {}, set(), object, iter([]), same])
    def test_of_what_is_no_reference(self, given) -> None:
        with pytest.raises(TypeError, match=f"ObjectRef.*not {type(given).__name__}"):
            freehold.get(given)

    @pytest.mark.parametrize("given", [[5], ["text"], (None,)])
    def test_of_a_list_with_something_else(self, given) -> None:
        with pytest.raises(TypeError, match=f"ObjectRef.*not {type(given[0]).__name__}"):
            freehold.get(given)

    def test_of_a_list_in_a_list(self) -> None:
        with pytest.raises(TypeError, match=r"ObjectRef.*not list"):
            given: Any = [freehold.put(1), [freehold.put(2)]]
            freehold.get(given)

    @pytest.mark.parametrize("timeout", [-0.5, -2, -math.inf, math.nan])
    def test_with_a_negative_timeout(self, timeout: float) -> None:
        with pytest.raises(ValueError, match=re.escape(repr(timeout))):
            freehold.get(freehold.put(1), timeout=timeout)

    @pytest.mark.parametrize("timeout", ["1", [1], True, object()])
    def test_with_a_timeout_that_is_no_number(self, timeout) -> None:
        with pytest.raises(TypeError, match=f"timeout.*{type(timeout).__name__}"):
            freehold.get(freehold.put(1), timeout=timeout)

    @pytest.mark.parametrize("timeout", [-1, -1.0, None, math.inf, 10**9])
    def test_that_waits_for_ever(self, timeout) -> None:
        assert freehold.get(same.remote(1), timeout=timeout) == 1

    def test_names_the_time_that_has_passed(self, world) -> None:
        late = same.remote(freehold.remote(_sleep).remote(0.2))
        with pytest.raises(GetTimeoutError, match=r"0\.05"):
            freehold.get(late, timeout=0.05)
        assert freehold.get(late) is None


def _sleep(seconds: float) -> None:
    import time

    time.sleep(seconds)


class TestPut:
    def test_of_a_reference(self) -> None:
        with pytest.raises(TypeError, match=r"ObjectRef.*list"):
            freehold.put(freehold.put(1))

    def test_of_a_reference_in_a_list(self) -> None:
        assert freehold.get(freehold.get(freehold.put([freehold.put(1)]))) == [1]


class TestWait:
    def test_for_one_bare_reference(self) -> None:
        with pytest.raises(TypeError, match=r"list.*not ObjectRef"):
            given: Any = freehold.put(1)
            freehold.wait(given)

    @pytest.mark.parametrize("given", [5, None, {}, [5], ["text"]])
    def test_for_what_is_no_reference(self, given) -> None:
        with pytest.raises(TypeError, match="ObjectRef"):
            freehold.wait(given)

    def test_for_duplicates(self) -> None:
        ref = freehold.put(1)
        with pytest.raises(ValueError, match="duplicate"):
            freehold.wait([ref, freehold.put(2), ref])

    @pytest.mark.parametrize("count", [0, -1, 3, 1.0, "1", None, True])
    def test_for_a_bad_number(self, count) -> None:
        with pytest.raises((TypeError, ValueError), match="num_returns.*" + re.escape(repr(count))):
            freehold.wait([freehold.put(1), freehold.put(2)], num_returns=count)

    @pytest.mark.parametrize("timeout", [-1, -0.5, math.nan, "1"])
    def test_with_a_bad_timeout(self, timeout) -> None:
        with pytest.raises((TypeError, ValueError), match="timeout"):
            freehold.wait([freehold.put(1)], timeout=timeout)


class TestOthers:
    @pytest.mark.parametrize("call", [freehold.cancel, freehold.story, freehold.explain])
    def test_cancel_story_and_explain_want_a_reference(self, call) -> None:
        for given in (5, [freehold.put(1)], None):
            with pytest.raises(TypeError, match=f"ObjectRef.*not {type(given).__name__}"):
                call(given)

    @pytest.mark.parametrize("dumps", [pickle.dumps, cloudpickle.dumps])
    def test_a_reference_is_not_pickled_outside(self, dumps) -> None:
        ref = freehold.put(1)
        with pytest.raises(OutOfBandReferenceError, match="pickled outside"):
            dumps({"ref": ref})
        assert freehold.get(ref) == 1


class TestRemote:
    def test_on_a_class(self) -> None:
        with pytest.raises(NotSupported, match=r"Counter.*actors"):

            @freehold.remote
            class Counter: ...

    @pytest.mark.parametrize("given", [5, "f", None])
    def test_on_what_is_no_function(self, given) -> None:
        with pytest.raises(TypeError, match=r"remote"):
            freehold.remote(given)

    def test_twice(self) -> None:
        with pytest.raises(TypeError, match="remote"):
            freehold.remote(same)  # type: ignore[call-overload]

    def test_called_directly(self) -> None:
        with pytest.raises(TypeError, match=r"same\.remote"):
            same(1)  # type: ignore[operator]

    @pytest.mark.parametrize(
        ("option", "value"),
        [
            ("num_returns", -1),
            ("num_returns", 1.5),
            ("num_returns", "two"),
            ("num_returns", True),
            ("num_cpus", -1),
            ("num_cpus", "two"),
            ("num_cpus", math.nan),
            ("max_retries", -2),
            ("max_retries", 1.5),
            ("node", -1),
            ("node", "head"),
            ("resources", {"tea": -1}),
            ("resources", {"tea": "much"}),
            ("resources", ["tea"]),
            ("name", 5),
            ("colour", "red"),
        ],
    )
    def test_with_a_bad_option(self, option: str, value) -> None:
        for call in (same.options, freehold.remote):
            with pytest.raises((TypeError, ValueError), match=option):
                call(**{option: value})

    def test_to_a_node_that_is_not_there(self) -> None:
        with pytest.raises(TaskUnschedulableError, match="node:99"):
            freehold.get(same.options(node=99).remote(1))

    def test_with_wrong_arguments(self) -> None:
        """The error is the function's own: its caller sees it at the call, or at the get."""
        with pytest.raises(TypeError, match="same"):
            freehold.get(same.remote())  # type: ignore[call-overload]
        with pytest.raises(TypeError, match="other"):
            freehold.get(same.remote(1, other=2))  # type: ignore[call-overload]
