"""Errors that others have made are found by the search, in the models in which nothing is wrong with the true rules."""

from __future__ import annotations

import inspect
import json
import re

import pytest
from tests.specs.asking import prove

from freehold.core.execution import RUNNING
from freehold.core.messages import TaskReply
from freehold.specs.explorer import models
from freehold.specs.explorer.bounds import Bounds
from freehold.specs.explorer.counterexample import replayed
from freehold.specs.explorer.models import QUICK, WHOLE, gone_through
from freehold.specs.explorer.sharing import Sharing
from freehold.specs.variants import COUNTS, VARIANTS, played

FOUND = {  # variant -> the model of ``freehold prove models --quick`` and the acts that show it, and what is wrong
    "ray18456": ("lend and die", 4, "n0w1.2 is released while n2w1 has a reference"),
    "ray18552": ("lend", 5, "n0w1.2 is released while n1w1 has a reference"),
    "ray18557": ("lend", 4, "n0w1.2 is released while n2w1 has a reference"),
    "ray17553": ("return", 4, "n0w1.2 is released"),
    "ray17719": ("nest", 5, "n0w1.2 is released while n1w1 has a reference"),
    "ray63694": ("copy and die", 3, "n1w1 waits for ever"),
    "ray54007": ("copy", 4, "n1w1 waits for ever"),
}
MODELS = {model.name: model for model in QUICK}
SEARCHED = {model: acts for model, acts, _ in sorted(FOUND.values())}  # the most acts of each model
LONG = ("lend", "lend and die")


@pytest.mark.parametrize("name", FOUND)
def test_it_is_found(name: str) -> None:
    model, acts, what = FOUND[name]
    with played(name) as policy:
        row = gone_through(MODELS[model], policy, strides=False, checks=COUNTS)
    ((found, told),) = row.wrong
    assert what in found and row.acts + 1 == acts
    assert len(told.program) <= 8


@pytest.mark.parametrize(
    "model", [pytest.param(model, marks=[pytest.mark.soak] * (model in LONG)) for model in SEARCHED]
)
def test_nothing_is_wrong_there_with_the_true_rules(model: str) -> None:
    """Else what is found there would say nothing of the variant."""
    row = gone_through(MODELS[model]._replace(acts=SEARCHED[model]), strides=False)
    assert row.wrong == [] and row.found.exhausted


FAR = {model.name: model for model in WHOLE}["lists"]
WAY = "0.1.8.14.10.3.3.3.3.3.3.3.3.3.3.3.4.3.5.4.2.0.0"


def test_what_is_far_is_wrong() -> None:
    """A reference out of a list that its reader does not keep until the owner of what is inside has heard of it."""
    with played("ray18751") as policy:
        told = replayed(Sharing(FAR, policy, strides=False, checks=COUNTS), WAY)
    assert told.everything[-1] == "WRONG: n0w1.2 is released while n2w1 has a reference"
    assert "n1w1: y = put([x])" in told.program and "n2w1: KEPT = x; return None" in told.program


@pytest.mark.parametrize("name", VARIANTS)
def test_it_is_short_and_says_where_it_was_found(name: str) -> None:
    variant = VARIANTS[name]
    assert len(inspect.getsource(variant.run).splitlines()) <= 15
    assert re.match(rf"ray#{name.removeprefix('ray')}; \w+(\.cc| and \w+\.cc)", variant.source)


def test_the_true_rules_come_back() -> None:
    true = RUNNING.rows[TaskReply]
    with pytest.raises(RuntimeError), played("ray17553"):
        assert RUNNING.rows[TaskReply] is VARIANTS["ray17553"].run
        raise RuntimeError
    assert RUNNING.rows[TaskReply] is true


def test_the_command_tells_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "QUICK", (Bounds("small", processes=2, acts=3, calls=1),))
    for name in {*VARIANTS} - {"ray18557", "ray54007"}:
        monkeypatch.delitem(VARIANTS, name)
    code, output = prove("variants", "--quick")
    assert code == 1
    assert output.count("NOT FOUND") == 2 and "CancelGet" in output
    told = [json.loads(line) for line in prove("variants", "--quick", "--json")[1].splitlines()]
    assert told == [{"variant": "ray18557", "found": None}, {"variant": "ray54007", "found": None}]


def test_an_unknown_variant_is_refused() -> None:
    code, output = prove("explore", "--variant", "ray1")
    assert code == 2 and "ray18456" in output
