"""How large a cluster can be simulated, and how fast: resolutions a second, memory, and what SimPy alone would cost.

Each row is measured in a process of its own, whose peak of memory it is.  On each node there is one process that owns
some objects; readers find a reference to somebody's object in a value of theirs, get it, and drop it: the whole
protocol of a borrow.  Refuses to know what the figures are compared with.
"""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from random import Random
from typing import Any, Literal

import msgspec
from simpy import Environment

from freehold.core.policies import Policy
from freehold.simulator.scripts import Script
from freehold.simulator.studies.study import middle
from freehold.simulator.users import User, Users
from freehold.simulator.world.description import Description, Network
from freehold.simulator.world.units import sized

OBJECTS = 10  # of each owner
READERS = 2000  # at the most, that are under way at a time
ALONE = 100_000  # events of SimPy's that are timed


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What is simulated.

    Args:
        nodes: of the cluster.
        resolutions: of all readers together.
        borrow: what a borrower's resolution of a small value does.
        racks: whether there are racks of 40 nodes that share a quarter of their bandwidth, or one star.
        least: bytes of the smallest object.
        most: bytes of the largest; sizes are spread evenly over the powers between them.
        hot: the share of resolutions that one owner gets.
        seed: of everything.
    """

    nodes: int = 100
    resolutions: int = 20_000
    borrow: Literal["copy", "promote"] = "copy"
    racks: bool = False
    least: int = 100
    most: int = 100
    hot: float = 0.0
    seed: int = 0

    def description(self) -> Description:
        """Return the cluster."""
        network = Network(topology="racks", per_rack=40, oversubscription=4.0) if self.racks else Network()
        return Description(nodes=self.nodes, network=network)


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: seconds of simulated time but for ``took`` and ``alone``, which are real ones."""

    load: Load
    built: float  # until the cluster was there
    took: float
    simulated: float
    median: float  # of resolutions
    p99: float
    events: float  # of each resolution
    alone: float  # that SimPy takes for as many events which do nothing, in as many processes
    nbytes: int  # of memory, at the most
    carried: int  # bytes between nodes


def measure(load: Load) -> Measured:
    """Simulate a load, in a process of its own.

    Raises:
        BrokenProcessPool: it was killed.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(simulate, load).result()


def simulate(load: Load) -> Measured:
    """Simulate a load here."""
    began, random = time.perf_counter(), Random(load.seed)
    world = Users(load.description(), Policy(borrow=load.borrow, seed=load.seed, call_sites=False))
    users = world.populate(tasks=False)
    objects: list[list[int]] = [[] for _ in users]
    for user, mine in zip(users, objects, strict=True):
        world.start(user, own(user, mine, load, random))
    world.run_all()
    built, start, before = time.perf_counter(), world.clock.now, world.clock.pushed
    took: list[float] = []
    readers = random.sample(range(load.nodes), min(load.nodes, READERS))
    share, more = divmod(load.resolutions, len(readers))
    for number, reader in enumerate(readers):
        chosen = choose(reader, objects, share + (number < more), load, random)
        world.start(users[reader], read(users[reader], chosen, took))
    world.run_all()
    done, events = time.perf_counter(), world.clock.pushed - before
    took.sort()
    return Measured(
        load=load,
        built=built - began,
        took=done - built,
        simulated=world.clock.now - start,
        median=middle(took),
        p99=took[len(took) * 99 // 100],
        events=events / load.resolutions,
        alone=alone(events, len(readers)),
        nbytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        carried=world.network.nbytes,
    )


def size(load: Load, random: Random) -> int:
    """Return the size of an object."""
    return int(load.least * pow(load.most / load.least, random.random()))


def own(user: User, objects: list[int], load: Load, random: Random) -> Script:
    """Put some objects."""
    for _ in range(OBJECTS):
        objects.append((yield from user.put(size(load, random))))


def choose(reader: int, objects: list[list[int]], count: int, load: Load, random: Random) -> Iterator[int]:
    """Yield objects of others, at random."""
    for _ in range(count):
        owner = 0 if random.random() < load.hot else random.randrange(load.nodes)
        while owner == reader:
            owner = random.randrange(load.nodes)
        yield objects[owner][random.randrange(OBJECTS)]


def read(reader: User, chosen: Iterator[int], took: list[float]) -> Script:
    """Resolve objects one after the other."""
    outer = yield from reader.put(10)
    for object in chosen:
        began = reader.now()
        reader.find(outer, object)
        failure = yield from reader.get(object)
        if failure is not None:
            raise RuntimeError(f"a resolution failed: {failure}")
        took.append(reader.now() - began)
        reader.drop(object)


def alone(events: int, processes: int) -> float:
    """Return the seconds that SimPy takes for some timeouts, in some processes, that do nothing."""
    environment, each = Environment(), max(1, min(events, ALONE) // processes)

    def wait() -> Iterator[Any]:
        for _ in range(each):
            yield environment.timeout(1.0)

    for _ in range(processes):
        environment.process(wait())  # type: ignore[arg-type]
    began = time.perf_counter()
    environment.run()
    return (time.perf_counter() - began) / (each * processes) * events


ROWS: dict[str, list[Load]] = {
    "small": [
        Load(nodes=nodes, resolutions=40_000, borrow=borrow)
        for borrow in ("copy", "promote")
        for nodes in (100, 1_000, 10_000)
    ],
    "million": [Load(nodes=10_000, resolutions=1_000_000)],
    "racks": [Load(nodes=10_000, resolutions=100_000, racks=True, least=2**10, most=2**26, hot=0.2)],
}
HEAD = ("nodes", "resolutions", "borrow", "topology", "sizes", "built", "took", "a second", "alone", "events", "memory")


def cells(found: Measured) -> tuple[str, ...]:
    """Return a line of the table."""
    load = found.load
    sizes = sized(load.least) + (f" to {sized(load.most)}" if load.most > load.least else "")
    return (
        f"{load.nodes:,}",
        f"{load.resolutions:,}",
        load.borrow,
        "racks, 4:1" if load.racks else "star",
        sizes,
        f"{found.built:.1f} s",
        f"{found.took:.1f} s",
        f"{load.resolutions / found.took:,.0f}",
        f"{found.alone:.1f} s",
        f"{found.events:.1f}",
        sized(found.nbytes),
    )
