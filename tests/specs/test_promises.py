"""What is promised: each check finds what it is to find, and belongs to a promise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from immutables import Map
from tests.specs.worlds import ONE, TWO, assert_found, fresh, node, program

from freehold.core.copy import PRIMARY, SECONDARY, Copy
from freehold.core.desk import Desk
from freehold.core.effects import SetTimer
from freehold.core.events import DeadlinePassed
from freehold.core.ids import object_id, worker_id
from freehold.core.machine import replace
from freehold.core.membership import DEAD, MISSING, Member
from freehold.core.office import STARTING, Loan
from freehold.core.ownership import REGISTERED, Asked, Ownership
from freehold.core.policies import Policy
from freehold.core.promotion import INLINE, PENDING, PLACED, Promotion
from freehold.core.resolution import IDLE, RETRYING, Resolution
from freehold.core.room import AWAITING, Ask
from freehold.core.tables import TABLES
from freehold.core.values import Want
from freehold.core.worker import Worker
from freehold.specs import pairs, properties, records
from freehold.specs.promises import INVARIANTS, PROMISES, SOMETIMES
from freehold.specs.walks.trial import CPUS, Trial
from freehold.specs.walks.world import Stored


def never_tried_again(world: Trial) -> None:
    program(world).resolution[5] = Resolution(5, RETRYING, attempt=9)


def turn_without_a_timer(world: Trial) -> None:
    program(world).desk[0] = Desk(timed=True, attempt=9)


def timer_left_behind(world: Trial) -> None:
    world.perform(program(world).me, 0, SetTimer(9, 60.0, DeadlinePassed(9)))


def borrower_unknown(world: Trial) -> None:
    object = world.functions[0]
    program(world, 1).ownership[object] = Ownership(object, REGISTERED, local=True)


def borrower_gone(world: Trial) -> None:
    records, object = program(world).ownership, world.functions[0]
    records[object] = replace(records[object], borrowers=Map({program(world, 1).me: Asked(1)}))


def two_primaries(world: Trial) -> None:
    for me in (ONE, TWO):
        node(world, me).copies[5] = Copy(5, PRIMARY)


def bytes_missing(world: Trial) -> None:
    world.stores[ONE][7] = Stored(5, 2)
    world.stores[ONE][7].arrived = {1}
    node(world, ONE).copies[5] = Copy(5, SECONDARY, nbytes=2, place=7)


def run_twice(world: Trial) -> None:
    frame = world.processes[program(world).me].frames[0]
    world.submit(frame, world.functions[0], (), (), 1, 0)
    while not any(isinstance(party, Worker) and party.running for party in world.parties.values()):
        world.progress()
    runs = next(party for party in world.parties.values() if isinstance(party, Worker) and party.running).running
    other = program(world, 1)
    assert runs is not other.running
    other.running.update(runs)


def loss_undecided(world: Trial) -> None:
    program(world).members[77] = Member(77, MISSING)


def full_for_ever(world: Trial) -> None:
    room = node(world, ONE).rooms
    room[0] = replace(room[0], overdue=77)


def kept_waiting(world: Trial) -> None:
    ask = Ask(object_id(program(world).me, 77), 1, Want.GET)
    room = node(world, ONE).rooms
    room[0] = replace(room[0], state=AWAITING, queue=(ask,))


def kept_in_case(world: Trial) -> None:
    me, object = program(world), object_id(program(world).me, 77)
    kept_waiting(world)
    copy = Copy(object, SECONDARY, holds=Map({me.me: 1}))
    node(world, ONE).copies[object] = copy
    me.resolution[object] = Resolution(object, IDLE, grants=1, recalled=True)
    assert [*properties.nothing_is_kept_in_case(world)] == []
    me.resolution[object] = Resolution(object, IDLE, grants=1)


def death_unknown(world: Trial) -> None:
    world.dead[77] = frozenset({program(world).me})


def worker_not_expected(world: Trial) -> None:
    office = node(world, ONE).offices
    office[0] = replace(office[0], state=STARTING, starting=1)


def worker_never_starts(world: Trial) -> None:
    office = node(world, ONE).offices
    office[0] = replace(office[0], state=STARTING, starting=1)


def lent_to_the_dead(world: Trial) -> None:
    office, dead = node(world, ONE).offices, program(world, 1).me
    office[0] = replace(office[0], loans=Map({min(office[0].workers): Loan(dead, (CPUS, 0))}))
    node(world, ONE).members[dead] = Member(dead, DEAD)


def too_many_workers(world: Trial) -> None:
    node(world, ONE).policy = Policy(workers_max=1)
    world.add_worker(ONE)


def copy_unknown(world: Trial) -> None:
    me = program(world)
    object = object_id(me.me, 77)
    me.promotion[object] = Promotion(object, PLACED, nodes=(ONE,))
    node(world, ONE).copies[object] = Copy(object, PRIMARY)
    node(world, TWO).copies[object] = Copy(object, SECONDARY)


def copy_gone(world: Trial) -> None:
    me = program(world)
    object = object_id(me.me, 77)
    me.promotion[object] = Promotion(object, PLACED, nodes=(ONE,))


def run_for_ever(world: Trial) -> None:
    submitted(world)
    ((task, record),) = program(world).execution.items()
    program(world).execution[task] = replace(record, retries=record.retries - 1)


def run_more_often(world: Trial) -> None:
    submitted(world)
    ((task, record),) = program(world).execution.items()
    program(world).execution[task] = replace(record, retries=record.retries + 1)


def submitted(world: Trial) -> None:
    world.submit(world.processes[program(world).me].frames[0], world.functions[0], (), (), 1, 0)


def value_is_pending_again(world: Trial) -> None:
    me, object = program(world), world.functions[0]
    world.wait(world.processes[me.me].frames[0], [object], 1, Want.LOOK, -1.0)
    assert world.processes[me.me].ready == {object} and [*properties.ready_stays(world)] == []
    me.promotion[object] = Promotion(object, PENDING)


BROKEN: list[tuple[Callable[[Trial], None], Any, str]] = [
    (never_tried_again, properties.timers_are_set, "n0w2 has set no timer for Resolution("),
    (turn_without_a_timer, properties.timers_are_set, "n0w2 has set no timer for Desk("),
    (timer_left_behind, properties.timers_are_awaited, "n0w2 awaits nothing of the timer for Deadline"),
    (borrower_unknown, properties.borrowers_agree, "its owner knows of nobody"),
    (borrower_gone, properties.borrowers_agree, "is borrowed by nobody"),
    (two_primaries, lambda world: properties.one_primary(world.parties), "has primary copies on n0, n1"),
    (bytes_missing, properties.sealed_is_complete, "n0 has not all bytes of Copy(object=5"),
    (run_twice, properties.runs_once, "runs on "),
    (run_for_ever, properties.retries_fall, "may be run -1 times again, after 0"),
    (run_more_often, properties.retries_fall, "may be run 1 times again, after 0"),
    (value_is_pending_again, properties.ready_stays, "n0w2.1 is not ready any more, as n0w2 was told"),
    (loss_undecided, properties.losses_are_decided, "n0w2 does not know what has become of"),
    (full_for_ever, properties.timers_are_set, "n0 has set no timer for Room("),
    (kept_waiting, properties.room_is_used, "n0 has room for the first that waits"),
    (kept_in_case, properties.nothing_is_kept_in_case, "n0w2 keeps a hold on n0w2.77 while Room("),
    (death_unknown, properties.deaths_are_known, "n0w2 believes that"),
    (worker_not_expected, properties.workers_are_expected, "n0 waits for 1 workers, and 0 are to come"),
    (worker_never_starts, properties.offices_rest, "n0 starts 1 workers, and has lent the dead []"),
    (lent_to_the_dead, properties.offices_rest, "n0 starts 0 workers, and has lent the dead [Loan("),
    (too_many_workers, properties.workers_are_few, "n0 has started 2 workers"),
    (copy_unknown, properties.directories_agree, "n0w2 knows of n0w2.77 on n0; copies are on n0, n1"),
    (copy_gone, properties.directories_agree, "n0w2 knows of n0w2.77 on n0; copies are on none"),
]


@pytest.mark.parametrize(("fault", "check", "said"), BROKEN, ids=[fault.__name__ for fault, _, _ in BROKEN])
def test_what_is_broken_is_found(fault: Callable[[Trial], None], check: Any, said: str) -> None:
    assert_found(fault, check, said)


def test_what_was_ready_may_be_lost_with_somebody_or_be_forgotten() -> None:
    for forget in (False, True):
        world = fresh()
        value_is_pending_again(world)
        if forget:
            me, object = program(world).me, world.functions[0]
            program(world).promotion[object] = Promotion(object, INLINE)
            world.processes[me].handles[object] = 1
            world.forget(me, (object,))
            world.drain(me)
        else:
            world.dead[worker_id(ONE, 99)] = frozenset()
        assert [*properties.ready_stays(world)] == []


def test_runs_that_nobody_awaits_may_have_the_same_number() -> None:
    world = fresh()
    run_twice(world)
    for worker in [party for party in world.parties.values() if isinstance(party, Worker)]:
        for run in worker.running.values():
            assert run.query is not None
            worker.running[run.task] = replace(run, query=replace(run.query, caller=0))
    assert [*properties.runs_once(world)] == []


def test_a_node_whose_worker_died_may_have_less_than_its_owner_thinks_but_not_more() -> None:
    for fault, wrong in ((copy_gone, 0), (copy_unknown, 1)):
        world = fresh()
        fault(world)
        world.dead[worker_id(ONE, 99)] = frozenset()
        assert len([*properties.directories_agree(world)]) == wrong


def test_owner_and_node_that_are_parted_may_disagree_on_who_keeps_a_copy() -> None:
    world = fresh()
    me = program(world)
    object = object_id(me.me, 77)
    for one in (ONE, TWO):
        node(world, one).copies[object] = Copy(object, PRIMARY)
    assert [*properties.one_primary(world.parties)] == ["n0w2.77 has primary copies on n0, n1"]
    me.members[ONE] = Member(ONE, DEAD)
    assert [*properties.one_primary(world.parties)] == []


def test_every_check_belongs_to_a_promise() -> None:
    promised = [promise for some in PROMISES.values() for promise in some]
    assert len({promise.id for promise in promised}) == len(promised)
    assert all(promise.checks or promise.of_each or promise.of_two or promise.where for promise in promised)
    checks = {check.__name__ for promise in promised for check in (*promise.checks, *promise.of_each)}
    assert {check for promise in promised for check in promise.of_two} == {*pairs.CHECKS}
    known = {
        name for name, value in vars(properties).items() if getattr(value, "__module__", "") == properties.__name__
    } | {check.__name__ for check in records.CHECKS}
    helpers = {"Cluster", "Mourning", "insist", "awaiting_timers", "object_agrees", "needed_is_not_released", "reached"}
    assert checks == known - helpers


def test_every_invariant_is_kept_by_a_promise() -> None:
    numbers = {*map(str, range(1, 25)), *[f"I{number}" for number in range(1, 8)]}
    assert {*INVARIANTS} == numbers
    covered = [number for some in PROMISES.values() for promise in some for number in promise.covers]
    assert {*covered} == numbers


def test_situations_are_rows() -> None:
    rows = {f"{t.name}.{state.name}.{event.__name__}": row for t in TABLES for (state, event), row in t.rows.items()}
    named = [row.partition(" ") for some in SOMETIMES.values() for row in some]
    assert all(name in rows and rows[name].run is not None for name, _, _ in named)
    assert all(not end or end in {state.name for state in rows[name].to} for name, _, end in named)
