"""One step of one record: what the tests of the tables share."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from freehold.core.effects import Effect
from freehold.core.events import Answer, Event
from freehold.core.ids import HEAD, worker_id
from freehold.core.party import Party
from freehold.core.policies import DEFAULT, Policy
from freehold.core.tables import TABLES
from freehold.core.worker import Worker
from freehold.specs.rules import RULE_OF

Out = tuple[Effect | Event, ...]
Step = Callable[..., tuple[Any, Out]]
NO_CALL = SimpleNamespace(params={})  # of a test that has no parameters
MINTED = 100  # by a party before the step: the first number that a row mints is the next


def pytest_itemcollected(item: pytest.Item) -> None:
    """The test of a row cites the row's rule."""
    given: dict[str, Any] = getattr(item, "callspec", NO_CALL).params
    if "event" in given and {"before", "state"} & {*given}:
        event, before = given["event"], given.get("before")
        state = given["state"] if before is None else before.state
        table = next(table.name for table in TABLES if state in table.states)
        stale = isinstance(event, Answer) and getattr(event, "attempt", 0) != getattr(before, "attempt", 0)
        rule = RULE_OF[table, type(event).__name__].id
        item.add_marker(pytest.mark.rule(id="stale" if stale else rule, row=f"{state.name} {type(event).__name__}"))


@pytest.fixture
def step() -> Step:
    """Return the function that steps one record; the party is worker 1 of the head node, unless one is given."""

    def step(record: Any, event: Event, here: Party | None = None, policy: Policy = DEFAULT) -> tuple[Any, Out]:
        party = here or Worker(worker_id(HEAD, 1), policy)
        party.counter = MINTED
        return record.state.rows[type(event)](record, event, party)

    return step
