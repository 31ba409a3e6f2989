"""The state machine for Hypothesis: it finds nothing wrong with the true rules, and what is wrong with others."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from freehold.core.events import ObjectReleased
from freehold.core.machine import Here, Out, replace
from freehold.core.promotion import PLACED, Promotion
from freehold.specs.instead import instead
from freehold.specs.testing import LARGE, RemoteObjects
from freehold.specs.variants import played
from freehold.specs.walks.trial import Trial
from freehold.specs.walks.world import Violation

ALL = list(HealthCheck)
THOROUGH = settings(max_examples=100, stateful_step_count=60, deadline=None, suppress_health_check=ALL)
SEEN: Counter[str] = Counter()


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


def keep_copies(r: Promotion, e: ObjectReleased, here: Here) -> tuple[None, Out]:
    """An object is released, and its copies are forgotten."""
    return None, ()


def test_a_fault_is_found_and_told_as_a_program() -> None:
    looking = settings(THOROUGH, database=None, derandomize=True, phases=[Phase.generate])
    unknown = pytest.raises(Violation, match="None, the other has Copy")
    with instead({(PLACED, ObjectReleased): keep_copies}), unknown as found:
        run_state_machine_as_test(RemoteObjects, settings=looking)
    told = "\n".join(getattr(found.value, "__notes__", []))
    assert "state = RemoteObjects()" in told and "state.put(" in told and "state.teardown()" in told


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["ray17553", "ray17719", "ray63694"])
def test_what_others_did_wrong_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trial, "strides", False)
    looking = settings(THOROUGH, max_examples=10_000, database=None, derandomize=True, phases=[Phase.generate])
    with played(name), pytest.raises(Violation):
        run_state_machine_as_test(RemoteObjects, settings=looking)
