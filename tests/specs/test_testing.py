"""The state machine for Hypothesis: it finds nothing wrong with the true rules, and what is wrong with others."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from freehold.core.machine import replace
from freehold.specs.testing import LARGE, RemoteObjects
from freehold.specs.trial import Trial
from freehold.specs.variants import played
from freehold.specs.world import Violation

ALL = list(HealthCheck)
THOROUGH = settings(max_examples=100, stateful_step_count=60, deadline=None, suppress_health_check=ALL)
SEEN: Counter[str] = Counter()
RARER = ("ray17719", "ray63694")  # among the errors that the search finds in its models


class Watched(RemoteObjects):
    """Takes down what has really happened."""

    def teardown(self) -> None:
        super().teardown()
        SEEN["values read"] += self.cluster.reads
        SEEN["deaths"] += len(self.cluster.dead)
        SEEN["links cut"] += len(self.cluster.cuts) // 2
        SEEN["tasks"] += len(self.cluster.needs)
        SEEN["references in values"] += sum(map(len, self.cluster.contents.values()))


class Copied(RemoteObjects):
    """Another policy, and stores in which there is little room."""

    policy = replace(RemoteObjects.policy, borrow="copy", location="random")
    capacity = 3 * LARGE
    workers = (2, 1, 1)
    programs = (0, 2)
    deaths = 2


def test_nothing_is_wrong_and_much_has_happened() -> None:
    SEEN.clear()
    run_state_machine_as_test(Watched, settings=THOROUGH)
    assert [
        what for what in ("values read", "deaths", "links cut", "tasks", "references in values") if not SEEN[what]
    ] == []


def test_nothing_is_wrong_with_another_policy() -> None:
    run_state_machine_as_test(Copied, settings=THOROUGH)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["ray17553", *[pytest.param(name, marks=pytest.mark.soak) for name in RARER]])
def test_it_finds_what_others_did_wrong(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trial, "strides", False)
    looking = settings(THOROUGH, max_examples=3000, database=None, derandomize=True, phases=[Phase.generate])
    with played(name), pytest.raises(Violation) as found:
        run_state_machine_as_test(RemoteObjects, settings=looking)
    told = "\n".join(getattr(found.value, "__notes__", []))
    assert "state = RemoteObjects()" in told and "state.teardown()" in told
