"""The four schemes that were compared, each as a cluster that runs the same scripts."""

from __future__ import annotations

from math import inf
from typing import NamedTuple

from msgspec.structs import replace

from freehold.core.policies import DEFAULT, INLINED_BYTES_MAX, Policy
from freehold.simulator.published.points import Profile, clusters
from freehold.simulator.scripts import Body, Cluster
from freehold.simulator.users import Users
from freehold.simulator.variants.schemes import Centralized, Leases
from freehold.simulator.world.description import Fault

MODELS: dict[str, type[Leases]] = {"leases": Leases, "centralized": Centralized}
PIPELINED = Policy(quick_seconds=1.0, slow_seconds=10.0, queue_max=100, call_sites=False)  # as the artifact's switch


def cluster(machine: str, scheme: str) -> Profile:
    """Return the constants of a machine with what ran a scheme on it."""
    known = clusters()
    return known.get(f"{machine}, {'Ray 0.7.7' if scheme in MODELS else scheme}", known[machine])


class Way(NamedTuple):
    """How a point is simulated.

    Args:
        series: of the row, whose name begins with the scheme.
        seed: orders what happens at one instant.
        contention: whether transfers share links, and processes processors.
    """

    series: str
    seed: int = 0
    contention: bool = True

    @property
    def scheme(self) -> str:
        """Who is compared."""
        return self.series.partition(",")[0]


def world(
    machine: str, way: Way, nodes: int, cpus: float, functions: dict[str, Body], faults: tuple[Fault, ...] = ()
) -> Cluster:
    """Return a cluster that plays by a scheme; no script has begun."""
    found, scheme = cluster(machine, way.scheme), way.scheme
    description = found.description(nodes, cpus, faults)
    if not way.contention:
        description = replace(
            description,
            machine=replace(description.machine, cores=inf),
            network=replace(description.network, contention=False),
        )
    if scheme in MODELS:
        return MODELS[scheme](description, functions, found.services())
    inlined = INLINED_BYTES_MAX if scheme == "by value" else DEFAULT.inline_bytes_max
    return Users(description, replace(PIPELINED, inline_bytes_max=inlined, seed=way.seed), functions)
