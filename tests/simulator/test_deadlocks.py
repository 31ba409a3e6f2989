"""What is said of a deadlock, where no program can bring about what is to be told."""

from __future__ import annotations

from freehold.core.ids import HEAD, object_id, worker_id
from freehold.simulator.deadlocks import Wait, deadlock

A1 = worker_id(HEAD, 1)


def test_an_object_that_nobody_makes() -> None:
    """The protocol says that there is no such object before anybody waits for ever; and nobody waits twice for one."""
    wait = Wait("f on n0w2", 0, [object_id(A1, 7), object_id(A1, 7)])
    told = "nothing can happen any more: f on n0w2 waits for n0w1.7, which nobody makes"
    assert str(deadlock([wait], {})).splitlines()[0] == told


def test_nobody_who_waits() -> None:
    assert "nobody is known to wait" in str(deadlock([], {}))
