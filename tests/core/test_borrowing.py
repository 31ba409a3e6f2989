"""Rows of the ownership table about deaths: who may have lent an object on is kept until all who hold it are known."""

from __future__ import annotations

from typing import Any

import pytest
from immutables import Map

from freehold.core.events import HolderDied, ObjectReleased, ObjectUnused, OwnerDied, Unpinned
from freehold.core.ids import HEAD, node_id, object_id, worker_id
from freehold.core.inquest_events import BorrowerLost, HoldingAsked, HoldingTold, InquestOver, InquestWanted
from freehold.core.ownership import (
    BORROWED,
    INTRODUCING,
    LINGERING,
    ORPHANED,
    OWNED,
    REGISTERED,
    UNHELD,
    Asked,
    Ownership,
    Owning,
)
from freehold.core.policies import Policy

ME, OWNER = worker_id(HEAD, 1), worker_id(node_id(1), 1)
B, C = worker_id(HEAD, 2), worker_id(HEAD, 3)
MINE, THEIRS, OUTER = object_id(ME, 7), object_id(OWNER, 7), object_id(OWNER, 9)
RAY = Policy(borrower_death="ray")
UNUSED = ObjectUnused(THEIRS)
RELEASED = ObjectReleased(MINE), ObjectUnused(MINE)
QUESTION = (OWNER, 5)

Case = tuple[str, Ownership, Any, Ownership | None, Any]


def own(**fields: Any) -> Ownership:
    return Ownership(MINE, OWNED, **fields)


def other(state: Owning = BORROWED, **fields: Any) -> Ownership:
    return Ownership(THEIRS, state, **fields)


def asked(**attempts: int) -> Map[int, Asked]:
    return Map({{"b": B, "c": C}[name]: Asked(attempt) for name, attempt in attempts.items()})


def unchanged(name: str, before: Ownership, event: Any) -> Case:
    return name, before, event, before, ()


DIED, LOST, OVER = HolderDied(MINE, B), BorrowerLost(MINE, B), InquestOver(MINE, B)
WANTED = (InquestWanted(MINE, B),)
AT_ITS_OWNER: list[Case] = [
    ("a borrower died", own(borrowers=asked(b=5)), DIED, own(borrowers=asked(b=0)), WANTED),
    unchanged("that is being found out", own(borrowers=asked(b=0)), DIED),
    (
        "what is inside may have been taken out",
        own(refs=(THEIRS,), borrowers=asked(b=5)),
        DIED,
        own(refs=(THEIRS,), borrowers=asked(b=0)),
        (*WANTED, BorrowerLost(THEIRS, B)),
    ),
    (
        "an executor died that could read it",
        own(refs=(THEIRS,), arguments=1),
        LOST,
        own(refs=(THEIRS,), arguments=1, borrowers=asked(b=0)),
        (*WANTED, BorrowerLost(THEIRS, B)),
    ),
    unchanged("somebody else died", own(borrowers=asked(c=6)), DIED),
    ("an executor died", own(arguments=1), LOST, own(arguments=1, borrowers=asked(b=0)), WANTED),
    ("an executor that is a borrower", own(borrowers=asked(b=5)), LOST, own(borrowers=asked(b=5)), WANTED),
    ("all are known", own(borrowers=asked(b=5, c=6)), OVER, own(borrowers=asked(c=6)), (ObjectUnused(MINE),)),
    ("it was the last borrower", own(borrowers=asked(b=5)), OVER, None, RELEASED),
    (
        "all but for what was reported meanwhile",
        own(borrowers=Map({B: Asked(5, True)})),
        OVER,
        own(borrowers=asked(b=5)),
        WANTED,
    ),
    (
        "what is inside in two ways is looked into once",
        own(refs=(THEIRS,), arguments=1, borrowers=asked(b=0)),
        LOST,
        own(refs=(THEIRS,), arguments=1, borrowers=asked(b=0)),
        WANTED,
    ),
    unchanged("it was found out before", own(borrowers=asked(c=6)), OVER),
    unchanged("the object is gone", Ownership(MINE), OVER),
]

AT_A_BORROWER: list[Case] = [
    *[
        unchanged(f"{state.name}: it was lent to the dead", other(state, lent=(B,)), HolderDied(THEIRS, B))
        for state in (BORROWED, INTRODUCING, REGISTERED, LINGERING)
    ],
    *[
        (
            f"{state.name}: an executor died",
            other(state, arguments=1, lent=(C,)),
            BorrowerLost(THEIRS, B),
            other(state, arguments=1, lent=(B, C)),
            (),
        )
        for state in (BORROWED, INTRODUCING, REGISTERED)
    ],
    unchanged("nobody is left to tell of an executor", other(ORPHANED, arguments=1), BorrowerLost(THEIRS, B)),
    *[unchanged(f"{state.name}: a death", other(state), HolderDied(THEIRS, B)) for state in (UNHELD, ORPHANED)],
    *[unchanged(f"{state.name}: the owner", other(state), OwnerDied(THEIRS)) for state in (UNHELD, ORPHANED)],
    ("the owner", other(pins=1, lent=(B,)), OwnerDied(THEIRS), other(ORPHANED, pins=1), ()),
    (
        "the owner, introducing",
        other(INTRODUCING, local=True, covers=(OUTER,)),
        OwnerDied(THEIRS),
        other(ORPHANED, local=True),
        (Unpinned(OUTER),),
    ),
    (
        "the owner, introducing and dropped",
        other(INTRODUCING, lent=(B,), covers=(OUTER,)),
        OwnerDied(THEIRS),
        None,
        (UNUSED, Unpinned(OUTER)),
    ),
    (
        "the owner, registered",
        other(REGISTERED, pins=1, asked=5),
        OwnerDied(THEIRS),
        other(ORPHANED, pins=1, asked=5),
        (),
    ),
    ("the owner, lingering", other(LINGERING, lent=(B,)), OwnerDied(THEIRS), None, (UNUSED,)),
]

HELD, UNKNOWN = (HoldingTold(QUESTION, THEIRS, True),), (HoldingTold(QUESTION, THEIRS, False),)
TESTIMONY: list[Case] = [
    *[
        (
            f"{state.name}: the owner may not know",
            other(state, lent=(B,)),
            HoldingAsked(THEIRS, QUESTION),
            other(state, lent=(B,), vouched=True),
            HELD,
        )
        for state in (BORROWED, INTRODUCING, LINGERING)
    ],
    *[
        (f"{state.name}: nothing to tell", other(state), HoldingAsked(THEIRS, QUESTION), other(state), UNKNOWN)
        for state in (UNHELD, OWNED, REGISTERED, ORPHANED)
    ],
]

ROWS = {"at its owner": AT_ITS_OWNER, "at a borrower": AT_A_BORROWER, "who holds it": TESTIMONY}


@pytest.mark.parametrize(
    ("before", "event", "after", "out"),
    [pytest.param(*case, id=f"{section}: {name}") for section, cases in ROWS.items() for name, *case in cases],
)
def test_a_row(step: Any, before: Ownership, event: Any, after: Ownership | None, out: Any) -> None:
    assert step(before, event) == (after, out)


BY_RAY_S_RULE: list[Case] = [
    ("a borrower", own(local=True, borrowers=asked(b=5, c=6)), DIED, own(local=True, borrowers=asked(c=6)), ()),
    ("the last borrower", own(borrowers=asked(b=5)), DIED, None, RELEASED),
    unchanged("an executor", own(arguments=1), LOST),
    unchanged("an executor, at a borrower", other(arguments=1), BorrowerLost(THEIRS, B)),
    ("lent to", other(pins=1, lent=(B, C)), HolderDied(THEIRS, B), other(pins=1, lent=(C,)), ()),
    ("one to report is left", other(LINGERING, lent=(B, C)), HolderDied(THEIRS, B), other(LINGERING, lent=(C,)), ()),
    ("none to report is left", other(LINGERING, lent=(B,)), HolderDied(THEIRS, B), None, ()),
]


@pytest.mark.parametrize(
    ("before", "event", "after", "out"), [pytest.param(*case, id=name) for name, *case in BY_RAY_S_RULE]
)
def test_ray_s_rule(step: Any, before: Ownership, event: Any, after: Ownership | None, out: Any) -> None:
    assert step(before, event, policy=RAY) == (after, out)
