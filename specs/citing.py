"""Which tests are evidence for which rule: a plugin for pytest that writes it down, and what reads that.

A test cites a rule with ``@pytest.mark.rule(id="borrow-report")``; those of single rows name the row as well.  All of
one rule run with ``pytest -m "rule(id='borrow-report')"``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).resolve().parents[1]  # of a checkout; an installed package has no tests
SIGNS = ("pytest.mark.rule(", "def test_a_row(")  # of a file whose tests cite rules


class Citation(NamedTuple):
    """One test that cites a rule."""

    rule: str
    test: str  # as pytest names it, from the root
    row: str = ""  # "STATE Event", if it is the test of a row


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that names the file."""
    parser.addoption("--citations", help="write down which tests cite which rules, as JSON")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Write down what was collected."""
    found = [
        Citation(mark.kwargs["id"], item.nodeid, mark.kwargs.get("row", ""))
        for item in session.items
        for mark in item.iter_markers("rule")
    ]
    Path(session.config.getoption("citations")).write_text(json.dumps(found), "utf-8")


@cache
def citations() -> tuple[Citation, ...]:
    """Return all citations in the tests of the checkout; none where there is no checkout."""
    files = [file for file in sorted((ROOT / "tests").rglob("test_*.py")) if cites(file.read_text("utf-8"))]
    if not files:
        return ()
    with tempfile.NamedTemporaryFile("r", suffix=".json") as written:
        words = ["--collect-only", "-qq", "-p", __name__, "--citations", written.name, *map(str, files)]
        done = subprocess.run([sys.executable, "-m", "pytest", *words], cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            raise ValueError(f"the tests cannot be collected: {done.stdout[-500:]}{done.stderr[-500:]}")
        rows: list[list[Any]] = json.load(written)
    return tuple([Citation(*row) for row in rows])


def cites(text: str) -> bool:
    """Tell whether a file has tests that cite rules."""
    return any(sign in text for sign in SIGNS)
