"""The rules of the protocol: each has an id, one sentence and a source, and stands for rows of the tables.

A row belongs to the rule of its event, so that nothing in a table is without a rule, and each rule is cited by tests:
``@pytest.mark.rule(id="borrow-report")``.  A test that cites a rule has to take one of its rows.  The page
docs/rules.md is made from this package, and ``freehold docs row STATE EVENT`` says which rule a row belongs to.

A source is a paper, or a file of Ray's and what to look for there; "ours" is a decision of freehold, defended in
docs/defense.md.  NSDI'21 is Wang et al., *Ownership: A Distributed Futures System for Fine-Grained Tasks*.
"""

from __future__ import annotations

from freehold.specs.rules.objects import OWNERSHIP, RESOLUTION, VALUES
from freehold.specs.rules.rule import Rule
from freehold.specs.rules.work import DEATHS, NODES, TASKS

ALL_TABLES = (
    Rule(
        "stale",
        "An answer to another attempt than the present one changes nothing.",
        "Ray: task_manager.cc, attempt_number",
    ),
    Rule(
        "ends",
        "A row ends in no state that it does not name.",
        "ours",
    ),
)

CHAPTERS = {
    "Who holds an object": OWNERSHIP,
    "Who is dead": DEATHS,
    "Where a value is": VALUES,
    "How a value comes here": RESOLUTION,
    "How tasks run": TASKS,
    "What a node does": NODES,
    "What holds in every table": ALL_TABLES,
}
RULES = {rule.id: rule for chapter in CHAPTERS.values() for rule in chapter}

#: The rule to which the rows of an event belong, by the names of table and event.
RULE_OF = {row: rule for rule in RULES.values() for row in rule.rows}
