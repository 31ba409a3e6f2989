"""The rules are whole: each row has one, each is one sentence with a source, and each is cited by a test."""

from __future__ import annotations

import pytest

from freehold.core.machine import Table
from freehold.core.tables import TABLES
from freehold.specs.citing import citations
from freehold.specs.rules import CHAPTERS, RULE_OF, RULES
from freehold.specs.rules.rule import Rule

each = pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_each_row_has_one_rule(table: Table) -> None:
    claims = [rule.id for rule in RULES.values() for event in rule.events.get(table.name, ())]
    assert len(claims) == len(table.events)
    assert [event.__name__ for event in table.events if (table.name, event.__name__) not in RULE_OF] == []


def test_an_id_is_used_once() -> None:
    assert len(RULES) == sum(map(len, CHAPTERS.values()))


@each
def test_a_rule_is_one_sentence_with_a_source(rule: Rule) -> None:
    assert rule.text[0].isupper() and rule.text.endswith(".") and ". " not in rule.text
    assert rule.source.startswith(("ours", "Ray", "NSDI'21", "RFC"))


@each
def test_a_rule_is_cited(rule: Rule) -> None:
    assert rule.id in {citation.rule for citation in citations()}, f"no test has the mark rule(id={rule.id!r})"


def test_what_is_cited_is_a_rule() -> None:
    assert {citation.rule for citation in citations()} <= set(RULES)
