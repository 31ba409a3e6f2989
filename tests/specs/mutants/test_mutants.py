"""Mutants of the tables are made of what rows are seen to do, and looked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial

import pytest
from tests.specs.asking import prove

from freehold.core.events import ArgumentDone, Lent, RefDropped
from freehold.core.messages import ReleaseQuery, ReleaseReply
from freehold.core.node_messages import PullReply
from freehold.core.ownership import BORROWED, OWNED, REGISTERED, UNHELD
from freehold.core.resolution import PULLING
from freehold.specs.explorer import beside
from freehold.specs.explorer.bounds import Bounds
from freehold.specs.instead import Cell
from freehold.specs.mutants import hunt
from freehold.specs.mutants.equivalent import ALIKE, BOTH, SERVED, reason
from freehold.specs.mutants.faults import Mutant, fault
from freehold.specs.mutants.hunt import Grounds, judged, tried
from freehold.specs.scenario import scenarios

SMALL = (
    Bounds("lend", processes=2, acts=4, calls=2),
    Bounds("return", processes=2, acts=3, calls=1, returns=True),
)
APART = ("hand-over", "link", "link, last tries")


@pytest.fixture(scope="module")
def grounds() -> Iterator[Grounds]:
    """Return two small models and the smaller of those beside, a tenth of all programs, and a walk of each kind."""
    some, apart = scenarios()[::10], {name: model for name, model in beside.QUICK.items() if name in APART}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hunt, "scenarios", lambda: some)
        patch.setattr(hunt, "MODELS", SMALL)
        patch.setattr(beside, "QUICK", apart)
        patch.setattr(hunt, "WALKS", 1)
        yield Grounds()


def test_what_a_row_does_is_where_it_can_be_wrong(grounds: Grounds) -> None:
    made = {mutant for mutant in grounds.mutants if mutant[:2] == (OWNED, ReleaseReply)}
    assert Mutant(OWNED, ReleaseReply, "ignored") in made
    assert Mutant(OWNED, ReleaseReply, "ended", (UNHELD, OWNED)) in made
    assert {"ObjectReleased", "ReleaseQuery"} <= {mutant.detail for mutant in made if mutant.kind == "dropped"}
    counted = {mutant.detail for mutant in grounds.mutants if mutant[:3] == (OWNED, ArgumentDone, "counted")}
    assert counted == {("arguments", 1), ("arguments", -1)}
    assert len({*map(str, grounds.mutants)}) == len(grounds.mutants) > 500


def test_what_is_to_no_effect_has_a_reason() -> None:
    swapped = partial(Mutant, OWNED, RefDropped, "swapped")
    assert reason(swapped(("ObjectReleased", "ObjectUnused"))) == BOTH
    assert reason(swapped(("CopyWanted", "DependencyReady"))) == SERVED
    assert reason(swapped(("RequestReady", "RequestReady"))) == ALIKE
    assert reason(swapped(("Contained", "ReturnArrived"))) == ""
    assert reason(Mutant(PULLING, PullReply, "counted", ("round", 1))) and not reason(Mutant(OWNED, Lent, "ignored"))


def test_a_fault_is_there_as_long_as_it_is_wanted() -> None:
    true = OWNED.rows[ReleaseReply]
    with pytest.raises(RuntimeError), fault(Mutant(OWNED, ReleaseReply, "ignored")):
        assert OWNED.rows[ReleaseReply] is not true
        raise RuntimeError
    assert OWNED.rows[ReleaseReply] is true


def test_mutants_are_found(grounds: Grounds) -> None:
    chosen = [
        Mutant(OWNED, ReleaseReply, "ignored"),
        Mutant(OWNED, ArgumentDone, "counted", ("arguments", 1)),
        Mutant(BORROWED, ReleaseQuery, "ended", (REGISTERED, BORROWED)),
    ]
    for verdict in judged(grounds, 20.0, chosen):
        assert verdict.by and verdict.why, verdict


def test_what_does_the_same_in_all_that_was_seen_is_told_apart(grounds: Grounds) -> None:
    """Nothing is asked for a second time here."""
    (verdict,) = judged(grounds, 20.0, [Mutant(OWNED, ReleaseReply, "dropped", "nothing")])
    assert not verdict.by and not verdict.differs and verdict.situations


def test_what_runs_in_programs_only_is_compared_there(grounds: Grounds) -> None:
    elsewhere = {*grounds.walks, *grounds.beside, *[cell for model in grounds.models for cell in model.cells]}
    state, event = next(cell for cell in grounds.programs if cell not in elsewhere and cell in {*cells(grounds)})
    nothing, ignored = Mutant(state, event, "dropped", "nothing"), Mutant(state, event, "ignored")
    (verdict,) = judged(grounds, 20.0, [nothing])
    assert not verdict.by and not verdict.differs and verdict.situations
    assert any(tried(ignored, go).differs for _, go in grounds.places(ignored))


def cells(grounds: Grounds) -> Iterator[Cell]:
    """Yield the rows of which there are mutants."""
    return ((mutant.state, mutant.event) for mutant in grounds.mutants)


def test_mutants_beside_the_parties_are_found(grounds: Grounds) -> None:
    """What the threads of a process and a link do is seen in models of their own."""
    chosen = [mutant for mutant in grounds.mutants if mutant.table.name in ("handover", "link")]
    assert {mutant.table.name for mutant in chosen} == {"handover", "link"}
    verdicts = [*judged(grounds, 20.0, chosen[::9])]
    assert [verdict for verdict in verdicts if verdict.differs and not verdict.by] == []
    assert len([verdict for verdict in verdicts if verdict.by]) > 5


def test_the_command_prints_a_row_for_each_table(grounds: Grounds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hunt, "Grounds", lambda: grounds)
    code, output = prove("mutants", "--table", "ownership", "--every", "40", "--seconds", "5")
    head, row, total, share, *rest = output.splitlines()
    assert " ".join(head.split()) == "table mutants models schedules programs walks the same excused survive"
    name, *counts = row.split()
    made, *others = map(int, counts)
    assert name == "ownership" and made == sum(others) > 3
    assert total.split() == ["all", *counts]
    found = sum(others[:4])
    assert share == f"found: {found} of {found + others[-1]} that do something else to some effect"
    assert code == bool(others[-1]) and sum(line.startswith("ownership: ") for line in rest) == others[-1]


def test_the_command_speaks_json(grounds: Grounds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hunt, "Grounds", lambda: grounds)
    code, output = prove("mutants", "--table", "handover", "--every", "4", "--json")
    told = [json.loads(line) for line in output.splitlines()]
    assert code == 0 and len(told) > 3
    assert all(each["mutant"].startswith("handover: ") for each in told)
    assert {each["by"] for each in told} - {""} == {"hand-over"}


def test_an_unknown_table_is_refused() -> None:
    code, output = prove("mutants", "--table", "chair")
    assert code == 2 and "ownership" in output
