"""Which cables a message takes: a graph of machines and switches, and the shortest ways through it.

A graph is networkx's.  Nodes of the cluster are named as freehold names them, ``n0``, ``n1`` and so on; whatever else
is in it is a switch.  Each edge has a ``latency`` in seconds and a ``bandwidth`` in bytes a second, each way.  Of ways
that are equally short each pair of nodes takes one, always the same, so that nothing overtakes.

Refuses to know what is sent, when, and how long it takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from math import inf
from typing import Any

import networkx as nx

from freehold.core.policies import mix
from freehold.simulator.world.flows import Link

WAYS = 16  # as many different ways between two switches are told apart


def star(nodes: int, bandwidth: float, latency: float) -> nx.Graph:
    """Return nodes at one switch that never is the bottleneck."""
    graph = nx.Graph()
    graph.add_edges_from([(f"n{node}", "switch") for node in range(nodes)], bandwidth=bandwidth, latency=latency)
    return graph


def racks(
    nodes: int, bandwidth: float, latency: float, *, per_rack: int, spines: int = 1, oversubscription: float = 1.0
) -> nx.Graph:
    """Return racks with a switch each, all of which are linked to every spine switch.

    Args:
        nodes: of all racks.
        bandwidth: of a node's cable.
        latency: of every cable.
        per_rack: nodes of a rack; the last may have fewer.
        spines: switches between the racks.
        oversubscription: how many times as much the nodes of a rack may send as can leave the rack.
    """
    graph = nx.Graph()
    uplink = bandwidth * per_rack / (spines * oversubscription)
    for node in range(nodes):
        graph.add_edge(f"n{node}", f"rack{node // per_rack}", bandwidth=bandwidth, latency=latency)
    count = -(-nodes // per_rack)
    for rack in range(count if count > 1 else 0):
        for spine in range(spines):
            graph.add_edge(f"rack{rack}", f"spine{spine}", bandwidth=uplink, latency=latency)
    return graph


def fat_tree(nodes: int, bandwidth: float, latency: float) -> nx.Graph:
    """Return the smallest fat tree for some nodes: k pods of k/2 edge switches with k/2 nodes each, cables all alike.

    Al-Fares et al., *A Scalable, Commodity Data Center Network Architecture*, SIGCOMM 2008.
    """
    k = 2
    while k**3 // 4 < nodes:
        k += 2
    graph, half = nx.Graph(), k // 2
    for node in range(nodes):
        graph.add_edge(f"n{node}", f"edge{node // half}")
    for edge in range(-(-nodes // half)):
        pod = edge // half
        for index in range(half):
            graph.add_edge(f"edge{edge}", f"pod{pod}.{index}")
    for name in [name for name in graph if name.startswith("pod")]:
        index = int(name.partition(".")[2])
        graph.add_edges_from([(name, f"core{index}.{other}") for other in range(half)])
    nx.set_edge_attributes(graph, bandwidth, "bandwidth")
    nx.set_edge_attributes(graph, latency, "latency")
    return graph


class Unfit(ValueError):
    """No cluster can live in a graph.

    Args:
        what: is wrong.
        name: of the node or switch that is at fault, if it is one.
    """

    def __init__(self, what: str, name: str | None = None) -> None:
        super().__init__(what)
        self.name = name


def checked(graph: nx.Graph, nodes: int) -> nx.Graph:
    """Return a graph in which a cluster can live.

    Raises:
        Unfit: a node is missing, misnamed or cut off, or a cable has no latency or bandwidth.
    """
    for name in filter(is_node, graph):
        if name != f"n{int(name[1:])}":
            raise Unfit(f"{name} is no name of a switch, and as a node it is n{int(name[1:])}", name)
    beyond = [name for name in graph if is_node(name) and int(name[1:]) >= nodes]
    if beyond:
        what = f"the graph has {some(beyond)}, but the cluster has {nodes} nodes, n0 to n{nodes - 1}"
        raise Unfit(what, beyond[0])
    missing = [f"n{node}" for node in range(nodes) if f"n{node}" not in graph]
    if missing:
        raise Unfit(f"the graph has no node {some(missing)}; nodes of the cluster are named n0 to n{nodes - 1}")
    for a, b, cable in graph.edges(data=True):
        for name in ("latency", "bandwidth"):
            value = cable.get(name)
            if not isinstance(value, int | float) or not (value >= 0 if name == "latency" else value > 0):
                ends = " and ".join(sorted((a, b), key=lambda end: not is_node(end)))
                raise Unfit(f"the cable between {ends} has {name} {value!r}")
    parts = list(nx.connected_components(graph))
    cut_off = [name for part in parts if "n0" not in part for name in sorted(part) if is_node(name)]
    if cut_off:
        raise Unfit(f"no way leads from n0 to {some(cut_off)}: the graph is not connected")
    return graph


def is_node(name: Any) -> bool:
    """Tell whether a name in a graph is that of a node of the cluster."""
    return isinstance(name, str) and name[:1] == "n" and name.isascii() and name[1:].isdigit()


def some(names: Iterable[str]) -> str:
    """Return the first few of some names."""
    listed = [*names]
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")


class Topology:
    """The cables of a cluster, and who takes which.

    Args:
        graph: nodes and switches; ``checked``.
        flow: bytes a second that one node can send to another at the most.
    """

    def __init__(self, graph: nx.Graph, flow: float = inf) -> None:
        self.graph = graph
        self.flow = flow
        self.pipes: dict[tuple[int, int], tuple[Link, ...]] = {}  # from one node to another, if what flows is limited
        self.inner = graph.subgraph([name for name, cables in graph.degree if cables > 1 or len(graph) <= 2])
        self.links: dict[tuple[str, str], Link] = {}  # one for each direction of a cable
        for a, b, cable in graph.edges(data=True):
            for one, other in ((a, b), (b, a)):
                name = f"{one}->{other}"
                self.links[one, other] = Link(name, float(cable["bandwidth"]), float(cable["latency"]))
        self.doors: dict[int, tuple[str, tuple[Link, ...], tuple[Link, ...]]] = {}  # node -> who is next, there, back
        self.steps: dict[str, dict[str, list[str]]] = {}  # from -> name -> the names before it on shortest ways
        self.between: dict[tuple[str, str, int], tuple[Link, ...]] = {}

    def join(self, node: int, beside: int) -> None:
        """Add a node that has the cables of another one, unless it is there already."""
        name, other = f"n{node}", f"n{beside}"
        if name in self.graph:
            return
        for near, cable in list(self.graph[other].items()):
            self.graph.add_edge(name, near, **cable)
            for one, two in ((name, near), (near, name)):
                self.links[one, two] = Link(f"{one}->{two}", float(cable["bandwidth"]), float(cable["latency"]))
        if other in self.inner:  # ways lead through it, and so through this one
            self.inner = self.graph.subgraph([*self.inner, name])
            self.steps.clear()
            self.between.clear()

    def way(self, source: int, target: int) -> tuple[Link, ...]:
        """Return the links from one node to another, by their numbers; a node is next to itself."""
        if source == target:
            return ()
        here, out, _ = self.doors.get(source) or self.door(source)
        there, _, back = self.doors.get(target) or self.door(target)
        if self.flow < inf:
            out += self.pipe(source, target)
        if here == there:
            return out + back
        choice = mix(source, target) % WAYS
        known = self.between.get((here, there, choice))
        if known is None:
            known = self.between[here, there, choice] = self.found(here, there, choice)
        return out + known + back

    def pipe(self, source: int, target: int) -> tuple[Link, ...]:
        """Return what limits the flow from one node to another."""
        known = self.pipes.get((source, target))
        if known is None:
            known = self.pipes[source, target] = (Link(f"n{source}=>n{target}", self.flow, 0.0),)
        return known

    def door(self, node: int) -> tuple[str, tuple[Link, ...], tuple[Link, ...]]:
        """Return what a node with one cable is linked to, and the links there and back; else the node itself."""
        name = f"n{node}"
        if name in self.inner:
            known: tuple[str, tuple[Link, ...], tuple[Link, ...]] = (name, (), ())
        else:
            (switch,) = self.graph[name]
            known = (switch, (self.links[name, switch],), (self.links[switch, name],))
        self.doors[node] = known
        return known

    def found(self, here: str, there: str, choice: int) -> tuple[Link, ...]:
        """Return one of the shortest ways between two names, by latency."""
        before = self.steps.get(here)
        if before is None:
            before, _ = nx.dijkstra_predecessor_and_distance(self.inner, here, weight="latency")
            self.steps[here] = before
        names = [there]
        while names[-1] != here:
            steps = sorted(before[names[-1]])
            names.append(steps[mix(choice, len(names)) % len(steps)])
        return tuple([self.links[one, other] for one, other in pairwise(reversed(names))])
