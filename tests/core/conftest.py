"""One step of one record: what the tests of the tables share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from freehold.core.effects import Effect
from freehold.core.events import Event
from freehold.core.ids import HEAD, worker_id
from freehold.core.party import Party
from freehold.core.policies import DEFAULT, Policy
from freehold.core.worker import Worker

Out = tuple[Effect | Event, ...]
Step = Callable[..., tuple[Any, Out]]
MINTED = 100  # by a party before the step: the first number that a row mints is the next


@pytest.fixture
def step() -> Step:
    """Return the function that steps one record; the party is worker 1 of the head node, unless one is given."""

    def step(record: Any, event: Event, here: Party | None = None, policy: Policy = DEFAULT) -> tuple[Any, Out]:
        party = here or Worker(worker_id(HEAD, 1), policy)
        party.counter = MINTED
        return record.state.rows[type(event)](record, event, party)

    return step
