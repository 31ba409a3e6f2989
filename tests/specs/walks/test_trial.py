"""A cluster on trial: who reads again reads the same, and nothing runs again more often than its caller has said."""

from __future__ import annotations

from typing import Any

import pytest
from tests.specs.worlds import fresh, program

from freehold.core import execution
from freehold.core.execution import RUNNING
from freehold.core.machine import replace
from freehold.core.promotion import FAILED, Promotion
from freehold.core.task_events import ExecutorDied
from freehold.core.values import Failure, Want
from freehold.specs.walks.trial import Trial
from freehold.specs.walks.users import SMALL
from freehold.specs.walks.walk import WORLDS, walk
from freehold.specs.walks.world import Violation

RELEASED, FULL, TASK = (Failure(cause) for cause in ("released", "full", "task"))


def read(world: Trial, object: int) -> None:
    """Let the first program get an object that it has."""
    world.wait(world.processes[program(world).me].frames[0], [object], 1, Want.GET, -1.0)


def reads(*outcomes: Failure | None, dead: bool = False, computed: bool = False) -> str:
    """Return what is said of a program that reads an object of its own again and again; None is a new value."""
    world = fresh()
    me = program(world)
    object = world.put(world.processes[me.me].frames[0], SMALL, ())
    if computed:
        world.needs[object] = ()
    read(world, object)
    first = me.promotion[object]
    if dead:
        world.dead[77] = frozenset()
    for failure in outcomes:
        value = replace(first, payload=world.payload(object, SMALL, ()))
        me.promotion[object] = Promotion(object, FAILED, failure=failure) if failure else value
        read(world, object)
    try:
        world.check_changes()
    except Violation as violation:
        return str(violation)
    return ""


def test_who_reads_again_reads_the_same() -> None:
    assert reads() == ""
    assert "n0w2 has read 2 for n0w2.2, and now reads released" in reads(RELEASED)
    assert "n0w2 has read 2 for n0w2.2, and now reads 3" in reads(None)


def test_a_value_may_be_lost_with_somebody_and_computed_again_by_a_task() -> None:
    assert reads(RELEASED, RELEASED, dead=True) == ""
    assert "now reads task" in reads(TASK, dead=True) and "now reads 3" in reads(None, dead=True)
    assert reads(None, TASK, dead=True, computed=True) == ""


def test_an_error_stays_and_a_full_store_says_nothing_of_a_value() -> None:
    assert "has read released for n0w2.2, and now reads 4" in reads(RELEASED, None, dead=True, computed=True)
    assert "has read released for n0w2.2, and now reads task" in reads(RELEASED, TASK, dead=True, computed=True)
    assert reads(FULL) == ""


def test_what_was_dropped_may_be_something_else_when_it_comes_again() -> None:
    world = fresh()
    me = program(world).me
    frame = world.processes[me].frames[0]
    object = world.put(frame, SMALL, ())
    read(world, object)
    assert object in world.processes[me].read
    world.drop(frame, frame.handles.index(object))
    world.drain(me)
    assert object not in world.processes[me].read


def test_retries_without_end_are_found_on_a_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    def retry_on(r: Any, e: Any, here: Any) -> Any:
        return execution.queued(replace(r, retries=r.retries - 1)) if r.worker == e.party else (r, ())

    rows: Any = RUNNING.rows
    monkeypatch.setitem(rows, ExecutorDied, retry_on)
    with pytest.raises(Violation, match="may be run -1 times again, after 0"):
        for seed in range(20):
            walk(seed, 300, **WORLDS["cut links"])
