"""Every scenario in every world that can host it: same values, same errors, and nothing left behind."""

from __future__ import annotations

from copy import copy
from functools import partial

import pytest

from freehold.specs.scenario import HOSTED, MARKS, REGISTRY, Scenario, scenario, scenarios


@pytest.mark.timeout(100)  # of a core that others use, too
def test_scenario(world, scenario: Scenario) -> None:
    world.start(**scenario.init)
    scenario.run()
    world.assert_clean(scenario.name)


def test_there_are_enough() -> None:
    assert len(scenarios()) >= 45
    assert {body.init == {} for body in scenarios()} == {True, False}


def test_every_mark_is_hosted_and_used() -> None:
    hosted = frozenset().union(*HOSTED.values())
    used = frozenset().union(*(one.marks for one in scenarios()))
    assert hosted == used == set(MARKS)


def test_a_scenario_is_declared_once_and_says_what_it_causes() -> None:
    def bare() -> None: ...

    def again() -> None:
        """Be declared under the name of another."""

    for wrong, words in (
        (lambda: scenario()(bare), "docstring"),
        (lambda: scenario(name=scenarios()[0].name)(again), "two scenarios"),
        (lambda: scenario(marks=["magic"]), "magic"),
    ):
        with pytest.raises(ValueError, match=words):
            wrong()
    assert "bare" not in REGISTRY


def test_a_wrong_result_is_found() -> None:
    for returned, wanted in ((1, True), ([1], (1,)), (1, 2), (None, 1), (1, None)):
        with pytest.raises(AssertionError, match="returned"):
            Scenario("wrong", partial(copy, returned), returns=wanted).run()
    Scenario("right", partial(copy, [1]), returns=[1]).run()
