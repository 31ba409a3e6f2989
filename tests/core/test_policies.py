"""Choices: the same each time, and as the policy says."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from freehold.core.ids import node_id
from freehold.core.policies import Policy, order_locations

NODES = tuple(node_id(index) for index in range(8))
some_nodes = st.lists(st.sampled_from(NODES), unique=True).map(tuple)


@given(some_nodes, st.sampled_from(NODES), st.sampled_from(["nearest", "random"]), st.integers(0, 9))
def test_all_locations_are_tried_and_this_node_first(nodes: tuple[int, ...], here: int, location, attempt: int) -> None:
    order = order_locations(Policy(location=location), 5, attempt, here, nodes)
    assert sorted(order) == sorted(nodes)
    assert here not in nodes or order[0] == here
    assert order == order_locations(Policy(location=location), 5, attempt, here, nodes[::-1])


def test_a_random_location_is_another_one_for_everybody() -> None:
    """All who asked for the first time had chosen the same one, whose node then had to serve them all."""
    sources, askers = NODES[:4], [node_id(index) for index in range(100, 500)]
    chosen = Counter(order_locations(Policy(location="random"), 5, 1, here, sources)[0] for here in askers)
    assert {*chosen} == {*sources} and max(chosen.values()) < 150
