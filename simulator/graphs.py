"""Workloads that are graphs: networkx's directed ones without a cycle, nodes of which are tasks, and edges values.

A task takes what its predecessors return, computes for ``seconds``, and returns ``nbytes``: attributes of its node, 0
if they are missing.  So whatever networkx makes or reads is a workload; four shapes are here.

Refuses to know how tasks are placed, and how their values come to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import product
from math import inf
from random import Random
from typing import Any

import networkx as nx

from freehold.core.values import Description as Task
from freehold.simulator.scripts import Body, Caller, Script, fine


def chain(tasks: int) -> nx.DiGraph:
    """Return tasks, each of which takes what the one before returns."""
    return nx.path_graph(tasks, create_using=nx.DiGraph)


def shuffle(width: int) -> nx.DiGraph:
    """Return two rows of tasks; each of the second takes what all of the first return."""
    return nx.DiGraph(
        product([f"map {index}" for index in range(width)], [f"reduce {index}" for index in range(width)])
    )


def reduction(depth: int) -> nx.DiGraph:
    """Return a tree of tasks, each of which takes what two others return."""
    return nx.balanced_tree(2, depth, create_using=nx.DiGraph).reverse()


def tangle(tasks: int, values: float, seed: int) -> nx.DiGraph:
    """Return tasks that take what some earlier ones return, ``values`` of them on average."""
    random, graph = Random(seed), nx.DiGraph()
    for task in range(tasks):
        graph.add_node(task)
        graph.add_edges_from([(before, task) for before in range(task) if random.random() * task < values])
    return graph


def with_all(graph: nx.DiGraph, seconds: float, nbytes: int) -> nx.DiGraph:
    """Let all tasks of a graph compute for so long, and return values of one size; return the graph."""
    nx.set_node_attributes(graph, seconds, "seconds")
    nx.set_node_attributes(graph, nbytes, "nbytes")
    return graph


def checked(graph: nx.DiGraph) -> nx.DiGraph:
    """Return a graph that is a workload.

    Raises:
        ValueError: it is none; one sentence says why.
    """
    if not graph.is_directed():
        raise ValueError("a graph of tasks is directed, from who returns a value to who takes it, and this one is not")
    if not nx.is_directed_acyclic_graph(graph):
        cycle = ", ".join([str(task) for task, _ in nx.find_cycle(graph)][:5])
        raise ValueError(f"tasks of this graph wait for each other: {cycle}")
    for task, values in graph.nodes.items():
        for name in ("seconds", "nbytes"):
            value = values.get(name, 0)
            if not isinstance(value, int | float) or not 0 <= value < inf:
                raise ValueError(f"{name} of task {task} is {value!r}: it must be a number, 0 or more")
    return graph


def functions(graph: nx.DiGraph) -> dict[str, Body]:
    """Return what the tasks of a graph do, by the names under which it is submitted."""
    found = {kind(values): partial(compute, values) for values in checked(graph).nodes.values()}
    return {name: found[name] for name in sorted(found)}


def kind(values: Mapping[str, Any]) -> str:
    """Return the name of what a task does."""
    return f"{values.get('seconds', 0)} s, {values.get('nbytes', 0)} B"


def compute(values: Mapping[str, Any], _: Any, task: Task) -> Script:
    """Compute for a while; return a value of some size."""
    yield float(values.get("seconds", 0))
    return int(values.get("nbytes", 0))


def submitted(caller: Caller, graph: nx.DiGraph, took: list[float]) -> Script:
    """Submit all tasks, let values go that nobody takes any more, and wait for those that nobody takes.

    Args:
        caller: whose tasks they are.
        graph: the tasks.
        took: the seconds are added here.

    Raises:
        RuntimeError: a task failed.
    """
    began, refs = caller.now(), dict[Any, int]()
    left = dict(graph.out_degree)
    for task in nx.topological_sort(graph):
        before = list(graph.predecessors(task))
        refs[task] = caller.submit(kind(graph.nodes[task]), values=[refs[other] for other in before])
        for other in before:
            left[other] -= 1
        caller.drop(*[refs.pop(other) for other in before if not left[other]])
        yield 0.0  # its own time is up to here
    fine((yield from caller.get(*refs.values())))
    took.append(caller.now() - began)
    caller.drop(*refs.values())


def least(graph: nx.DiGraph, cpus: float) -> float:
    """Return the seconds that a graph takes at the least: those of its longest way, or of all tasks on so many CPUs."""
    ends: dict[Any, float] = {}
    for task in nx.topological_sort(graph):
        begins = max([ends[before] for before in graph.predecessors(task)], default=0.0)
        ends[task] = begins + graph.nodes[task].get("seconds", 0)
    return float(
        max(max(ends.values(), default=0.0), sum(graph.nodes[task].get("seconds", 0) for task in graph) / cpus)
    )
