"""Study: borrowers read a small value: is it better promoted, or sent along in the owner's reply?"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Literal

from freehold.core.policies import Policy
from freehold.simulator.scripts import Script
from freehold.simulator.studies.plots import above, either_way
from freehold.simulator.studies.study import Point, Row, Rows, Study, crossings, middle
from freehold.simulator.users import User, Users
from freehold.simulator.world.description import Description

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HOW = ("in the reply", "promoted")
RULES: dict[str, Literal["copy", "promote"]] = {"in the reply": "copy", "promoted": "promote"}
OBJECTS = 10  # that are read by all of a node's borrowers, one after the other
APART = 0.002  # seconds between two reads, on average


def run(point: Point, seed: int) -> list[Row]:
    """Let so many processes of another node read the same objects of one size, each at a time of its own."""
    policy = Policy(seed=seed, borrow=RULES[point["values"]], inline_bytes_max=point["nbytes"])
    world = Users(Description(nodes=2), policy)
    owner, first = world.populate(tasks=False)
    node = first.party.node
    readers = [first, *[world.user(world.add_worker(node)) for _ in range(point["borrowers"] - 1)]]
    objects: list[int] = []
    took: list[float] = []
    world.start(owner, own(owner, point["nbytes"], objects))
    world.run_all()
    world.network.nbytes, random = 0, Random(seed)
    for reader in readers:
        world.start(reader, read(reader, objects, random, took))
    world.run_all()
    reads = len(took)
    return [{"seconds": sum(took) / reads, "median": middle(took), "nbytes_sent": world.network.nbytes / reads}]


def own(owner: User, nbytes: int, objects: list[int]) -> Script:
    """Put all objects."""
    for _ in range(OBJECTS):
        object = yield from owner.put(nbytes)
        objects.append(object)


def read(reader: User, objects: list[int], random: Random, took: list[float]) -> Script:
    """Read all objects, one after the other, and keep them."""
    outer = yield from reader.put(10)
    for object in objects:
        yield random.expovariate(1 / APART)
        began = reader.now()
        reader.find(outer, object)
        yield from reader.get(object)
        took.append(reader.now() - began)


# ------------------------------------------------------------------ figures, and a sentence


def times(rows: Rows) -> Figure:
    """Draw how long a read takes, either way, against size."""
    return either_way(rows, "seconds", "values", HOW, "borrowers", "time of a read (ms)", 1e-3)


def traffic(rows: Rows) -> Figure:
    """Draw how many bytes a read sends, either way, against size."""
    return either_way(rows, "nbytes_sent", "values", HOW, "borrowers", "sent for a read (KiB)", 1024)


def conclude(rows: Rows) -> str:
    """Say from which size on promotion pays."""
    said = []
    for borrowers in rows.values("borrowers"):
        found = above(crossings(rows.where(borrowers=borrowers), "seconds", "values", HOW))
        said.append(f"{found} with {borrowers} borrower{'s' * (borrowers > 1)} on a node")
    return f"To promote what borrowers read pays {', '.join(said)}."


STUDY = Study(
    "borrow",
    "Borrowers read a small value: is it better promoted, or sent along in the owner's reply?",
    {"nbytes": (1 << 10, 10 << 10, 100 << 10, 1 << 20, 8 << 20), "borrowers": (1, 4, 16), "values": HOW},
    run,
    conclude,
    {"borrow-time": times, "borrow-bytes": traffic},
    compares=("values",),
    nodes=lambda point: 1 + point["borrowers"],
)
