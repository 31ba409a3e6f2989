"""F12: a round trip between two nodes, if software costs nothing; after figure 6 of *Hoplite*, SIGCOMM 2021."""

from __future__ import annotations

from freehold.core.ids import node_id
from freehold.simulator.clock import Clock, Happening
from freehold.simulator.published.points import clusters
from freehold.simulator.published.worlds import Way
from freehold.simulator.world.description import graph_of
from freehold.simulator.world.network import Network
from freehold.simulator.world.topology import Topology
from freehold.simulator.world.units import quantity


def round_trip(way: Way, size: str) -> float:
    """Return milliseconds from one node to the other and back."""
    description = clusters()["m5.4xlarge"].description(2, 1)
    clock, nbytes = Clock(), int(quantity(size, "B"))
    network = Network(clock, Topology(graph_of(description)), None, way.seed, contention=way.contention)
    one, other = node_id(0), node_id(1)

    def turn(_: Happening) -> None:
        network.carry(other, one, clock.now, nbytes, Happening((lambda _: None,)))

    network.carry(one, other, 0.0, nbytes, Happening((turn,)))
    clock.run()
    return clock.now * 1e3
