"""Every table: no gaps, states that wait say for what, every state can be reached, every diagram draws."""

import inspect
import re

import pytest

from freehold.core import effects, messages
from freehold.core.effects import EFFECTS
from freehold.core.ids import HEAD, worker_id
from freehold.core.machine import State, Table
from freehold.core.node import Node
from freehold.core.tables import TABLES
from freehold.core.worker import Worker


def name_of(table: Table) -> str:
    return table.name


def reached(table: Table) -> set[State]:
    """The states to which declared arrows lead from the first, which every record begins in."""
    found = {table.states[0]}
    while True:
        more = {to for (state, _), row in table.rows.items() if state in found for to in row.to} - found
        if not more:
            return found
        found |= more


@pytest.mark.parametrize("table", TABLES, ids=name_of)
def test_no_gaps(table: Table) -> None:
    assert table.gaps() == []


@pytest.mark.parametrize("table", TABLES, ids=name_of)
def test_a_state_whose_name_ends_in_ing_waits_and_says_for_what(table: Table) -> None:
    for state in table.states:
        assert state.name.endswith("ING") == bool(state.awaits) or state.name in ("PENDING", "RUNNING"), state


@pytest.mark.parametrize("table", TABLES, ids=name_of)
def test_every_state_can_be_reached(table: Table) -> None:
    assert reached(table) == set(table.states)


@pytest.mark.parametrize("table", TABLES, ids=name_of)
def test_every_row_says_why(table: Table) -> None:
    for (state, event), row in table.rows.items():
        assert row.why.strip(), (state, event)


@pytest.mark.parametrize("table", TABLES, ids=name_of)
def test_the_diagram_draws_every_state_and_no_semicolon(table: Table) -> None:
    text = table.mermaid()
    assert text.startswith("stateDiagram-v2") and ";" not in text
    assert all(re.search(rf"\b{state.name}\b", text) for state in table.states)


def test_two_rows_for_one_cell_are_refused() -> None:
    table = TABLES[0]
    (state, event), row = next(iter(table.rows.items()))
    with pytest.raises(TypeError, match="two rows"):
        table.ignore(state, event=event, why=row.why)


def test_every_message_and_every_answer_has_somewhere_to_go() -> None:
    parties = [Worker(worker_id(HEAD, 1)), Node(HEAD, 1000, (("CPU", 1.0),))]
    routed = {event for party in parties for event in party.routes}
    spread = inspect.getsource(Worker.spread) + inspect.getsource(Node.spread)
    for event in (*messages.MESSAGES, *(answer for effect in EFFECTS for answer in effect.answers)):
        assert event in routed or event.__name__ in spread, event


def test_the_effects_are_few() -> None:
    declared = {
        kind
        for _, kind in inspect.getmembers(effects, inspect.isclass)
        if issubclass(kind, effects.Effect) and kind is not effects.Effect
    }
    assert set(EFFECTS) == declared and len(EFFECTS) == 11
