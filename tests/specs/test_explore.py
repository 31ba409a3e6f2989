"""The search through all interleavings: what it proves, what it finds, and that it would find more."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from immutables import Map
from typer.testing import CliRunner

from freehold.core import borrowing, ownership
from freehold.core.inquest_events import HoldersWanted
from freehold.core.inquiry import CLOSED, HEARING
from freehold.core.machine import replace
from freehold.core.membership import Members
from freehold.core.messages import InquestQuery
from freehold.core.ownership import Owning
from freehold.core.policies import Policy
from freehold.specs import commands
from freehold.specs.explore import explore, replay, wander
from freehold.specs.lending import Lending
from freehold.specs.world import Violation

# Everything that can happen among two processes: how many states there are.  A change of the protocol changes them.
EVERYTHING: dict[str, tuple[dict[str, Any], int]] = {
    "lend and drop": ({"workers": 2}, 124),
    "two tasks at a time": ({"workers": 2, "tasks": 2}, 2_034),
    "returned references": ({"workers": 2, "returns": True}, 3_335),
    "a death": ({"workers": 2, "returns": True, "deaths": 1}, 18_964),
}
# Three processes can do too much to look at it all here; `freehold prove explore --states ...` goes on.
SOME: dict[str, dict[str, Any]] = {
    "lend and pass on": {"workers": 3},
    "returned references": {"workers": 3, "returns": True},
    "two tasks at a time": {"workers": 3, "tasks": 2},
}
HOLE = [
    "n0w1: x = put(...)",
    "n0w1: r = f.remote([x])  # runs on n0w2",
    "n0w1: del x",
    "n0w2: KEPT = x; return None",
    "n0w2: r = f.remote([x])  # runs on n0w3",
    "n0w2 dies",
]


@pytest.mark.parametrize("what", EVERYTHING)
def test_nothing_is_wrong_in_any_state(what: str) -> None:
    arguments, states = EVERYTHING[what]
    found = explore(Lending(**arguments))
    assert found.violations == []
    assert found.exhausted and found.states == states


@pytest.mark.slow
@pytest.mark.parametrize("what", SOME)
def test_nothing_is_wrong_among_three(what: str) -> None:
    model = Lending(**SOME[what])
    assert explore(model, states_max=60_000).violations == []


@pytest.mark.slow
def test_every_state_of_a_reference_is_seen() -> None:
    model = Lending(workers=3, returns=True, deaths=1)
    explore(model, states_max=60_000, violations_max=1000)
    assert model.seen == {state.name for state in Owning} - {"UNHELD"}  # of which there is no record


def test_the_known_hole_is_found() -> None:
    """A borrower dies before anybody heard to whom it lent the object: Ray's rule frees it (ray#18456)."""
    model = Lending(workers=3, deaths=1, policy=Policy(borrower_death="ray"))
    found = explore(model)
    ((what, way),) = found.violations
    program, everything, steps = replay(model, way)
    assert program == HOLE
    assert what == "n0w1.2 is released while n0w3 has a reference" and everything[-1] == f"WRONG: {what}"
    assert [step.event for step in steps if step.table == "ownership"][-1] in ("HolderDied", "PeerLost")


@pytest.mark.slow
def test_the_known_hole_is_closed() -> None:
    assert explore(Lending(workers=3, deaths=1), states_max=60_000).violations == []  # ten times as many as find it


BROKEN: dict[str, Any] = {
    # a handler, and what is put in its place: faults that others have made
    "released": lambda r, e, here: ownership.let_go(replace(r, borrowers=Map()), here),
    "add_borrowers": lambda r, e, here: (r, ()),
    "remember_lent": lambda r, e, here: (r, ()),
    "put_down": lambda r, e, here: ownership.let_go(replace(r, arguments=0), here),
    "unpin": lambda r, e, here: (r, ()),
}


@pytest.mark.slow
@pytest.mark.parametrize("handler", BROKEN)
def test_a_broken_rule_is_found(handler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real, broken = getattr(borrowing, handler, None) or getattr(ownership, handler), BROKEN[handler]
    for (state, event), row in ownership.TABLE.rows.items():
        if row.run is real:
            monkeypatch.setitem(state.rows, event, broken)
    found = explore(Lending(workers=3, tasks=2, returns=True), states_max=300_000)
    assert found.violations, f"{handler} does nothing of use, as far as the search can tell"


LEFT_OUT: dict[str, tuple[int, dict[str, Any]]] = {
    # a rule about deaths -> the seed of walks that find out what happens without it, and the model
    "may_have_held": (1, {"workers": 4, "tasks": 3}),
    "lent_to_the_dead": (2, {"workers": 4, "tasks": 3}),
    "hears": (2, {"workers": 3, "tasks": 2}),
}


def leave_out(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a rule about deaths forgotten."""
    if rule == "hears":
        monkeypatch.setattr(Members, "hears", lambda self, party: True)
        return
    real, by_ray = getattr(borrowing, rule), SimpleNamespace(policy=Policy(borrower_death="ray"))
    cells = [(state, event) for (state, event), row in ownership.TABLE.rows.items() if row.run is real]
    for state, event in cells:
        monkeypatch.setitem(state.rows, event, lambda r, e, here: real(r, e, by_ray))


@pytest.mark.slow
@pytest.mark.parametrize("rule", LEFT_OUT)
def test_a_rule_about_deaths_is_needed(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too far for the search is found by chance: somebody has a reference to an object that is released."""
    seed, size = LEFT_OUT[rule]
    assert wander(Lending(**size, deaths=1), seed=seed, walks=300).violations == []
    leave_out(rule, monkeypatch)
    ((what, _),) = wander(Lending(**size, deaths=1), seed=seed, walks=5_000).violations
    assert "is released while" in what


OWNER, LENDER, MIDDLE, LAST, NODE = range(5)  # of a model with four processes


def deliver(*ways: tuple[int, int]) -> list[tuple[Any, ...]]:
    return [("deliver", *way) for way in ways]


NEWS_IS_SLOW = [
    # the lender has passed the object on, in two steps, to one who passes it on when all but it have heard of the death
    *[("call", OWNER, LENDER, True), *deliver((OWNER, LENDER)), ("drop", OWNER)],
    *[("call", LENDER, MIDDLE, True), *deliver((LENDER, MIDDLE)), ("die", LENDER, 0, 0, 0, 0, 0)],
    *deliver((LENDER, OWNER), (OWNER, NODE), (OWNER, NODE)),  # the owner tells the node of its loss, and asks
    *deliver((NODE, OWNER), (NODE, OWNER), (OWNER, NODE), (NODE, LAST), (NODE, LAST), (LAST, NODE)),  # two answer
    *[("call", MIDDLE, LAST, True), *deliver((MIDDLE, LAST)), ("end", LAST, True, False), *deliver((LAST, MIDDLE))],
    ("end", MIDDLE, False, False),  # it reports to the dead to whom it has lent the object
    *deliver((NODE, MIDDLE), (NODE, MIDDLE), (MIDDLE, NODE), (NODE, OWNER)),
]


def take(model: Lending, way: list[tuple[Any, ...]]) -> None:
    """Go a way, and then deliver whatever is left."""
    state = model.first()
    while way or any(state.wires):
        action = way.pop(0) if way else next(action for action in model.actions(state) if action[0] == "deliver")
        assert action in [*model.actions(state)], action
        state = model.step(state, action)
        model.check(state)


def test_nobody_is_asked_before_all_have_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    take(Lending(workers=4, tasks=3, deaths=1), [*NEWS_IS_SLOW])

    def ask_at_once(r: Any, e: Any, here: Any) -> Any:
        return replace(r, state=HEARING, objects=e.objects), (HoldersWanted(r.inquest, e.objects),)

    rows: dict[Any, Any] = CLOSED.rows
    monkeypatch.setitem(rows, InquestQuery, ask_at_once)
    with pytest.raises(Violation, match="is released while n0w4 has a reference"):
        take(Lending(workers=4, tasks=3, deaths=1), [*NEWS_IS_SLOW])


def ask(*words: str) -> tuple[int, str]:
    app = typer.Typer()
    app.callback()(lambda: None)
    commands.register(app)
    answer = CliRunner().invoke(app, ["prove", "explore", *words])
    return answer.exit_code, answer.output


def test_the_command_says_what_it_found() -> None:
    code, output = ask("--workers", "2")
    assert code == 0 and output.startswith("124 states") and output.endswith("nothing is wrong in any of them\n")
    code, output = ask("--deaths", "1", "--borrower-death", "ray")
    assert code == 1 and all(line in output.splitlines() for line in HOLE)


def test_the_command_speaks_json() -> None:
    code, output = ask("--deaths", "1", "--borrower-death", "ray", "--json")
    found = json.loads(output)
    assert code == 1 and not found["exhausted"] and "released" in found["violations"][0]["what"]
