"""Deaths at every step: each value is right, or the word of a death, and nothing is left."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.specs.asking import prove

from freehold.core.running import FETCHING
from freehold.core.task_events import ArgumentLate
from freehold.specs import deaths
from freehold.specs.deaths import PROGRAMS, amiss, at_every_step, ended
from freehold.specs.instead import instead

EVERY_DAY = 5
LARGE = PROGRAMS["large returns are read elsewhere"]


@pytest.mark.parametrize("backend", ["inline", "sim"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_nobody_s_death_makes_a_value_wrong(backend: str, program: str) -> None:
    came = [*at_every_step(backend, PROGRAMS[program], EVERY_DAY)]
    assert [each for each in came if each.wrong] == []
    assert not came[0].who and not came[0].lost
    assert len([each for each in came if each.who]) > 10


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("backend", ["inline", "sim"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_nobody_s_death_at_any_step(backend: str, program: str) -> None:
    assert [each for each in at_every_step(backend, PROGRAMS[program]) if each.wrong] == []


def test_workers_that_wait_for_what_none_of_them_can_compute_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """All workers came to have tasks whose argument was lost, and none was left for the task that computes it."""
    monkeypatch.setattr(deaths, "LEFTOVERS_SECONDS", 1.0)  # what they hold is never let go
    never = FETCHING, ArgumentLate
    with instead({never: lambda record, event, here: (record, ())}):
        assert any("DeadlockError" in each.wrong for each in at_every_step("sim", LARGE, 2))


@pytest.mark.parametrize(
    ("came", "right", "said"),
    [
        ([1, {"of": 2}], [1, {"of": 2}], ""),
        ({"raised": ["OwnerDiedError", "n0w2"]}, [1], ""),
        ({"of": {"raised": ["WorkerCrashedError"]}}, {"of": 3}, ""),
        ([1, {"raised": ["OwnerDiedError"]}, 3], [1, {"of": 2}, 4], "3 instead of 4"),
        ({"raised": ["DeadlockError", "x"]}, {"of": 2}, "{'raised': ['DeadlockError', 'x']} instead of {'of': 2}"),
        ([1], [1, 2], "[1] instead of [1, 2]"),
    ],
)
def test_what_is_amiss(came: Any, right: Any, said: str) -> None:
    assert amiss(came, right) == said


def test_the_command_prints_a_row_for_each_program() -> None:
    code, said = prove("deaths", "--every", "40")
    assert code == 0 and [line[:32].strip() for line in said.splitlines()] == [*PROGRAMS]
    code, said = prove("deaths", "--every", "40", "--json")
    assert code == 0 and [row["program"] for row in json.loads(said)["programs"]] == [*PROGRAMS]


def test_the_command_refuses_other_backends() -> None:
    code, said = prove("deaths", "--backend", "local")
    assert code == 2 and "does not host all parties in one process" in said
    with pytest.raises(ValueError, match="does not host"):
        ended("local", LARGE, -1)
