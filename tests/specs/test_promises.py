"""What is promised: each check finds what it is to find, and belongs to a promise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from immutables import Map

from freehold.core.copy import PRIMARY, SECONDARY, Copy
from freehold.core.ids import HEAD, node_id, object_id
from freehold.core.machine import replace
from freehold.core.node import Node
from freehold.core.ownership import REGISTERED, Asked, Ownership
from freehold.core.policies import Policy
from freehold.core.promotion import INLINE, PLACED, Promotion
from freehold.core.resolution import CACHED, Resolution
from freehold.core.tables import TABLES
from freehold.core.values import Payload
from freehold.core.worker import Worker
from freehold.specs import properties
from freehold.specs.promises import PROMISES, SOMETIMES
from freehold.specs.walks.trial import Trial

CHECKS = properties.__name__
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


def counted_below_zero(world: Trial) -> None:
    records = program(world).ownership
    for object, r in records.items():
        records[object] = replace(r, pins=-1)


def view_below_zero(world: Trial) -> None:
    program(world).resolution[5] = Resolution(5, CACHED, views=-1)


def hold_that_is_none(world: Trial) -> None:
    node(world, ONE).copies[5] = Copy(5, SECONDARY, holds=Map({7: 0}))


def placeholder_for_nothing(world: Trial) -> None:
    program(world).promotion[5] = Promotion(5, PLACED)


def large_value_kept(world: Trial) -> None:
    program(world).promotion[5] = Promotion(5, INLINE, payload=Payload(200_000))


def large_value_cached(world: Trial) -> None:
    program(world).resolution[5] = Resolution(5, CACHED, payload=Payload(200_000))


def too_much_pulled(world: Trial) -> None:
    room = node(world, ONE).rooms
    room[0] = replace(room[0], pulls=Map({5: 300, 6: 300}))


def too_much_kept(world: Trial) -> None:
    room = node(world, ONE).rooms
    room[0] = replace(room[0], sizes=Map({5: 600, 6: 600}))


def borrower_unknown(world: Trial) -> None:
    object = world.functions[0]
    program(world, 1).ownership[object] = Ownership(object, REGISTERED, local=True)


def borrower_gone(world: Trial) -> None:
    records, object = program(world).ownership, world.functions[0]
    records[object] = replace(records[object], borrowers=Map({program(world, 1).me: Asked(1)}))


def two_primaries(world: Trial) -> None:
    for me in (ONE, TWO):
        node(world, me).copies[5] = Copy(5, PRIMARY)


def run_twice(world: Trial) -> None:
    frame = world.processes[program(world).me].frames[0]
    world.submit(frame, world.functions[0], (), (), 1, 0)
    while not any(isinstance(party, Worker) and party.running for party in world.parties.values()):
        world.progress()
    runs = next(party for party in world.parties.values() if isinstance(party, Worker) and party.running).running
    other = program(world, 1)
    assert runs is not other.running
    other.running.update(runs)


def copy_unknown(world: Trial) -> None:
    me = program(world)
    object = object_id(me.me, 77)
    me.promotion[object] = Promotion(object, PLACED, nodes=(ONE,))
    node(world, ONE).copies[object] = Copy(object, PRIMARY)
    node(world, TWO).copies[object] = Copy(object, SECONDARY)


BROKEN: list[tuple[Callable[[Trial], None], Any, str]] = [
    (counted_below_zero, properties.counts_are_natural, "n0w2 counts below zero in"),
    (view_below_zero, properties.counts_are_natural, "n0w2 counts below zero in"),
    (hold_that_is_none, properties.counts_are_natural, "n0 counts a hold that is none in"),
    (placeholder_for_nothing, properties.placeholders_are_true, "n0w2 has a placeholder without a location"),
    (large_value_kept, properties.small_values_travel, "n0w2 keeps 200000 B of"),
    (large_value_cached, properties.small_values_travel, "n0w2 keeps 200000 B of"),
    (too_much_pulled, properties.pulls_keep_to_their_share, "n0 pulls {"),
    (too_much_kept, properties.stores_are_bounded, "keeps 1200 B in a store of 1000 B"),
    (borrower_unknown, properties.borrowers_agree, "its owner knows of nobody"),
    (borrower_gone, properties.borrowers_agree, "is borrowed by nobody"),
    (two_primaries, lambda world: properties.one_primary(world.parties), "has primary copies on n0, n1"),
    (run_twice, properties.runs_once, "runs on "),
    (copy_unknown, properties.directories_agree, "n0w2 knows of n0w2.77 on n0; copies are on n0, n1"),
]


@pytest.mark.parametrize(("fault", "check", "said"), BROKEN, ids=[fault.__name__ for fault, _, _ in BROKEN])
def test_what_is_broken_is_found(fault: Callable[[Trial], None], check: Any, said: str) -> None:
    world = fresh()
    assert [*check(world)] == []
    fault(world)
    found = [*check(world)]
    assert found and all(said in complaint for complaint in found)


def test_runs_that_nobody_awaits_may_have_the_same_number() -> None:
    world = fresh()
    run_twice(world)
    for worker in [party for party in world.parties.values() if isinstance(party, Worker)]:
        for run in worker.running.values():
            assert run.query is not None
            worker.running[run.task] = replace(run, query=replace(run.query, caller=0))
    assert [*properties.runs_once(world)] == []


def test_every_check_belongs_to_a_promise() -> None:
    promised = [promise for some in PROMISES.values() for promise in some]
    assert len({promise.id for promise in promised}) == len(promised)
    assert all(promise.checks or promise.where for promise in promised)
    checks = {check.__name__ for promise in promised for check in promise.checks}
    known = {
        name for name, value in vars(properties).items() if getattr(value, "__module__", "") == properties.__name__
    }
    helpers = {
        "Cluster",
        "insist",
        "kinds",
        "object_agrees",
        "needed_is_not_released",
        "reached",
        "worker_counts_agree",
    }
    assert checks == known - helpers


def test_situations_are_rows() -> None:
    rows = {f"{t.name}.{state.name}.{event.__name__}": row for t in TABLES for (state, event), row in t.rows.items()}
    named = [row.partition(" ") for some in SOMETIMES.values() for row in some]
    assert all(name in rows and rows[name].run is not None for name, _, _ in named)
    assert all(not end or end in {state.name for state in rows[name].to} for name, _, end in named)
