"""The backend ``sim``: what ``init(backend="sim")`` starts.  Imported, and SimPy with it, only when it is asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import psutil
from msgspec.structs import replace

from freehold.core.hooks import Options, hookimpl
from freehold.core.ids import HEAD, worker_id
from freehold.core.session import Session
from freehold.simulator.cluster import Simulated
from freehold.simulator.memory import KNOWN_NBYTES
from freehold.simulator.patches import Patches
from freehold.simulator.world.description import Description, Source, described, possible, read
from freehold.simulator.world.units import sized


@hookimpl
def freehold_check(options: Options) -> None:
    """Refuse a description that is wrong, or of more than memory holds."""
    description_of(options)


@hookimpl
def freehold_start(options: Options) -> Session:
    """Start the nodes, each with its workers, and return the program's session; then time is zero."""
    description = description_of(options)
    world = Simulated(options.policy, int(description.store), description, options.trace)
    resources = {"CPU": description.cpus, **options.resources}
    world.start_nodes(world.capacity, [resources] * description.nodes)
    world.built()
    program = world.sessions[worker_id(HEAD, 1)]
    patches = Patches(world.strands)
    world.on_task = patches.adopt_function
    world.on_close = patches.restore
    world.of(program).body = world.strands.adopt(program)
    patches.install()
    return program


def description_of(options: Options) -> Description:
    """Return the cluster that is described; what ``init`` says beside the description goes before it.

    Raises:
        ValueError: something is wrong with it, or memory does not hold what its processes know of each other.
    """
    said = {"nodes": options.num_nodes, "cpus": options.num_cpus, "store": options.object_store_memory}
    found = given(options.cluster, {name: value for name, value in said.items() if value is not None})
    processes = found.nodes * (1 + max(1, int(found.cpus)))
    needed, there = KNOWN_NBYTES * found.nodes * processes, psutil.virtual_memory().available
    if needed > there:
        raise ValueError(
            f"{found.nodes:,} nodes, of each of which {processes:,} processes know, take about {sized(needed)} of"
            f" memory, and {sized(there)} are free: take fewer, or scripts instead of a program, as studies do"
        )
    return found


def given(cluster: object, said: Mapping[str, Any]) -> Description:
    """Return the description that a user has given, with what is said beside it.

    It is a mapping, the path of a file, or the name of a cluster on which others have measured.

    Raises:
        TypeError: it is none.
        ValueError: something in it is wrong.
    """
    described(said)  # by itself, for it is on no line of a file
    if isinstance(cluster, str) and not cluster.endswith(".toml"):
        from freehold.simulator.published.points import clusters

        if cluster in clusters():
            return described({**clusters()[cluster].plain(), **said})
    if isinstance(cluster, str | os.PathLike):
        return read(os.fspath(cluster), said)
    if cluster is None or isinstance(cluster, Mapping):
        return described({**(cluster or {}), **said})
    if isinstance(cluster, Description):
        return possible(replace(cluster, **said), Source("cluster"))
    raise TypeError(f"cluster is the path of a TOML file, or what one holds, not {type(cluster).__name__}: {cluster!r}")
