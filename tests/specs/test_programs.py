"""Random programs: every backend gives the values and the errors that they ought to give."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings

import freehold
from freehold.core.tables import compile_tables
from freehold.specs.oracle import expected, play
from freehold.specs.programs import programs

EVERY_DAY = 100
ALL = list(HealthCheck)
BACKENDS = ["inline", "sim", pytest.param("local", marks=[pytest.mark.local, pytest.mark.slow])]


def give_what_they_ought_to(backend: str, count: int, *, derandomize: bool = False) -> None:
    @settings(max_examples=count, deadline=None, suppress_health_check=ALL, derandomize=derandomize)
    @given(programs())
    def one(source: str) -> None:
        note(source)
        assert play(source, freehold) == expected(source)

    compile_tables(checked=False)  # a check of a step looks at all records, and there are ever more functions
    freehold.init(backend=backend, num_nodes=2, num_cpus=2, object_store_memory=256 * 2**20)
    try:
        one()
    finally:
        freehold.shutdown()
        compile_tables(checked=True)


@pytest.mark.parametrize("backend", BACKENDS)
def test_random_programs(backend: str) -> None:
    give_what_they_ought_to(backend, EVERY_DAY, derandomize=True)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_thousand_random_programs(backend: str) -> None:
    give_what_they_ought_to(backend, 1000)


# ------------------------------------------------------------------ the oracle itself

COPIES = """
@freehold.remote(num_returns=1)
def change(a, b):
    a.append(b)
    return a


def main():
    mine = [1]
    ref = freehold.put(mine)
    mine.append(2)
    other = change.remote(ref, ref)
    return [mine, ref, other, freehold.get([ref, other])]
"""
FAILS = """
@freehold.remote(num_returns=2)
def fail():
    raise ValueError(7)


@freehold.remote(num_returns=1)
def use(a, b):
    return [a, b]


def main():
    a, b = fail.remote()
    return [use.remote(1, a), use.remote(1, [b])]
"""
SAYINGS: dict[str, Any] = {
    COPIES: [[1, 2], {"of": [1]}, {"of": [1, [1]]}, [[1], [1, [1]]]],
    FAILS: [{"raised": ["ValueError", 7]}, {"of": [1, [{"raised": ["ValueError", 7]}]]}],
}


@pytest.mark.parametrize("source", SAYINGS)
def test_what_the_oracle_says(source: str) -> None:
    assert expected(source) == SAYINGS[source]
