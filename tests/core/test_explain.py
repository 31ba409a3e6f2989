"""explain, asked by owners and borrowers, in the program and in tasks, on every backend: who holds, what is awaited."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import numpy
import pytest

import freehold
from freehold.core import cluster
from freehold.core.explain import Explanation, long_wait
from freehold.core.ids import party_name
from freehold.exceptions import SessionError
from freehold.specs import scenario as bank
from freehold.specs.scenarios.gates import Gate

LATE = 60.0  # seconds; nobody waits for their end


@freehold.remote
def nap(seconds: float, value: Any = None) -> Any:
    time.sleep(seconds)
    return value


@freehold.remote
def through(door: Gate) -> Any:
    """Return None, which is no time to sleep, when the door is open."""
    door.wait()


@freehold.remote
def keep(box: list[Any]) -> str:
    bank.keep("box", box)  # in a module that every process imports; this one travels by value
    return freehold.get_runtime_context().get_worker_id()


@freehold.remote
def forget() -> None:
    bank.KEPT.clear()


@freehold.remote
def explain_inside(box: list[Any]) -> tuple[str, set[int]]:
    said = freehold.explain(box[0])
    return str(said), {fact.party for fact in said.facts}


@freehold.remote
def wait_inside(box: list[Any]) -> Any:
    return freehold.get(box[0])


@pytest.fixture(autouse=True)
def clean(world: Any) -> Iterator[None]:
    """Every test has a cluster, and leaves nothing in it: explain neither keeps nor sends anything that stays."""
    world.start()
    yield
    bank.KEPT.clear()
    if freehold.is_initialized():
        world.assert_clean("explain")


def runs_meanwhile(world: Any) -> bool:
    return bool(world.backend != "inline")


def until(ref: Any, *kinds: str) -> Explanation:
    """Let time pass until facts of all these kinds are known; return what explain then says."""
    for _ in range(600):
        said = freehold.explain(ref)
        if {*kinds} <= {fact.kind for fact in said.facts}:
            return said
        freehold.wait([ref], timeout=0.05)
    pytest.fail(f"no {kinds} in\n{said}")


def test_it_is_a_string_with_fields(world: Any) -> None:
    ref = freehold.put("value")
    said = freehold.explain(ref)
    assert isinstance(said, str) and repr(said) == str(said) and said.object in said
    assert said._repr_html_().startswith("<pre>") and "&#x27;" not in said.object
    assert tuple(fact.kind for fact in said.facts if fact.kind == "local") * 2 == ("local", "local")
    assert [grip.drop for grip in said.grips] == ["del ref"] and said.silent == ()
    assert "test_explain.py:" in said and "the program" in said


@pytest.mark.parametrize("size", [10, 300_000])
def test_a_borrower_is_named_with_what_it_has(world: Any, size: int) -> None:
    ref = freehold.put(bytes(size))
    worker = party_name(int(freehold.get(keep.remote([ref])), 16))
    said = freehold.explain(ref)
    assert [party_name(fact.by) for fact in said.facts if fact.kind == "borrower"] == [worker]
    assert f"{worker} (a worker of node" in said and "borrows it, and has" in said
    local = {party_name(fact.party) for fact in said.facts if fact.kind == "local"}
    assert local == {"n0w1", worker}
    for _ in range(20):  # until the worker that has it has run it
        freehold.get([forget.remote() for _ in range(8)])
        if not any(fact.kind == "borrower" for fact in freehold.explain(ref).facts):
            return
    pytest.fail(str(freehold.explain(ref)))


def test_inside_a_task_it_knows_as_much(world: Any) -> None:
    ref = freehold.put(bytes(300_000))
    text, parties = freehold.get(explain_inside.remote([ref]))
    known = {fact.party for fact in freehold.explain(ref).facts}
    program = cluster.engine().worker.me
    assert {program, *known} <= parties
    assert re.search(r"n0w1 \(the program.*\) has", text) and "this process" in text
    assert "explain_inside" in text.replace("n0w1", ""), "the task that was lent it"


def test_what_every_node_knows_is_asked_from_any(world: Any) -> None:
    """The question of a worker goes up to the head node, and from there to all others."""
    ref = freehold.put(bytes(300_000))
    last = world.nodes - 1
    holders = [freehold.get(keep.options(node=node).remote([ref])) for node in range(world.nodes)]
    text, _ = freehold.get(explain_inside.options(node=last).remote([ref]))
    for name in holders:
        assert f"{party_name(int(name, 16))} (a worker of node" in text, text
    freehold.get([forget.options(node=node).remote() for node in range(world.nodes) for _ in range(4)])


def test_a_story_told_inside_a_task_is_whole(world: Any) -> None:
    @freehold.remote
    def who(box: list[Any]) -> set[str]:
        return {step.who for step in freehold.story(box[0]).steps}

    ref = freehold.put(bytes(300_000))
    assert "n0w1" in freehold.get(who.options(node=world.nodes - 1).remote([ref]))


def test_a_chain_is_followed_across_processes(world: Any) -> None:
    if not runs_meanwhile(world):
        pytest.skip("a task runs when somebody waits, and nobody sees it running")
    slow = nap.remote(LATE)
    outer = wait_inside.remote([slow])
    said = until(outer, "blocked", "runs")
    lines = str(said).splitlines()
    first = next(i for i, line in enumerate(lines) if "wait_inside" in line and "was sent to" in line)
    blocked = next(i for i, line in enumerate(lines) if "it waits for" in line)
    last = next(i for i, line in enumerate(lines) if "its task nap" in line)
    assert first < blocked < last, said
    assert any(fact.kind == "call" and fact.by for fact in freehold.explain(slow).facts)
    freehold.cancel(slow, force=True)
    freehold.wait([slow, outer], num_returns=2)
    freehold.get(nap.remote(0))  # the worker that had the function is dead; one that has it may keep it


def test_a_failure_is_the_reason(world: Any) -> None:
    @freehold.remote
    def fail() -> None:
        raise KeyError("missing")

    ref = fail.remote()
    freehold.wait([ref])
    assert "it failed: its task raised an error" in freehold.explain(ref)
    never = fail.options(num_cpus=99).remote()
    freehold.wait([never])
    assert "no node can run its task" in freehold.explain(never)


def test_a_view_says_what_it_is_of(world: Any) -> None:
    ref = freehold.put({"a": numpy.zeros(50_000)})
    view = freehold.get(ref)["a"][10:20].reshape(2, 5)
    said = freehold.explain(view)
    assert said.startswith(f"a read-only view of {said.object}") and "freehold.get(ref, writable=True)" in said
    assert any(fact.kind == "view" for fact in said.facts)
    del ref
    assert "zero-copy view" in freehold.explain(view)
    with pytest.raises(TypeError, match="view that get has returned, not ndarray"):
        freehold.explain(numpy.zeros(3))
    world.stop()
    with pytest.raises(SessionError, match="shut down"):
        freehold.explain(view)
    assert not freehold.is_initialized(), "no cluster is started to explain a thing of another"


def test_arguments_and_containers(world: Any) -> None:
    ref = freehold.put(bytes(300_000))
    box = freehold.put([ref])
    door = Gate()
    gate = through.remote(door)
    tasks = [nap.remote(0, [ref, gate]), nap.remote(0, ref)]
    waits = nap.remote(gate, ref)
    facts = [fact for fact in freehold.explain(ref).facts if fact.party == cluster.engine().worker.me]
    assert box._id in {fact.by for fact in facts if fact.kind == "container"}
    assert waits._id in {fact.by for fact in facts if fact.kind == "argument"}
    door.open()
    with pytest.raises(TypeError):
        freehold.get(waits)  # it slept for None seconds
    freehold.get(tasks)


def test_nothing_is_said_of_a_wait_that_is_over(world: Any) -> None:
    assert long_wait(cluster.engine(), 1) == "waiting"
