"""The conformance kit: every scenario on one backend, its trace done again, and which rules it was seen to keep.

A scenario is kept if its program gives the values and errors that it must, if nothing is left over, and if the tables
alone, told what the parties were told, do the same and are never wrong.  The rows that they take then say of which
rules the scenario is evidence.

This file refuses to know how a backend works, and which there are.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import freehold
from freehold.core import cluster
from freehold.core.tables import TABLES, compile_tables
from freehold.specs.leftovers import settled
from freehold.specs.rules import RULE_OF
from freehold.specs.scenario import Scenario, hosts, scenarios
from freehold.specs.traces import insist_on
from freehold.specs.walks.world import Violation

SECONDS = 60.0  # that a scenario may take
LEFTOVERS_SECONDS = 10.0  # in which what it has left has to go
STORE_NBYTES = 256 * 2**20


class Result(NamedTuple):
    """What came of one scenario in a cluster of so many nodes."""

    scenario: str
    nodes: int
    complaint: str  # "" if it was kept
    rules: frozenset[str]  # of which it took rows


class Verdict:
    """What a backend was seen to keep.

    Args:
        results: of all scenarios that it could host.
        left_out: how many it could not, and why.
    """

    def __init__(self, results: list[Result], left_out: Counter[str]) -> None:
        self.results = results
        self.left_out = left_out
        self.wrong = [result for result in results if result.complaint]

    def of(self, rule: str) -> str:
        """Say in a word whether a rule is kept; nothing can be said of one whose rows no scenario took."""
        seen = [result for result in self.results if rule in result.rules]
        if not seen:
            return "not seen"
        return "broken" if any(result.complaint for result in seen) else f"kept in {len(seen)}"


def judged(backend: str, nodes: Iterable[int], only: str = "") -> Iterator[Result | str]:
    """Run every scenario, in a new cluster for each; yield its result, or why the backend cannot host it.

    Args:
        backend: a name that ``freehold.init`` knows.
        nodes: how many nodes clusters have: all is done for each.
        only: a part of the names of the scenarios that are wanted.
    """
    compile_tables(checked=True)
    hosted = hosts(backend)
    for count in nodes:
        for scenario in scenarios():
            if only in scenario.name:
                obstacle = scenario.obstacle(hosted, count)
                yield obstacle or result_of(backend, scenario, count)


def result_of(backend: str, scenario: Scenario, nodes: int) -> Result:
    """Run one scenario, and do again what was recorded."""
    for table in TABLES:
        table.taken.clear()
    complaint = ""
    with tempfile.TemporaryDirectory(prefix="freehold-conformance-") as folder:
        try:
            run(backend, scenario, nodes, folder)
            if not insist_on(Path(folder)):
                raise Violation("nothing was recorded: init(trace=) names a folder for the journal of each party")
        except Exception as error:
            complaint = f"{type(error).__name__}: {error}"
    taken = {RULE_OF[table.name, event.__name__].id for table in TABLES for _, event, _ in table.taken}
    return Result(scenario.name, nodes, complaint, frozenset(taken))


def run(backend: str, scenario: Scenario, nodes: int, folder: str | None = None, seconds: float = 0.0) -> None:
    """Run the program in a new cluster; raise an error if it does not give what it must, or leaves something.

    Args:
        backend: where.
        scenario: whose program.
        nodes: how many the cluster has.
        folder: where what happens is recorded.
        seconds: that it may take; 0.0: as many as any scenario.
    """
    seconds = seconds or SECONDS
    options: dict[str, Any] = {"num_nodes": nodes, "num_cpus": 2, "object_store_memory": STORE_NBYTES, **scenario.init}
    try:
        with deadline(seconds), patch.dict(os.environ, FREEHOLD_CHECK="step"):  # in other processes
            freehold.init(backend=backend, trace=folder, **options)
            scenario.run()
            assert cluster.active is not None
            found, waited = settled(cluster.active, min(seconds, LEFTOVERS_SECONDS))
    finally:
        freehold.shutdown()
    if found:
        raise Violation(f"after {waited:.0f} s there is still {found[0]}, one of {len(found)}")


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """End what hangs: an error in the thread that waits."""

    def late(*_: object) -> None:
        raise TimeoutError(f"it had not ended after {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
