"""What must be true of one party's records: each check finds what it is to find."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from immutables import Map
from tests.specs.worlds import ONE, assert_found, fresh, node, program, running

from freehold.core.copy import PRIMARY, PULLING, RETIRING, SECONDARY, Copy
from freehold.core.execution import KEPT, QUEUED, Execution
from freehold.core.ids import object_id
from freehold.core.inquiry import HEARING, Inquiry
from freehold.core.leasing import LEASING, Pool
from freehold.core.machine import replace
from freehold.core.membership import DEAD, Member
from freehold.core.ownership import INTRODUCING, OWNED, Ownership
from freehold.core.promotion import INLINE, PENDING, PLACED, Promotion
from freehold.core.resolution import ASKING, CACHED, LOCAL, Resolution
from freehold.core.room import AWAITING, Ask
from freehold.core.running import READY
from freehold.core.values import Payload, Want
from freehold.specs.records import agree, of_nodes, of_workers
from freehold.specs.walks.trial import CPUS, Trial


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


def not_evictable(world: Trial) -> None:
    me = program(world)
    object = object_id(me.me, 5)
    me.ownership[object] = Ownership(object, OWNED, lineage=1)
    me.promotion[object] = Promotion(object, PLACED, nodes=(ONE,))


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
    node(world, ONE).copies[5] = Copy(5, PULLING, nbytes=10, arrived=10, askers=Map({77: 1}))


def a_byte_twice(world: Trial) -> None:
    chunk = node(world, ONE).policy.chunk_bytes
    node(world, ONE).copies[5] = Copy(5, PULLING, nbytes=10 * chunk, asked=chunk - 1, askers=Map({77: 1}))


def pulled_for_nobody(world: Trial) -> None:
    node(world, ONE).copies[5] = Copy(5, PULLING, nbytes=10)


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


def node_not_asked(world: Trial) -> None:
    program(world).pools[CPUS, 0] = Pool((CPUS, 0), LEASING, queue=Map({0: 7}), last=1, asked=Map({ONE: 3}))
    program(world).pools[CPUS, 0] = replace(program(world).pools[CPUS, 0], busy=Map({ONE: 3}))


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
    (not_evictable, of_workers.copies_rest, "n0w2 has Promotion("),
    (thread_forgotten, of_workers.threads_agree, "n0w1 has "),
    (not_in_the_queue, of_workers.pools_agree, "n0w2 has "),
    (room_for_nobody, of_nodes.rooms_agree, "n0 asks for [5] by its books, but []"),
    (room_wanted_by_nobody, of_nodes.rooms_take_turns, "n0 waits for nobody, or keeps somebody waiting, in Room("),
    (used_by_nobody, of_workers.copies_are_used, "n0w2 uses Resolution("),
    (owner_dead, of_nodes.copies_are_of_use, "n0 keeps what nobody can ask for: Copy("),
    (released_for_nobody, of_nodes.copies_are_of_use, "n0 keeps what nobody holds: Copy("),
    (pulled_for_nobody, of_nodes.copies_are_of_use, "n0 pulls for nobody: Copy("),
    (too_many_bytes, of_nodes.copies_are_of_use, "n0 got more than it had asked for: Copy("),
    (a_byte_twice, of_nodes.copies_are_of_use, "n0 asks for a byte twice, or never: Copy("),
    (reader_dead, of_nodes.lenders_live, "n0 waits for somebody dead in"),
    (nobody_asked, of_nodes.lenders_live, "n0 waits for nobody, or for somebody dead, in"),
    (worker_lost, of_nodes.offices_agree, "n0 has {"),
    (cpu_made, of_nodes.cpus_add_up, "n0 lends {} and has {"),
    (node_not_asked, of_workers.pools_ask_on, "n0w2 has not asked n1 for workers in Pool("),
    (answer_for_nobody, of_workers.own_questions_are_open, "n0w2 asks itself {}, and is to answer itself {"),
    (kept_for_nothing, of_workers.lineage_agrees, "n0w2 "),
    (no_value, of_workers.owners_have_values, "n0w2 has no value for Ownership("),
    (asked_of_the_dead, of_workers.the_dead_wait_no_more, "n0w2 has asked, or has leased, somebody dead in Pool("),
    (pulled_no_more, of_nodes.rooms_agree, "n0 counts as pulled {5} by its books, but set()"),
]


@pytest.mark.parametrize(("fault", "check", "said"), BROKEN, ids=[fault.__name__ for fault, _, _ in BROKEN])
def test_what_is_broken_is_found(fault: Callable[[Trial], None], check: Any, said: str) -> None:
    assert_found(fault, check, said)


def test_where_two_have_lost_each_other_a_value_may_be_gone() -> None:
    """One that was given up, and does not know it yet, hands on what was released behind its back."""
    world = fresh()
    no_value(world)
    me = program(world)
    assert [*agree(me, calm=False)] == []
    assert "has no value for Ownership(" in next(agree(me))
