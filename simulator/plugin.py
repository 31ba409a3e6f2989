"""The backend ``sim``: what ``init(backend="sim")`` starts.  Imported, and SimPy with it, only when it is asked for."""

from __future__ import annotations

from freehold.core.errors import NotSupported
from freehold.core.hooks import Options, hookimpl
from freehold.core.ids import HEAD, worker_id
from freehold.core.session import Session
from freehold.simulator.costs import DEFAULT
from freehold.simulator.driver import Simulated
from freehold.simulator.patches import Patches

STORE_NBYTES = 2 * 2**30  # of each node, unless the user says otherwise; bytes are only taken when used
CPUS = 2.0  # of each node, whatever the machine has on which the simulation runs


@hookimpl
def freehold_start(options: Options) -> Session:
    """Start the nodes, each with its workers, and return the program's session; then time is zero."""
    if options.cluster is not None:
        raise NotSupported("backend='sim' cannot read a description of a cluster yet: use num_nodes= and num_cpus=")
    world = Simulated(options.policy, options.object_store_memory or STORE_NBYTES, DEFAULT, options.trace)
    resources = {"CPU": options.num_cpus or CPUS, **options.resources}
    for _ in range(options.num_nodes):
        world.start_node(world.capacity, resources)
    world.built()
    program = world.sessions[worker_id(HEAD, 1)]
    patches = Patches(world.strands)
    world.on_task = patches.adopt_function
    world.on_close = patches.restore
    world.of(program).body = world.strands.adopt(program)
    patches.install()
    return program
