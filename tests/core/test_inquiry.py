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
X = object_id(OWNER, 7)
NAME = (OWNER, 5)
HEADQUARTERS, BRANCH = Node(HEAD, 0, ()), Node(NEAR, 0, ())
QUESTION, FOUND = HoldersQuery(NAME, (X,)), ((X, W),)

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
        HoldersAsked(NAME, (X,), (W, V)),
        Inquiry(NAME, HEARING, waiting=frozenset({W, V})),
        (Send(W, QUESTION), Send(V, QUESTION)),
    ),
    (
        "a node without workers answers for itself",
        BRANCH,
        Inquiry(NAME),
        HoldersAsked(NAME, (X,), ()),
        None,
        (Send(HEAD, HoldersReply(NAME, NEAR)),),
    ),
    (
        "one has answered",
        BRANCH,
        Inquiry(NAME, HEARING, waiting=frozenset({W, V})),
        HoldersReply(NAME, W, FOUND),
        Inquiry(NAME, HEARING, waiting=frozenset({V}), found=FOUND),
        (),
    ),
    (
        "the last: the node answers",
        BRANCH,
        Inquiry(NAME, HEARING, waiting=frozenset({V}), found=FOUND),
        HoldersReply(NAME, V),
        None,
        (Send(HEAD, HoldersReply(NAME, NEAR, FOUND)),),
    ),
    (
        "the last has died",
        BRANCH,
        Inquiry(NAME, HEARING, waiting=frozenset({V})),
        WitnessDied(NAME, V),
        None,
        (Send(HEAD, HoldersReply(NAME, NEAR)),),
    ),
    (
        "all have come so far: now they are asked",
        HEADQUARTERS,
        Inquiry(NAME, CONVENING, (X,), frozenset({NEAR})),
        HoldersReply(NAME, NEAR),
        Inquiry(NAME, HEARING, (X,)),
        (HoldersWanted(NAME, (X,)),),
    ),
    (
        "all have answered",
        HEADQUARTERS,
        Inquiry(NAME, HEARING, (X,), frozenset({NEAR}), FOUND),
        HoldersReply(NAME, NEAR),
        None,
        (Send(OWNER, InquestReply(5, FOUND)),),
    ),
    (
        "somebody has died meanwhile",
        HEADQUARTERS,
        Inquiry(NAME, HEARING, (X,), frozenset({NEAR})),
        WitnessDied(NAME, V),
        Inquiry(NAME, HEARING, (X,), frozenset({NEAR}), anew=True),
        (),
    ),
    (
        "then it begins anew",
        HEADQUARTERS,
        Inquiry(NAME, HEARING, (X,), frozenset({NEAR}), FOUND, True),
        HoldersReply(NAME, NEAR),
        Inquiry(NAME, CONVENING, (X,), frozenset(), FOUND),
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
    for event in (NodeNotice(HEAD, ()), NodeNotice(NEAR, ()), WorkerStarted(W, False), WorkerStarted(V, False)):
        node.handle(event)
    return node


def test_the_head_node_asks_all_nodes_and_its_own_workers_twice() -> None:
    node, seen = head_node(), HoldersQuery(NAME, ())
    assert asked(node, InquestQuery(NAME, (X,))) == [(NEAR, seen), (W, seen), (V, seen)]
    assert asked(node, HoldersReply(NAME, NEAR)) == asked(node, HoldersReply(NAME, W)) == []
    assert asked(node, HoldersReply(NAME, V)) == [(NEAR, QUESTION), (W, QUESTION), (V, QUESTION)]


@pytest.mark.rule(id="inquest-ask")
def test_the_news_of_a_death_goes_before_the_question_that_it_begins_anew() -> None:
    node, seen = head_node(), HoldersQuery(NAME, ())
    asked(node, InquestQuery(NAME, (X,)))
    asked(node, HoldersReply(NAME, NEAR))
    asked(node, HoldersReply(NAME, W))
    said = asked(node, PeerLost(V))
    assert [type(message).__name__ for _, message in said] == ["DeathNotice", "DeathNotice", *["HoldersQuery"] * 2]
    assert said[2:] == [(NEAR, seen), (W, seen)]


def test_who_is_dead_is_told_once_to_every_open_question() -> None:
    node = head_node()
    node.inquiries[NAME] = Inquiry(NAME, HEARING)
    assert WitnessDied(NAME, V) in node.spread(PartyDied(V))
    assert WitnessDied(NAME, V) not in node.spread(PartyDied(V, again=True))
