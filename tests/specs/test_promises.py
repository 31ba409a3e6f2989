"""What is promised: each check finds what it is to find, and belongs to a promise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from immutables import Map

from freehold.core.copy import PRIMARY, PULLING, RETIRING, SECONDARY, Copy
from freehold.core.desk import Desk
from freehold.core.execution import KEPT, QUEUED, Execution
from freehold.core.ids import HEAD, node_id, object_id
from freehold.core.inquiry import HEARING, Inquiry
from freehold.core.leasing import LEASING, Pool
from freehold.core.machine import replace
from freehold.core.membership import DEAD, Member
from freehold.core.node import Node
from freehold.core.office import STARTING, Loan
from freehold.core.ownership import INTRODUCING, OWNED, REGISTERED, Asked, Ownership
from freehold.core.policies import Policy
from freehold.core.promotion import INLINE, PENDING, PLACED, Promotion
from freehold.core.resolution import ASKING, CACHED, LOCAL, RETRYING, Resolution
from freehold.core.room import AWAITING, Ask
from freehold.core.running import READY, RUNNING
from freehold.core.tables import TABLES
from freehold.core.values import Payload, Want
from freehold.core.worker import Worker
from freehold.specs import pairs, properties, records
from freehold.specs.promises import PROMISES, SOMETIMES
from freehold.specs.records import of_nodes, of_workers
from freehold.specs.walks.trial import CPUS, Trial

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


def introduced_by_nothing(world: Trial) -> None:
    program(world).ownership[5] = Ownership(5, INTRODUCING, local=True)


def wanted_by_nobody(world: Trial) -> None:
    object = object_id(program(world).me, 5)
    program(world).promotion[object] = Promotion(object, PENDING, wanted=Map({9: Want.GET}))


def waits_for_nobody(world: Trial) -> None:
    program(world).resolution[5] = Resolution(5, ASKING)


def held_without_a_grant(world: Trial) -> None:
    program(world).resolution[5] = Resolution(5, LOCAL)


def asked_by_the_dead(world: Trial) -> None:
    program(world).members[77] = Member(77, DEAD)
    program(world).promotion[5] = Promotion(5, PENDING, askers=Map({77: (1, ())}))


def value_of_nobody(world: Trial) -> None:
    object = object_id(program(world).me, 5)
    program(world).promotion[object] = Promotion(object, INLINE, payload=Payload(1))


def runs_for_the_dead(world: Trial) -> None:
    worker = running(world)
    worker.members[program(world).me] = Member(program(world).me, DEAD)
    for run in worker.running.values():
        worker.running[run.task] = replace(run, state=READY)


def never_tried_again(world: Trial) -> None:
    program(world).resolution[5] = Resolution(5, RETRYING, attempt=9)


def turn_without_a_timer(world: Trial) -> None:
    program(world).desk[0] = Desk(timed=True, attempt=9)


def not_evictable(world: Trial) -> None:
    me = program(world)
    object = object_id(me.me, 5)
    me.ownership[object] = Ownership(object, OWNED, lineage=1)
    me.promotion[object] = Promotion(object, PLACED, nodes=(ONE,))


def running(world: Trial) -> Worker:
    """A worker that runs a task."""
    frame = world.processes[program(world).me].frames[0]
    world.submit(frame, world.functions[0], (), (), 1, 0)
    while True:
        for party in world.parties.values():
            if isinstance(party, Worker) and any(run.state is RUNNING for run in party.running.values()):
                return party
        world.progress()


def thread_forgotten(world: Trial) -> None:
    worker = running(world)
    for run in worker.running.values():
        worker.running[run.task] = replace(run, blocked=1)


def not_in_the_queue(world: Trial) -> None:
    pools = program(world).pools
    running(world)
    for task in program(world).execution.values():
        program(world).execution[task.task] = replace(task, state=QUEUED)
    assert pools


def room_for_nobody(world: Trial) -> None:
    room = node(world, ONE).rooms
    room[0] = replace(room[0], queue=(Ask(5, 100, 0),))


def room_wanted_by_nobody(world: Trial) -> None:
    room = node(world, ONE).rooms
    room[0] = replace(room[0], state=AWAITING)


def used_by_nobody(world: Trial) -> None:
    program(world).resolution[5] = Resolution(5, CACHED)


def owner_dead(world: Trial) -> None:
    me = program(world, 1).me
    node(world, ONE).copies[object_id(me, 5)] = Copy(object_id(me, 5), PRIMARY)
    node(world, ONE).members[me] = Member(me, DEAD)


def released_for_nobody(world: Trial) -> None:
    node(world, ONE).copies[5] = Copy(5, RETIRING)


def too_many_bytes(world: Trial) -> None:
    node(world, ONE).copies[5] = Copy(5, PULLING, nbytes=10, arrived=10)


def reader_dead(world: Trial) -> None:
    node(world, ONE).members[77] = Member(77, DEAD)
    node(world, ONE).copies[5] = Copy(5, RETIRING, holds=Map({77: 1}))


def nobody_asked(world: Trial) -> None:
    node(world, ONE).inquiries[7, 5] = Inquiry((7, 5), HEARING)


def worker_lost(world: Trial) -> None:
    office = node(world, ONE).offices
    office[0] = replace(office[0], idle=())


def cpu_made(world: Trial) -> None:
    office = node(world, ONE).offices
    office[0] = replace(office[0], free=office[0].free.set("CPU", 9.0))


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


def node_not_asked(world: Trial) -> None:
    program(world).pools[CPUS, 0] = Pool((CPUS, 0), LEASING, queue=Map({0: 7}), last=1, asked=Map({ONE: 3}))
    program(world).pools[CPUS, 0] = replace(program(world).pools[CPUS, 0], busy=Map({ONE: 3}))


def death_unknown(world: Trial) -> None:
    world.dead[77] = frozenset({program(world).me})


def worker_not_expected(world: Trial) -> None:
    office = node(world, ONE).offices
    office[0] = replace(office[0], state=STARTING, starting=1)


def answer_for_nobody(world: Trial) -> None:
    me = program(world).me
    object = object_id(me, 77)
    program(world).promotion[object] = Promotion(object, PLACED, nodes=(ONE,), askers=Map({me: (3, ())}))


def kept_for_nothing(world: Trial) -> None:
    me = program(world).me
    object = object_id(me, 77)
    program(world).execution[object] = Execution(object, KEPT, kept=(object,))


def no_value(world: Trial) -> None:
    me = program(world).me
    program(world).ownership[object_id(me, 77)] = Ownership(object_id(me, 77), OWNED, local=True)


def asked_of_the_dead(world: Trial) -> None:
    program(world).pools[CPUS, 0] = Pool((CPUS, 0), LEASING, asked=Map({77: 3}))
    program(world).members[77] = Member(77, DEAD)


def pulled_no_more(world: Trial) -> None:
    room = node(world, ONE).rooms
    room[0] = replace(room[0], pulls=Map({5: 100}))


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


BROKEN: list[tuple[Callable[[Trial], None], Any, str]] = [
    (counted_below_zero, of_workers.counts_are_natural, "n0w2 counts below zero in"),
    (view_below_zero, of_workers.counts_are_natural, "n0w2 counts below zero in"),
    (hold_that_is_none, of_nodes.holds_are_held, "n0 counts a hold that is none in"),
    (placeholder_for_nothing, of_workers.placeholders_are_true, "n0w2 has a placeholder without a location"),
    (large_value_kept, of_workers.small_values_travel, "n0w2 keeps 200000 B of"),
    (large_value_cached, of_workers.small_values_travel, "n0w2 keeps 200000 B of"),
    (too_much_pulled, of_nodes.pulls_keep_to_their_share, "n0 pulls {"),
    (too_much_kept, of_nodes.stores_are_bounded, "keeps 1200 B in a store of 1000 B"),
    (introduced_by_nothing, of_workers.introductions_are_covered, "n0w2 keeps () for"),
    (wanted_by_nobody, of_workers.wants_are_open, "n0w2 wants n0w2.5 for 9, which does not wait for it"),
    (waits_for_nobody, of_workers.copies_agree, "n0w2 waits for nobody, or keeps somebody waiting, in"),
    (held_without_a_grant, of_workers.copies_agree, "n0w2 has 0 holds in"),
    (asked_by_the_dead, of_workers.the_dead_wait_no_more, "n0w2 would answer the dead in"),
    (value_of_nobody, of_workers.values_are_owned, "n0w2 keeps Promotion("),
    (runs_for_the_dead, of_workers.the_dead_wait_no_more, "n0w1 runs for somebody dead"),
    (never_tried_again, properties.timers_are_set, "n0w2 has set no timer for Resolution("),
    (turn_without_a_timer, properties.timers_are_set, "n0w2 has set no timer for Desk("),
    (not_evictable, of_workers.copies_rest, "n0w2 has Promotion("),
    (thread_forgotten, of_workers.threads_agree, "n0w1 has "),
    (not_in_the_queue, of_workers.pools_agree, "n0w2 has "),
    (room_for_nobody, of_nodes.rooms_agree, "n0 asks for [5] by its books, but []"),
    (room_wanted_by_nobody, of_nodes.rooms_take_turns, "n0 waits for nobody, or keeps somebody waiting, in Room("),
    (used_by_nobody, of_workers.copies_are_used, "n0w2 uses Resolution("),
    (owner_dead, of_nodes.copies_are_of_use, "n0 keeps what nobody can ask for: Copy("),
    (released_for_nobody, of_nodes.copies_are_of_use, "n0 keeps what nobody holds: Copy("),
    (too_many_bytes, of_nodes.copies_are_of_use, "n0 got more than it had asked for: Copy("),
    (reader_dead, of_nodes.lenders_live, "n0 waits for somebody dead in"),
    (nobody_asked, of_nodes.lenders_live, "n0 waits for nobody, or for somebody dead, in"),
    (worker_lost, of_nodes.offices_agree, "n0 has {"),
    (cpu_made, of_nodes.cpus_add_up, "n0 lends {} and has {"),
    (borrower_unknown, properties.borrowers_agree, "its owner knows of nobody"),
    (borrower_gone, properties.borrowers_agree, "is borrowed by nobody"),
    (two_primaries, lambda world: properties.one_primary(world.parties), "has primary copies on n0, n1"),
    (run_twice, properties.runs_once, "runs on "),
    (node_not_asked, of_workers.pools_ask_on, "n0w2 has not asked n1 for workers in Pool("),
    (death_unknown, properties.deaths_are_known, "n0w2 believes that"),
    (worker_not_expected, properties.workers_are_expected, "n0 waits for 1 workers, and 0 are to come"),
    (answer_for_nobody, of_workers.own_questions_are_open, "n0w2 asks itself {}, and is to answer itself {"),
    (kept_for_nothing, of_workers.lineage_agrees, "n0w2 "),
    (no_value, of_workers.values_are_owned, "n0w2 has no value for Ownership("),
    (asked_of_the_dead, of_workers.the_dead_wait_no_more, "n0w2 has asked, or has leased, somebody dead in Pool("),
    (pulled_no_more, of_nodes.rooms_agree, "n0 counts as pulled {5} by its books, but set()"),
    (worker_never_starts, properties.offices_rest, "n0 starts 1 workers, and has lent the dead []"),
    (lent_to_the_dead, properties.offices_rest, "n0 starts 0 workers, and has lent the dead [Loan("),
    (too_many_workers, properties.workers_are_few, "n0 has started 2 workers"),
    (copy_unknown, properties.directories_agree, "n0w2 knows of n0w2.77 on n0; copies are on n0, n1"),
]


def complaints(check: Any, world: Trial) -> list[str]:
    """What a check says of a world, or of each party in it."""
    some = world.parties.values() if check in records.CHECKS else [world]
    return [complaint for one in some for complaint in check(one)]


@pytest.mark.parametrize(("fault", "check", "said"), BROKEN, ids=[fault.__name__ for fault, _, _ in BROKEN])
def test_what_is_broken_is_found(fault: Callable[[Trial], None], check: Any, said: str) -> None:
    world = fresh()
    assert complaints(check, world) == []
    fault(world)
    found = complaints(check, world)
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
    assert all(promise.checks or promise.of_each or promise.of_two or promise.where for promise in promised)
    checks = {check.__name__ for promise in promised for check in (*promise.checks, *promise.of_each)}
    assert {check for promise in promised for check in promise.of_two} == {*pairs.CHECKS}
    known = {
        name for name, value in vars(properties).items() if getattr(value, "__module__", "") == properties.__name__
    } | {check.__name__ for check in records.CHECKS}
    helpers = {"Cluster", "Mourning", "insist", "object_agrees", "needed_is_not_released", "reached"}
    assert checks == known - helpers


def test_situations_are_rows() -> None:
    rows = {f"{t.name}.{state.name}.{event.__name__}": row for t in TABLES for (state, event), row in t.rows.items()}
    named = [row.partition(" ") for some in SOMETIMES.values() for row in some]
    assert all(name in rows and rows[name].run is not None for name, _, _ in named)
    assert all(not end or end in {state.name for state in rows[name].to} for name, _, end in named)
