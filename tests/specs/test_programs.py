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


ONE_STACK = """
@freehold.remote(num_returns=2)
def f0():
    v1 = []
    v1.append(1)
    return v1, v1


@freehold.remote(num_returns=2)
def f1(a0, a1):
    v4 = freehold.put(a1)
    v12, v13 = f2.remote(a1, a1)
    return v4, v12


@freehold.remote(num_returns=2)
def f2(a0, a1):
    v10 = f3.remote(a1, a1)
    v11 = freehold.get([v10, v10])
    return v11, v10


@freehold.remote(num_returns=1)
def f3(a0, a1):
    v6 = freehold.put(a0)


@freehold.remote(num_returns=2)
def f4(a0, a1):
    v17 = a1[0]
    return a1, v17


@freehold.remote(num_returns=2)
def f5(a0, a1):
    v24 = f6.remote(a0, a0)
    v25 = freehold.get(a1)
    v27, v28 = f8.remote(v24, v24)
    v29 = freehold.get([v27, v27])
    v30 = freehold.put(v25)
    return v29, v30


@freehold.remote(num_returns=1)
def f6(a0, a1):
    a0.append(2)


@freehold.remote(num_returns=2)
def f8(a0, a1):
    v26 = [a1, a1]
    return v26, a1


@freehold.remote(num_returns=2)
def f9(a0, a1):
    v35 = b'c' * 150000
    return v35, a1


def main():
    v2, v3 = f0.remote()
    v14, v15 = f1.remote(v3, v2)
    v18, v19 = f4.remote(v14, v2)
    v20 = freehold.get(v18)
    v32, v33 = f5.remote(v15, v15)
    v36, v37 = f9.remote(v18, v15)
    return [v2, v3, v14, v15, v18, v19, v20, v32, v33, v36, v37]
"""


def test_a_task_is_not_run_on_top_of_one_that_it_needs() -> None:
    """A debugged task that waited ran whichever came first; that one needed it, and it lay beneath."""
    freehold.init(backend="inline", num_nodes=2, num_cpus=2)
    try:
        assert [play(ONE_STACK, freehold) for _ in range(3)] == [expected(ONE_STACK)] * 3
    finally:
        freehold.shutdown()
