"""How a reference shows itself: at any moment, on any process, asking nobody; and what it knows of its making."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import freehold
from freehold.core.callsites import site, task_name
from freehold.core.ids import object_name
from freehold.core.portraits import facts
from freehold.exceptions import OutOfBandReferenceError

pytestmark = pytest.mark.nodes(1)
LARGE = 1_000_000


@freehold.remote
def make(number: int) -> bytes:
    return b"x" * number


@freehold.remote
def fail() -> None:
    raise KeyError("missing")


@freehold.remote
def shown(box: list[Any]) -> tuple[str, str, str | None]:
    return repr(box[0]), box[0]._repr_html_(), site(box[0])


@pytest.fixture(autouse=True)
def started(world: Any) -> None:
    world.start()


def name_of(ref: Any) -> str:
    return object_name(ref._id)


class TestRepr:
    def test_tells_state_size_and_owner(self) -> None:
        small, large = freehold.put(1), freehold.put(b"x" * LARGE)
        assert repr(small) == f"ObjectRef({name_of(small)} in-process store, 5 B, owner n0w1)"
        nbytes = f"{freehold.locate(large).nbytes:,}"
        assert repr(large).startswith(f"ObjectRef({name_of(large)} object store of node 0, {nbytes} B, placeholder at")

    def test_of_a_task(self, world: Any) -> None:
        ref, failed = make.remote(3), fail.remote()
        assert repr(ref) == f"ObjectRef({name_of(ref)} pending, owner n0w1)" or world.backend == "local"
        freehold.wait([ref, failed], num_returns=2)
        assert "in-process store, 18 B" in repr(ref)
        assert repr(failed) == f"ObjectRef({name_of(failed)} failed, owner n0w1)"

    def test_at_a_borrower(self) -> None:
        ref = freehold.put(1)
        line, html, where = freehold.get(shown.remote([ref]))
        assert line == f"ObjectRef({name_of(ref)} borrowed, owner n0w1)"
        assert "another process" in html and "n0w1 on node 0" in html
        assert where is None

    def test_after_shutdown(self, world: Any) -> None:
        ref = make.remote(3)
        world.stop()
        assert repr(ref) == f"ObjectRef({name_of(ref)} of a cluster that was shut down)"
        assert "of a cluster that was shut down" in ref._repr_html_()

    def test_takes_no_lock(self, world: Any) -> None:
        """Another thread has the pump's lock, or this one: neither keeps a reference from being shown."""
        pump = getattr(world.session.host, "pump", None)
        if pump is None:
            pytest.skip("there is no lock")
        ref, lines = freehold.put(1), []
        pump.enter()
        try:
            thread = threading.Thread(target=lambda: lines.append((repr(ref), ref._repr_html_())))
            thread.start()
            thread.join(30)
            assert lines == [(repr(ref), ref._repr_html_())]
        finally:
            pump.leave()

    def test_never_moves_the_value(self, world: Any) -> None:
        ref = make.remote(LARGE)
        freehold.wait([ref])
        before = world.session.host.own_steps()
        assert "task" in ref._repr_html_() and repr(ref)
        assert world.session.host.own_steps() == before


class TestHtml:
    def test_tells_what_is_known(self) -> None:
        ref = make.remote(3)
        freehold.wait([ref])
        found = facts(ref)
        assert found.pop("age").endswith(" s")
        assert found.pop("made at").startswith("test_refs.py:")
        assert found == {
            "state": "in-process store",
            "size": "18 B",
            "owner": "n0w1 (this process)",
            "task": "make",
        }
        html = ref._repr_html_()
        assert html.startswith("<table>") and html.count("<tr>") == html.count("</tr>") == 6

    def test_is_escaped(self) -> None:
        ref = make.options(name="<b>bold</b>").remote(3)
        assert "&lt;b&gt;bold&lt;/b&gt;" in ref._repr_html_() and "<b>" not in ref._repr_html_()

    def test_tells_how_far_back_the_steps_reach(self, world: Any) -> None:
        ref = freehold.put(1)
        assert not facts(ref)["age"].startswith(("at least", "over"))
        for number in range(world.session.host.ring.raw.maxlen):
            freehold.put(number)
        assert facts(ref)["age"].startswith("over ")


class TestAttributes:
    def test_of_the_value_are_advised(self) -> None:
        ref: Any = freehold.put([1])
        with pytest.raises(AttributeError, match=r"'shape': it is a reference, its value is freehold.get\(ref\).shape"):
            ref.shape  # noqa: B018

    def test_that_protocols_ask_for_are_not(self) -> None:
        ref: Any = freehold.put([1])
        with pytest.raises(AttributeError, match=r"no attribute '__array__'$"):
            ref.__array__  # noqa: B018
        assert not hasattr(ref, "shape") and not hasattr(ref, "__len__") and not hasattr(ref, "_ipython_display_")
        assert getattr(ref, "upper", None) is None

    @pytest.mark.parametrize("call", [copy.copy, copy.deepcopy, pickle.dumps])
    def test_do_not_change_what_copies_say(self, call: Any) -> None:
        with pytest.raises(OutOfBandReferenceError):
            call(freehold.put(1))

    def test_travel_is_unharmed(self) -> None:
        ref = freehold.put([1])
        (again,) = freehold.get(freehold.put([ref]))
        assert again is ref


class TestCallSites:
    @pytest.fixture
    def without(self, world: Any) -> Iterator[None]:
        world.start(call_sites=False)
        yield
        world.stop()

    def test_of_put_and_remote(self) -> None:
        put, line = freehold.put(1), self.test_of_put_and_remote.__code__.co_firstlineno + 1
        task = make.remote(1)
        (mapped,) = map(freehold.put, [1])
        name = "TestCallSites.test_of_put_and_remote"
        assert [site(ref) for ref in (put, task, mapped)] == [
            f"test_refs.py:{line + index} in {name}" for index in range(3)
        ]
        assert [task_name(ref) for ref in (put, task)] == ["", "make"]

    def test_of_each_value_of_a_task(self) -> None:
        refs = make.options(num_returns=2, name="two").remote(1)
        assert len({site(ref) for ref in refs}) == 1 and {task_name(ref) for ref in refs} == {"two"}
        freehold.wait(refs, num_returns=2)

    def test_at_the_top_of_a_module(self) -> None:
        namespace: dict[str, Any] = {"freehold": freehold}
        exec(compile("\n\nref = freehold.put(\n  1)\n", "/some/where/train.py", "exec"), namespace)
        assert site(namespace["ref"]) == "train.py:3"

    def test_keep_no_variables(self) -> None:
        class Heavy:
            alive = 0

            def __init__(self) -> None:
                Heavy.alive += 1

            def __del__(self) -> None:
                Heavy.alive -= 1

        def user() -> Any:
            heavy = Heavy()
            return freehold.put(id(heavy))

        ref = user()
        assert Heavy.alive == 0 and "user" in str(site(ref))

    def test_are_known_to_who_travels_home(self) -> None:
        ref = freehold.put([1])
        where = site(ref)
        (again,) = freehold.get(freehold.put([ref]))
        assert site(again) == where is not None

    def test_can_be_left_out(self, without: None) -> None:
        assert site(freehold.put(1)) is None and task_name(make.remote(1)) == ""
        assert facts(freehold.put(1))["made at"] == "not recorded"

    def test_can_be_left_out_by_the_environment(self, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        world.stop()
        monkeypatch.setenv("FREEHOLD_CALL_SITES", "0")
        world.start()
        assert site(freehold.put(1)) is None
        world.stop()
        world.start(call_sites=True)
        assert site(freehold.put(1)) is not None
        world.stop()

    def test_cost_a_reference_nothing_but_two_words(self) -> None:
        """No dictionary, no tuple, no frame: what is recorded lies in slots."""
        ref = freehold.put(1)
        assert not hasattr(ref, "__dict__")
        assert type(ref._code).__name__ == "code" and type(ref._instruction) is int
