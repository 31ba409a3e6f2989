"""A cluster in which nothing has happened yet, for tests that put something wrong into it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from freehold.core.ids import HEAD, node_id
from freehold.core.node import Node
from freehold.core.policies import Policy
from freehold.core.running import RUNNING
from freehold.core.worker import Worker
from freehold.specs import records
from freehold.specs.walks.trial import Trial

ONE, TWO = HEAD, node_id(1)


def fresh() -> Trial:
    """A cluster of two nodes with a program on each, in which nothing has happened yet."""
    return Trial(Policy(), 1000, (1, 1), (0, 1))


def program(world: Trial, index: int = 0) -> Worker:
    return world.worker(world.programs[index].me)


def node(world: Trial, me: int) -> Node:
    found = world.parties[me]
    assert isinstance(found, Node)
    return found


def running(world: Trial) -> Worker:
    """A worker that runs a task."""
    frame = world.processes[program(world).me].frames[0]
    world.submit(frame, world.functions[0], (), (), 1, 0)
    while True:
        for party in world.parties.values():
            if isinstance(party, Worker) and any(run.state is RUNNING for run in party.running.values()):
                return party
        world.progress()


def complaints(check: Any, world: Trial) -> list[str]:
    """What a check says of a world, or of each party in it."""
    some = world.parties.values() if check in records.CHECKS else [world]
    return [complaint for one in some for complaint in check(one)]


def assert_found(fault: Callable[[Trial], None], check: Any, said: str) -> None:
    """A check says nothing of a world in which nothing is wrong, and only what it is to say of one with a fault."""
    world = fresh()
    assert complaints(check, world) == []
    fault(world)
    found = complaints(check, world)
    assert found and all(said in complaint for complaint in found)
