"""Graphs of tasks: they take as long as shape and CPUs allow, and never less; what is no workload is refused."""

from __future__ import annotations

from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.core.policies import Policy
from freehold.simulator.graphs import chain, checked, functions, least, reduction, shuffle, submitted, tangle, with_all
from freehold.simulator.users import Users
from freehold.simulator.world.costs import NOTHING
from freehold.simulator.world.description import Description, Network


def seconds(graph: nx.DiGraph, nodes: int = 2, **parts: Any) -> tuple[float, Users]:
    """Return how long a graph takes on nodes with two CPUs each, and the cluster that ran it."""
    world, took = Users(Description(nodes=nodes, cpus=2, **parts), Policy(), functions(graph)), list[float]()
    driver, *_ = world.populate()
    world.start(driver, submitted(driver, graph, took))
    world.run_all()
    return took[0], world


FREE: dict[str, Any] = {"costs": NOTHING, "network": Network(latency=0.0)}


@pytest.mark.parametrize(
    ("graph", "tasks", "values", "steps"),
    [(chain(5), 5, 4, 5), (shuffle(4), 8, 16, 2), (reduction(3), 15, 14, 4), (tangle(20, 3.0, 1), 20, None, None)],
    ids=["chain", "shuffle", "reduction", "tangle"],
)
def test_shapes(graph: nx.DiGraph, tasks: int, values: int | None, steps: int | None) -> None:
    assert len(checked(graph)) == tasks
    assert values is None or graph.number_of_edges() == values
    assert steps is None or least(with_all(graph, 1.0, 0), 100) == steps
    if steps is None:
        assert {task: list(graph.predecessors(task)) for task in graph} == {
            task: list(tangle(20, 3.0, 1).predecessors(task)) for task in graph
        }


def test_what_takes_no_time_but_to_compute_takes_the_least() -> None:
    for graph in (chain(5), reduction(2)):
        took, _ = seconds(with_all(graph, 0.01, 10), **FREE)
        assert took == pytest.approx(least(graph, 4), rel=1e-3)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 12), st.floats(0, 4), st.integers(0, 99), st.sampled_from([0, 1000, 2**20]), st.integers(1, 3))
def test_nothing_is_quicker_than_it_can_be_and_nothing_is_left(
    tasks: int, values: float, seed: int, nbytes: int, nodes: int
) -> None:
    graph = with_all(tangle(tasks, values, seed), 0.01, nbytes)
    took, world = seconds(graph, nodes)
    assert took >= least(graph, 2 * nodes) * (1 - 1e-9)
    names = len(functions(graph))
    for _ in range(10_000):
        if not world.clock._queue:
            break
        world.clock.step()
    owned = [
        driver.party.tables["ownership"] for driver in world.drivers.values() if "ownership" in driver.party.tables
    ]
    assert sum(map(len, owned)) <= names * (1 + len(owned))  # functions, and nothing else


def test_tasks_may_differ() -> None:
    graph = nx.DiGraph([("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")])
    graph.nodes["b"]["seconds"] = 0.02
    graph.nodes["c"]["seconds"] = 0.05
    assert least(graph, 4) == 0.05 and least(graph, 1) == pytest.approx(0.07)
    took, _ = seconds(graph, **FREE)
    assert 0.05 <= took < 0.056  # who got both hands one on when the other has run for 5 ms


@pytest.mark.parametrize(
    ("graph", "what"),
    [
        (nx.DiGraph([("a", "b"), ("b", "a")]), "tasks of this graph wait for each other: a, b"),
        (nx.path_graph(3), "a graph of tasks is directed"),
        (with_all(chain(2), -1.0, 0), "seconds of task 0 is -1.0"),
        (with_all(chain(2), 0.0, "many"), "nbytes of task 0 is 'many'"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_workload_is_refused(graph: nx.DiGraph, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        functions(graph)
