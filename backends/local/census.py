"""What a process still knows of users' objects, in words: its part of a census of the cluster.

Workers keep the functions that they have run, so those and what they close over are named apart, and left out by
whoever puts the parts together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from freehold.backends.local import wire
from freehold.core.ids import object_name, party_name
from freehold.core.node import Node
from freehold.core.party import Party
from freehold.core.remote import exported_functions
from freehold.core.session import Session
from freehold.core.worker import Worker

OBJECT_TABLES = ("ownership", "promotion", "resolution", "request", "execution", "running", "copy")
LINES_MAX = 1000
CHARACTERS_MAX = 300
ALIGNMENT = 64  # of ranges in an arena


def census_of(party: Party, lines: Iterable[str], session: Session | None = None) -> wire.Census:
    """Return the part of one process.

    Args:
        party: its party.
        lines: what its driver has to say.
        session: of a worker.
    """
    left = [*records_left(party), *(wire.Left(0, line) for line in lines)]
    counts = {f"{party.me}.{name}": len(records) for name, records in party.tables.items() if records}
    functions: tuple[int, ...] = ()
    contents: tuple[tuple[int, tuple[int, ...]], ...] = ()
    if isinstance(party, Node):
        left += node_left(party)
    if isinstance(party, Worker) and session is not None:
        left += worker_left(party)
        left += [
            wire.Left(name, f"a reference to {object_name(name)}")
            for name, ref in list(session.refs.items())
            if ref() is not None
        ]
        functions = tuple({*session.functions, *exported_functions()})
        contents = tuple([(name, r.refs) for name, r in party.ownership.items() if r.refs][:LINES_MAX])
    return wire.Census(party.me, counts, tuple(left[:LINES_MAX]), functions, contents)


def records_left(party: Party) -> Iterator[wire.Left]:
    """Yield the records that are about objects."""
    for table, records in party.tables.items():
        for name, record in records.items() if table in OBJECT_TABLES else ():
            yield wire.Left(0 if table == "request" else name, f"{table}: {record}"[:CHARACTERS_MAX])


def node_left(node: Node) -> Iterator[wire.Left]:
    """Yield what an object store and its office still have."""
    room, office = node.rooms[0], node.offices[0]
    for name, nbytes in room.sizes.items():
        yield wire.Left(name, f"room: {nbytes} bytes of {object_name(name)}")
    for name in room.pulls:
        yield wire.Left(name, f"room: a pull of {object_name(name)}")
    if room.queue or room.reserving:
        yield wire.Left(0, f"room: {room}"[:CHARACTERS_MAX])
    if office.queue:
        yield wire.Left(0, f"office: {office.queue}"[:CHARACTERS_MAX])
    waiting = [party_name(worker) for worker, loan in office.loans.items() if loan.waits]
    if waiting:
        yield wire.Left(0, f"office: a task is said to wait on {', '.join(waiting)}")
    lent = sum(amount for loan in office.loans.values() for name, amount in loan.pool[0] if name == "CPU")
    total = sum(amount for name, amount in node.members[node.me].resources if name == "CPU")
    if abs(office.free.get("CPU", 0.0) + lent - total) > 1e-6:
        yield wire.Left(0, f"office: {office.free.get('CPU')} CPUs free and {lent} lent, of {total}")


def bytes_expected(node: Node) -> int:
    """Return how many bytes of the arena should be in use, by the sizes of its copies."""
    return sum(max(ALIGNMENT, -(-nbytes // ALIGNMENT) * ALIGNMENT) for nbytes in node.rooms[0].sizes.values())


def worker_left(worker: Worker) -> Iterator[wire.Left]:
    """Yield turns and tasks in a worker's queues."""
    for desk in worker.desk.values():
        if desk.queue or desk.state.name != "FREE":
            yield wire.Left(0, f"desk: {desk}"[:CHARACTERS_MAX])
    for pool in worker.pools.values():
        if len(pool.queue) or any(lease.tasks for lease in pool.leases.values()):
            yield wire.Left(0, f"pool: {pool}"[:CHARACTERS_MAX])


def put_together(parts: list[wire.Census]) -> list[str]:
    """Return what is left in the whole cluster, without what belongs to functions that workers have cached."""
    contents = {name: refs for part in parts for name, refs in part.contents}
    cached: set[int] = set()
    queue = [name for part in parts for name in part.functions]
    while queue:
        name = queue.pop()
        if name not in cached:
            cached.add(name)
            queue += contents.get(name, ())
    return [f"{party_name(part.party)}: {one.words}" for part in parts for one in part.left if one.object not in cached]
