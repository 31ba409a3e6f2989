"""Membership, row by row: in this record, this event gives this record and asks for this."""

from __future__ import annotations

from typing import Any

import pytest

from freehold.core.effects import Kill, Send
from freehold.core.ids import COUNTER_BITS, HEAD, node_id, object_id, worker_id
from freehold.core.leasing import Pool
from freehold.core.membership import ALIVE, DEAD, MISSING, UNKNOWN, Living, Member
from freehold.core.messages import BorrowNotice
from freehold.core.node import Node
from freehold.core.node_events import Announced, NodeJoined, PartyDied, PeerLost
from freehold.core.node_messages import DeathNotice, LossNotice, NodeNotice
from freehold.core.party import Party
from freehold.core.task_events import NodesChanged, WorkerGone, WorkerStarted
from freehold.core.values import Shape
from freehold.core.worker import Worker

NEAR, FAR = node_id(1), node_id(2)
MINE, OTHERS = worker_id(NEAR, 1), worker_id(FAR, 1)
CPUS: Shape = (("CPU", 2.0),)

Case = tuple[str, Party, Member, Any, Member, Any]


def head() -> Node:
    return Node(HEAD, 1000, ())


def node() -> Node:
    return Node(NEAR, 1000, ())


def worker() -> Worker:
    return Worker(MINE)


def alive(party: int) -> Member:
    return Member(party, ALIVE, CPUS)


def dead(party: int, resources: Shape = ()) -> Member:
    return Member(party, DEAD, resources)


def lost(party: int, resources: Shape = ()) -> Member:
    return Member(party, MISSING, resources)


def gone(party: int) -> tuple[Any, Any]:
    return PartyDied(party), Announced(party)


CAME = NodeJoined(FAR, CPUS)
ARRIVALS: list[Case] = [
    ("to the head", head(), Member(FAR), CAME, alive(FAR), ()),
    ("to a node", node(), Member(FAR), CAME, alive(FAR), ()),
    ("to a worker", worker(), Member(FAR), CAME, alive(FAR), ()),
]

TOLD: list[Case] = [
    ("to a node: it passes it on", node(), alive(FAR), DeathNotice(FAR), dead(FAR, CPUS), gone(FAR)),
    (
        "to a node, of its own worker: if it is not dead yet, it is now",
        node(),
        Member(MINE),
        DeathNotice(MINE),
        dead(MINE),
        (Kill(MINE), *gone(MINE)),
    ),
    (
        "to a node, of itself: it ends",
        node(),
        alive(NEAR),
        DeathNotice(NEAR),
        dead(NEAR, CPUS),
        (Kill(NEAR), *gone(NEAR)),
    ),
    (
        "to the head, of a node: it hears of that",
        head(),
        alive(FAR),
        DeathNotice(FAR),
        dead(FAR, CPUS),
        (Send(FAR, DeathNotice(FAR)), *gone(FAR)),
    ),
    ("to a node, of a worker it did not know", node(), Member(OTHERS), DeathNotice(OTHERS), dead(OTHERS), gone(OTHERS)),
    ("to a worker: it keeps it to itself", worker(), alive(FAR), DeathNotice(FAR), dead(FAR, CPUS), (PartyDied(FAR),)),
    ("to a worker that has lost it", worker(), lost(OTHERS), DeathNotice(OTHERS), dead(OTHERS), (PartyDied(OTHERS),)),
    ("to a worker, of another", worker(), Member(OTHERS), DeathNotice(OTHERS), dead(OTHERS), (PartyDied(OTHERS),)),
]

(DIED, NEWS), REPORT = gone(MINE), Send(HEAD, DeathNotice(MINE))
AGAIN = PartyDied(OTHERS, again=True)
BROKEN: list[Case] = [
    (
        "of a worker to another: the head node is to decide",
        worker(),
        Member(OTHERS),
        PeerLost(OTHERS),
        lost(OTHERS),
        (Send(NEAR, LossNotice(OTHERS, MINE)),),
    ),
    (
        "of a worker to a node",
        worker(),
        alive(FAR),
        PeerLost(FAR),
        lost(FAR, CPUS),
        (Send(NEAR, LossNotice(FAR, MINE)),),
    ),
    ("of a worker to its own node", worker(), alive(NEAR), PeerLost(NEAR), dead(NEAR, CPUS), (PartyDied(NEAR),)),
    ("of a worker to the head node", worker(), alive(HEAD), PeerLost(HEAD), dead(HEAD, CPUS), (PartyDied(HEAD),)),
    (
        "of a node to its worker: so it is for all",
        node(),
        Member(MINE),
        PeerLost(MINE),
        dead(MINE),
        (Kill(MINE), DIED, REPORT, NEWS),
    ),
    (
        "of a node to another's worker: the head node is to decide",
        node(),
        Member(OTHERS),
        PeerLost(OTHERS),
        lost(OTHERS),
        (Send(HEAD, LossNotice(OTHERS, NEAR)),),
    ),
    (
        "of a node to another",
        node(),
        alive(FAR),
        PeerLost(FAR),
        lost(FAR, CPUS),
        (Send(HEAD, LossNotice(FAR, NEAR)),),
    ),
    ("of a node to the head node", node(), alive(HEAD), PeerLost(HEAD), dead(HEAD, CPUS), gone(HEAD)),
    ("of the head to a node: so it is for all", head(), alive(FAR), PeerLost(FAR), dead(FAR, CPUS), gone(FAR)),
    (
        "of the head to its worker",
        head(),
        Member(worker_id(HEAD, 1)),
        PeerLost(worker_id(HEAD, 1)),
        dead(worker_id(HEAD, 1)),
        (Kill(worker_id(HEAD, 1)), *gone(worker_id(HEAD, 1))),
    ),
    ("of the head to another's worker", head(), Member(OTHERS), PeerLost(OTHERS), dead(OTHERS), gone(OTHERS)),
    ("once more: something was sent there", node(), dead(OTHERS), PeerLost(OTHERS), dead(OTHERS), (AGAIN,)),
]

ROWS = {"a node came": ARRIVALS, "a death was told": TOLD, "a link broke": BROKEN}


@pytest.mark.parametrize(
    ("here", "before", "event", "after", "out"),
    [pytest.param(*case, id=f"{section}: {name}") for section, cases in ROWS.items() for name, *case in cases],
)
def test_a_row(step: Any, here: Party, before: Member, event: Any, after: Member, out: Any) -> None:
    assert step(before, event, here) == (after, out)


@pytest.mark.parametrize("state", [UNKNOWN, ALIVE, MISSING], ids=lambda state: state.name)
def test_a_death_is_a_death_whether_the_party_was_known_or_not(step: Any, state: Living) -> None:
    assert step(Member(FAR, state), DeathNotice(FAR)) == (dead(FAR), (PartyDied(FAR),))
    assert step(Member(FAR, state), PeerLost(FAR))[0] == lost(FAR)


def test_the_office_of_a_node_hears_of_a_death_once() -> None:
    assert list(node().spread(PartyDied(MINE))) == [WorkerGone(MINE)]
    assert list(node().spread(AGAIN)) == []


def told(party: Party, event: Any, by: int) -> list[Any]:
    """What a party asks for when another tells it something."""
    return [effect for _, effect in party.handle(event, 0.0, by << COUNTER_BITS | 1)]


def test_a_broken_link_is_reported_up_to_the_head_node() -> None:
    lost = LossNotice(OTHERS, MINE)
    assert told(node(), lost, MINE) == [Send(HEAD, lost)]


@pytest.mark.rule(id="member-loses")
def test_of_two_that_have_lost_each_other_the_first_to_say_so_lives_on() -> None:
    here = head()
    for name in (NEAR, FAR):
        here.handle(NodeNotice(((name, CPUS),)))
    news = [Send(node, DeathNotice(OTHERS)) for node in (NEAR, FAR)]
    assert told(here, LossNotice(OTHERS, MINE), NEAR) == news
    assert told(here, LossNotice(MINE, OTHERS), FAR) == []


@pytest.mark.rule(id="member-joins")
def test_of_many_that_come_at_once_everybody_hears_in_one_message() -> None:
    """The head node tells those that were there of the new ones, and these of all, each of itself last."""
    here, mine = head(), worker_id(HEAD, 1)
    here.handle(NodeNotice(((HEAD, CPUS),)))
    here.handle(WorkerStarted(mine, False))
    near, far = (NEAR, CPUS), (FAR, ())
    assert told(here, NodeNotice((near,)), 0) == [
        Send(mine, NodeNotice((near,))),
        Send(NEAR, NodeNotice(((HEAD, CPUS), near))),
    ]
    assert told(here, NodeNotice((near, far)), 0) == [
        Send(NEAR, NodeNotice((far,))),
        Send(mine, NodeNotice((far,))),
        Send(FAR, NodeNotice(((HEAD, CPUS), near, far))),
    ]
    assert told(here, NodeNotice((near, far)), 0) == []
    there = node()
    there.handle(WorkerStarted(MINE))
    news = NodeNotice(((HEAD, CPUS), near))
    assert told(there, news, HEAD) == [Send(MINE, news)]


@pytest.mark.rule(id="member-joins")
def test_a_worker_looks_anew_where_its_tasks_can_run_when_a_node_has_come() -> None:
    here, key = worker(), (CPUS, 0)
    here.pools[key] = Pool(key)
    assert [*here.spread(NodeNotice(((FAR, CPUS),)))] == [NodeJoined(FAR, CPUS), NodesChanged(key)]
    here.handle(NodeNotice(((FAR, CPUS),)))
    assert [*here.spread(NodeNotice(((FAR, CPUS),)))] == []


@pytest.mark.rule(id="member-dies")
def test_who_comes_later_is_told_of_the_dead() -> None:
    """What it sends to one of them would wait for an answer for ever."""
    here = head()
    here.handle(NodeNotice(((HEAD, CPUS),)))
    here.handle(DeathNotice(OTHERS))
    dead = DeathNotice(OTHERS)
    assert told(here, NodeNotice(((NEAR, CPUS),)), 0)[-1] == Send(NEAR, dead)
    mine = worker_id(HEAD, 2)
    assert told(here, WorkerStarted(mine), 0)[-1] == Send(mine, dead)


def test_a_worker_that_has_lost_the_program_has_to_go() -> None:
    here, program = head(), worker_id(HEAD, 1)
    for event in (NodeNotice(((NEAR, CPUS),)), WorkerStarted(program, False)):
        here.handle(event)
    assert told(here, LossNotice(program, MINE), NEAR) == [
        Send(NEAR, DeathNotice(MINE)),
        Send(program, DeathNotice(MINE)),
    ]


@pytest.mark.rule(id="member-loses")
def test_nobody_takes_the_head_node_for_dead() -> None:
    here = head()
    assert told(here, LossNotice(HEAD, MINE), NEAR) == [] and HEAD not in here.members.dead


@pytest.mark.rule(id="member-dies")
@pytest.mark.parametrize("gone", [OTHERS, FAR], ids=["itself", "with its node"])
def test_the_dead_are_not_listened_to(gone: int) -> None:
    here = worker()
    here.handle(DeathNotice(gone))
    before = here.snapshot()
    assert told(here, BorrowNotice((object_id(MINE, 1),), OTHERS), OTHERS) == [] and here.snapshot() == before
    assert told(here, BorrowNotice((object_id(MINE, 1),), MINE + 1), MINE + 1) != []


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (ALIVE, CAME),
        (MISSING, CAME),
        (MISSING, PeerLost(FAR)),
        (DEAD, CAME),
        (DEAD, DeathNotice(FAR)),
        (DEAD, LossNotice(FAR, MINE)),
    ],
)
def test_nothing_changes(step: Any, state: Living, event: Any) -> None:
    before = Member(FAR, state, CPUS)
    assert step(before, event) == (before, ())
