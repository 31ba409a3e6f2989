"""Schedules bring about their situations, come to rest by the true tables, and find what each is there to find."""

from __future__ import annotations

import pytest

from freehold.core.ids import HEAD
from freehold.specs.mutants.faults import fault, observed
from freehold.specs.schedules.stage import Elsewhere, Stage, schedule, schedules


@pytest.mark.parametrize("name", schedules())
def test_a_schedule_finds_its_mutants(name: str) -> None:
    run, finds = schedules()[name]
    with observed() as observer:
        run()
    mutants = {str(mutant): mutant for mutant in observer.mutants()}
    for one in finds:
        with pytest.raises(Exception) as raised, fault(mutants[one]):
            run()
        assert not isinstance(raised.value, Elsewhere), one


def test_what_does_not_come_about_is_no_finding() -> None:
    stage = Stage(1)
    with pytest.raises(Elsewhere, match=r"line \d+ of .*test_schedules.py"):
        stage.go(until=lambda: stage.copy_on(HEAD, 5))
    stage.finish()


def test_a_schedule_says_what_it_is() -> None:
    def nameless() -> None:
        pass

    with pytest.raises(ValueError, match="nameless: the docstring says what situation comes about"):
        schedule()(nameless)
