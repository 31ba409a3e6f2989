"""Ways through graphs: the shortest, the same each time, spread over those that are equally short."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import networkx as nx
import pytest

from freehold.simulator.world.topology import Topology, checked, fat_tree, racks, star

US = 1e-6


def names(topology: Topology, source: int, target: int) -> list[str]:
    return [link.name for link in topology.way(source, target)]


def test_a_star_has_one_switch() -> None:
    topology = Topology(checked(star(3, 1e9, US), 3))
    assert names(topology, 0, 2) == ["n0->switch", "switch->n2"]
    assert topology.way(1, 1) == ()
    assert topology.way(0, 1)[0] is topology.way(0, 2)[0]
    assert topology.way(0, 1)[0].bandwidth == 1e9 and topology.way(0, 1)[0].latency == US


def test_one_node_alone_is_a_cluster() -> None:
    assert Topology(checked(star(1, 1e9, US), 1)).way(0, 0) == ()


def test_racks_share_their_spines() -> None:
    topology = Topology(checked(racks(50, 1e9, US, per_rack=20, spines=2, oversubscription=4), 50))
    assert names(topology, 0, 19) == ["n0->rack0", "rack0->n19"]
    way = topology.way(0, 49)
    assert [link.name for link in way][::3] == ["n0->rack0", "rack2->n49"] and len(way) == 4
    assert way[1].bandwidth == pytest.approx(20 * 1e9 / (2 * 4))
    spines = Counter(names(topology, a, b)[1] for a in range(20) for b in range(20, 40))
    assert {*spines} == {"rack0->spine0", "rack0->spine1"} and min(spines.values()) > 100


def test_one_rack_needs_no_spine() -> None:
    assert {*racks(5, 1e9, US, per_rack=20, spines=3)} == {"rack0", *[f"n{i}" for i in range(5)]}


@pytest.mark.parametrize(("nodes", "k"), [(2, 2), (16, 4), (54, 6), (40, 6)])
def test_a_fat_tree_has_as_many_ways_as_there_are_cores_between_pods(nodes: int, k: int) -> None:
    graph = checked(fat_tree(nodes, 1e9, US), nodes)
    between_pods = [n for n in range(nodes) if n // (k * k // 4) == 1]
    if between_pods:
        assert len(list(nx.all_shortest_paths(graph, "n0", f"n{between_pods[0]}"))) == k * k // 4
        assert len(Topology(graph).way(0, between_pods[0])) == 6
    assert max(degree for name, degree in graph.degree if name[0] in "ep") <= k


@pytest.mark.parametrize("graph", [racks(60, 1e9, US, per_rack=7, spines=3), fat_tree(30, 1e9, US), star(30, 1e9, US)])
def test_every_way_is_a_way_and_a_shortest_one(graph: nx.Graph) -> None:
    topology = Topology(graph)
    count = sum(name[1:].isdigit() and name[0] == "n" for name in graph)
    for source in range(0, count, 3):
        for target in range(0, count, 2):
            way = [name.split("->") for name in names(topology, source, target)]
            assert all(one[1] == other[0] for one, other in pairwise(way))
            assert not way or (way[0][0], way[-1][1]) == (f"n{source}", f"n{target}")
            assert len(way) == nx.shortest_path_length(graph, f"n{source}", f"n{target}")


def test_nodes_may_be_in_the_middle() -> None:
    graph = nx.Graph()
    for one, other in (("n0", "n1"), ("n1", "n2"), ("n2", "n0"), ("n2", "n3")):
        graph.add_edge(one, other, bandwidth=1e9, latency=US)
    topology = Topology(checked(graph, 4))
    assert names(topology, 1, 3) == ["n1->n2", "n2->n3"] and names(topology, 3, 0) == ["n3->n2", "n2->n0"]


def test_latency_decides_what_is_short() -> None:
    graph = nx.Graph()
    graph.add_edge("n0", "n1", bandwidth=1e9, latency=10 * US)
    graph.add_edges_from([("n0", "s"), ("s", "n1")], bandwidth=1e9, latency=US)
    assert names(Topology(checked(graph, 2)), 0, 1) == ["n0->s", "s->n1"]


def test_a_node_that_joins_has_the_cables_of_another() -> None:
    topology = Topology(racks(4, 1e9, US, per_rack=2))
    topology.join(4, 3)
    assert names(topology, 4, 2) == ["n4->rack1", "rack1->n2"] and len(topology.way(4, 0)) == 4


def test_also_if_ways_lead_through_it() -> None:
    graph = nx.Graph()
    for one, other in (("n0", "n1"), ("n1", "n2"), ("n2", "n3"), ("n3", "n0")):
        graph.add_edge(one, other, bandwidth=1e9, latency=US)
    topology = Topology(checked(graph, 4))
    assert len(topology.way(1, 3)) == 2
    topology.join(4, 2)
    assert names(topology, 1, 4) == ["n1->n4"] and len(topology.way(4, 0)) == 2 and len(topology.way(4, 2)) == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda graph: graph.remove_node("n2"), "the graph has no node n2; nodes of the cluster are named n0 to n2"),
        (lambda graph: graph.add_edge("n7", "switch", bandwidth=1.0, latency=0.0), "the graph has n7, but the cluster"),
        (lambda graph: graph.add_edge("n02", "switch"), "n02 is no name of a switch, and as a node it is n2"),
        (lambda graph: graph.remove_edge("n1", "switch"), "no way leads from n0 to n1: the graph is not connected"),
        (lambda graph: graph["n1"]["switch"].update(latency=-1.0), "the cable between n1 and switch has latency -1.0"),
        (lambda graph: graph["n1"]["switch"].update(bandwidth=0), "the cable between n1 and switch has bandwidth 0"),
        (lambda graph: graph["n1"]["switch"].pop("bandwidth"), "has bandwidth None"),
    ],
)
def test_what_no_cluster_can_live_in(change: object, said: str) -> None:
    graph = star(3, 1e9, US)
    change(graph)  # type: ignore[operator]
    with pytest.raises(ValueError, match=said):
        checked(graph, 3)
