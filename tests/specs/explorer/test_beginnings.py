"""What has happened before a search begins: acts in words, each with all that follows."""

from __future__ import annotations

import pytest
from tests.specs.asking import prove

from freehold.core.messages import TaskReply
from freehold.core.ownership import BORROWED, OWNED, Ownership
from freehold.core.worker import Worker
from freehold.specs.explorer.automata import System
from freehold.specs.explorer.beginnings import understood
from freehold.specs.explorer.bounds import Bounds, fates_of, permutations_of
from freehold.specs.explorer.search import search
from freehold.specs.explorer.sharing import Sharing

STORY = ("0 nests", "0 drops", "0 calls 1")


def begun(*before: str) -> list[dict[int, Ownership]]:
    """Return what each process has in its ownership table when a search begins, but for functions."""
    cluster = Sharing(Bounds(objects=2, before=before))
    found = []
    for party, state in zip(cluster.parties, cluster.first(), strict=True):
        if isinstance(party, Worker):
            party.restore(state.tables)  # type: ignore[attr-defined]
            found.append({name: r for name, r in party.ownership.items() if name not in cluster.functions})
    return found


def test_a_story_is_told_to_its_end() -> None:
    owner, reader, other = begun(*STORY)
    inner, outer = sorted(owner)
    assert owner[inner].state is OWNED and not owner[inner].local and owner[inner].containers == 1
    assert owner[outer].local and owner[outer].arguments == 1 and owner[outer].refs == (inner,)
    assert reader[outer].state is BORROWED and other == {}


def test_an_object_can_be_named() -> None:
    both = begun("0 nests")[0]
    for name, other in (("x", "y"), ("y", "x")):
        left = begun("0 nests", f"0 drops {name}")[0]
        assert {object for object in left if left[object].local} == {dict(zip("xy", sorted(both), strict=True))[other]}
    with pytest.raises(ValueError, match="'0 drops z' cannot be done then"):
        begun("0 nests", "0 drops z")


def test_what_is_sent_to_one_that_lags_is_on_its_way() -> None:
    cluster = Sharing(Bounds(before=("0 calls 1", "0 lags", "1 keeps")))
    ((target, told),) = cluster.late()
    assert (target, told.source) == (0, 1) and isinstance(told.message, TaskReply)
    (record,) = begun("0 calls 1", "0 lags", "1 keeps")[0].values()
    assert record.arguments == 1 and not record.borrowers  # it has not heard that the task is over
    found = search(System(cluster))
    assert found.exhausted and not found.violations


def test_what_a_task_keeps_is_known_to_its_owner() -> None:
    (one,) = begun("0 calls 1", "1 keeps")[0].values()
    assert len(one.borrowers) == 1 and not one.arguments


def test_who_has_a_story_is_not_like_others() -> None:
    plain, told = Bounds(deaths=1), Bounds(deaths=1, before=STORY)
    assert [*permutations_of(plain)] and not [*permutations_of(told)]
    assert len([*fates_of(plain)]) == 2 and len([*fates_of(told)]) == 3


@pytest.mark.parametrize(
    "words",
    [
        "",
        "0",
        "0 flies",
        "x puts",
        "0 calls",
        "0 calls 1 2",
        "0 puts 1",
        "3 puts",
        "0 calls 3",
        "-1 puts",
        "0 drops 1",
        "0 puts x",
        "0 lags 1",
        "0 calls x",
    ],
)
def test_what_is_no_act_is_refused(words: str) -> None:
    with pytest.raises(ValueError, match="is no act; an act is the number of one of 3 processes, from 0 on, and puts"):
        understood(words, 3)


def test_what_cannot_be_done_is_refused() -> None:
    with pytest.raises(ValueError, match="'1 calls 0' cannot be done then"):
        begun("1 calls 0")


def test_a_counterexample_tells_the_story_first() -> None:
    story = [word for act in STORY for word in ("--before", act)]
    code, said = prove(
        "explore", "--objects", "2", "--acts", "4", "--calls", "1", "--deaths", "1", "--borrower-death", "ray", *story
    )
    first = said.partition("The program:\n")[2].splitlines()[:4]
    assert code == 1 and first == [
        "n0w1: x = put(...)",
        "n0w1: y = put([x])",
        "n0w1: del x",
        "n0w1: f.remote([y])  # runs on n1w1",
    ]
    code, said = prove("explore", "--before", "0 flies")
    assert code == 2 and "'0 flies' is no act" in said
