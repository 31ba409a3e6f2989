"""The inquiry: all have heard the news before anybody is asked, all are asked, and a death begins it anew."""

from __future__ import annotations

from typing import Any

import pytest

from freehold.core.effects import Send
from freehold.core.ids import HEAD, node_id, object_id, worker_id
from freehold.core.inquest_events import HoldersAsked, HoldersWanted, WitnessDied
from freehold.core.inquiry import CONVENING, HEARING, Inquiry
from freehold.core.messages import HoldersQuery, HoldersReply, InquestQuery, InquestReply
from freehold.core.node import Node
from freehold.core.node_events import PartyDied, PeerLost
from freehold.core.node_messages import NodeNotice
from freehold.core.task_events import WorkerStarted

NEAR = node_id(1)
OWNER, W, V = worker_id(NEAR, 1), worker_id(HEAD, 1), worker_id(HEAD, 2)
X, Y = object_id(OWNER, 7), object_id(OWNER, 8)
NAME = (OWNER, 5)
HEADQUARTERS, BRANCH = Node(HEAD, 0, ()), Node(NEAR, 0, ())
QUESTION, FOUND = HoldersQuery(NAME, 101, (X,)), ((X, W),)
ASKED, OWN = 3, 101  # the attempt to answer, and that of our own question

Case = tuple[str, Node, Inquiry, Any, Inquiry | None, Any]
CASES: list[Case] = [
    (
        "an owner's question goes up",
        BRANCH,
        Inquiry(NAME),
        InquestQuery(NAME, (X,)),
        None,
        (Send(HEAD, InquestQuery(NAME, (X,))),),
    ),
    (
        "at the head node the first thing is that all have come so far",
        HEADQUARTERS,
        Inquiry(NAME),
        InquestQuery(NAME, (X,)),
        Inquiry(NAME, CONVENING, (X,)),
        (HoldersWanted(NAME, ()),),
    ),
    (
        "everybody below is asked",
        BRANCH,
        Inquiry(NAME),
        HoldersAsked(NAME, ASKED, (X,), (W, V)),
        Inquiry(NAME, HEARING, (), ASKED, OWN, frozenset({W, V})),
        (Send(W, QUESTION), Send(V, QUESTION)),
    ),
    (
        "a node without workers answers for itself",
        BRANCH,
        Inquiry(NAME),
        HoldersAsked(NAME, ASKED, (X,), ()),
        None,
        (Send(HEAD, HoldersReply(NAME, ASKED, NEAR)),),
    ),
    (
        "one has answered",
        BRANCH,
        Inquiry(NAME, HEARING, (), ASKED, OWN, frozenset({W, V})),
        HoldersReply(NAME, OWN, W, FOUND),
        Inquiry(NAME, HEARING, (), ASKED, OWN, frozenset({V}), FOUND),
        (),
    ),
    (
        "the last: the node answers",
        BRANCH,
        Inquiry(NAME, HEARING, (), ASKED, OWN, frozenset({V}), FOUND),
        HoldersReply(NAME, OWN, V),
        None,
        (Send(HEAD, HoldersReply(NAME, ASKED, NEAR, FOUND)),),
    ),
    (
        "the last has died",
        BRANCH,
        Inquiry(NAME, HEARING, (), ASKED, OWN, frozenset({V})),
        WitnessDied(NAME, V),
        None,
        (Send(HEAD, HoldersReply(NAME, ASKED, NEAR)),),
    ),
    (
        "all have come so far: now they are asked",
        HEADQUARTERS,
        Inquiry(NAME, CONVENING, (X,), 0, OWN, frozenset({NEAR})),
        HoldersReply(NAME, OWN, NEAR),
        Inquiry(NAME, HEARING, (X,), 0, OWN),
        (HoldersWanted(NAME, (X,)),),
    ),
    (
        "all have answered",
        HEADQUARTERS,
        Inquiry(NAME, HEARING, (X,), 0, OWN, frozenset({NEAR}), FOUND),
        HoldersReply(NAME, OWN, NEAR),
        None,
        (Send(OWNER, InquestReply(5, FOUND)),),
    ),
    (
        "somebody has died meanwhile",
        HEADQUARTERS,
        Inquiry(NAME, HEARING, (X,), 0, OWN, frozenset({NEAR})),
        WitnessDied(NAME, V),
        Inquiry(NAME, HEARING, (X,), 0, OWN, frozenset({NEAR}), anew=True),
        (),
    ),
    (
        "then it begins anew",
        HEADQUARTERS,
        Inquiry(NAME, HEARING, (X,), 0, OWN, frozenset({NEAR}), FOUND, True),
        HoldersReply(NAME, OWN, NEAR),
        Inquiry(NAME, CONVENING, (X,), 0, OWN, frozenset(), FOUND),
        (HoldersWanted(NAME, ()),),
    ),
]


@pytest.mark.parametrize(
    ("here", "before", "event", "after", "out"), [pytest.param(*case, id=name) for name, *case in CASES]
)
def test_a_row(step: Any, here: Node, before: Inquiry, event: Any, after: Inquiry | None, out: Any) -> None:
    assert step(before, event, here) == (after, out)


def asked(node: Node, event: Any) -> list[tuple[int, Any]]:
    """What a node says to whom when it is told something."""
    return [(effect.target, effect.message) for _, effect in node.handle(event) if isinstance(effect, Send)]


def head_node() -> Node:
    node = Node(HEAD, 0, ())
    for event in (NodeNotice(((HEAD, ()), (NEAR, ()))), WorkerStarted(W, False), WorkerStarted(V, False)):
        node.handle(event)
    return node


def test_the_head_node_asks_all_nodes_and_its_own_workers_twice() -> None:
    node, seen, question = head_node(), HoldersQuery(NAME, 1, ()), HoldersQuery(NAME, 2, (X,))
    assert asked(node, InquestQuery(NAME, (X,))) == [(NEAR, seen), (W, seen), (V, seen)]
    assert asked(node, HoldersReply(NAME, 1, NEAR)) == asked(node, HoldersReply(NAME, 1, W)) == []
    assert asked(node, HoldersReply(NAME, 1, V)) == [(NEAR, question), (W, question), (V, question)]


@pytest.mark.rule(id="inquest-ask")
def test_the_news_of_a_death_goes_before_the_question_that_it_begins_anew() -> None:
    node, seen = head_node(), HoldersQuery(NAME, 2, ())
    asked(node, InquestQuery(NAME, (X,)))
    asked(node, HoldersReply(NAME, 1, NEAR))
    asked(node, HoldersReply(NAME, 1, W))
    said = asked(node, PeerLost(V))
    assert [type(message).__name__ for _, message in said] == ["DeathNotice", "DeathNotice", *["HoldersQuery"] * 2]
    assert said[2:] == [(NEAR, seen), (W, seen)]


def test_who_is_dead_is_told_once_to_every_open_question() -> None:
    node = head_node()
    node.inquiries[NAME] = Inquiry(NAME, HEARING)
    assert WitnessDied(NAME, V) in node.spread(PartyDied(V))
    assert WitnessDied(NAME, V) not in node.spread(PartyDied(V, again=True))


def test_who_was_first_to_answer_makes_no_difference() -> None:
    found: dict[int, Any] = {W: ((X, W), (Y, W)), V: ((X, V),)}
    for first, second in ((W, V), (V, W)):
        node = Node(NEAR, 0, ())
        node.handle(HoldersAsked(NAME, ASKED, (X, Y), (W, V)))
        assert asked(node, HoldersReply(NAME, 1, first, found[first])) == []
        (answer,) = asked(node, HoldersReply(NAME, 1, second, found[second]))
        assert answer == (HEAD, HoldersReply(NAME, ASKED, NEAR, ((X, W), (X, V), (Y, W))))
