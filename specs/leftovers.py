"""What a cluster still knows of user objects, once a program has dropped everything.

Decides what counts as left over: any record, reference, byte or turn that belongs to a user's object.  Workers
keep the functions that they have run, so those and what they close over are not counted.  Refuses to know how a
backend is built: one that hosts all parties in this process is looked into, another takes its own census.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from typing import Any

from freehold.core.hosted import Hosted
from freehold.core.ids import object_name, party_name
from freehold.core.node import Node
from freehold.core.remote import exported_functions
from freehold.core.session import Session
from freehold.core.worker import Worker

OBJECT_TABLES = ("ownership", "promotion", "resolution", "request", "execution", "running", "copy")


def settled(session: Session, seconds: float = 10.0) -> tuple[list[str], float]:
    """Return what is left over, after waiting for it to go, and the seconds waited; no longer than needed.

    Args:
        session: the program's.
        seconds: real time to wait at most.
    """
    start = time.monotonic()
    while True:
        gc.collect()  # each time: another thread may have held a part of a cycle
        nudge(session)
        found = leftovers(session)
        waited = time.monotonic() - start
        if not found or waited > seconds:
            return found, waited
        time.sleep(0.01)


def nudge(session: Session) -> None:
    """Let a cluster that only moves while its program waits deliver what is on its way.

    References that died in a cycle are told of at their process's next call; here all processes make one.
    """
    session.host.tell()
    if isinstance(session.host, Hosted):
        world = session.host.world
        for driver in list(world.drivers.values()):
            driver.tell()
        turn: Callable[[], bool] | None = getattr(world, "turn", None)
        while turn is not None and is_due(world):
            turn()


def is_due(world: Any) -> bool:
    """Tell whether a world that takes turns has something to do now, rather than a timer to wait for."""
    return bool(world.posts or world.runnable or (world.timers and world.timers[0][0] <= world.now()))


def leftovers(session: Session) -> list[str]:
    """Return, in words, what the parties of a cluster still know of user objects; [] if all is clean."""
    if isinstance(session.host, Hosted):
        world = session.host.world
        cached = functions(list(world.sessions.values()))
        return [line for driver in world.drivers.values() for line in party_leftovers(driver, cached)]
    census: Callable[[], list[str]] = getattr(session.host, "census")  # noqa: B009  (an offer, not a duty, of a host)
    return census()


def functions(sessions: list[Session]) -> set[int]:
    """Return the functions that workers have cached or that this process can call, and all that these contain."""
    contents = {name: r.refs for s in sessions for name, r in s.worker.ownership.items() if r.refs}
    found: set[int] = set()
    queue = [*exported_functions(), *[name for s in sessions for name in s.functions]]
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue += contents.get(name, ())
    return found


def party_leftovers(driver: Hosted, cached: set[int]) -> Iterator[str]:
    """Yield what one party still knows."""
    party = driver.party
    me = party_name(party.me)
    for table, records in party.tables.items():
        for name, record in records.items() if table in OBJECT_TABLES else ():
            if table == "request" or name not in cached:
                yield f"{me}: {table}: {record}"
    if isinstance(party, Node):
        yield from (f"{me}: {line}" for line in node_leftovers(party, driver.places, cached))
    if isinstance(party, Worker):
        yield from (f"{me}: {line}" for line in worker_leftovers(party))
        session = driver.session
        alive = [name for name, ref in session.refs.items() if ref() is not None] if session is not None else []
        yield from (f"{me}: a reference to {object_name(name)}" for name in alive if name not in cached)
        if driver.settled or driver.listeners or driver.due:
            yield f"{me}: unanswered: {driver.settled} {driver.listeners} {driver.due}"


def node_leftovers(node: Node, places: dict[int, Any], cached: set[int]) -> Iterator[str]:
    """Yield what an object store and its office still have, beside cached functions and idle workers."""
    room, office = node.rooms[0], node.offices[0]
    for name, nbytes in room.sizes.items():
        if name not in cached:
            yield f"room: {nbytes} bytes of {object_name(name)}"
    if room.queue or room.reserving or any(name not in cached for name in room.pulls):
        yield f"room: {room}"
    if len(places) != len(room.sizes):
        yield f"{len(places)} places, but {len(room.sizes)} sizes"
    if office.queue:
        yield f"office: {office.queue}"
    waiting = [party_name(worker) for worker, loan in office.loans.items() if loan.waits]
    if waiting:
        yield f"office: a task is said to wait on {', '.join(waiting)}"
    lent = sum(amount for loan in office.loans.values() for name, amount in loan.pool[0] if name == "CPU")
    total = sum(amount for name, amount in node.members[node.me].resources if name == "CPU")
    free = office.free.get("CPU", 0.0)
    if free < -1e-6 or abs(free + lent - total) > 1e-6:
        yield f"office: {free} CPUs free and {lent} lent, of {total}"


def worker_leftovers(worker: Worker) -> Iterator[str]:
    """Yield turns and tasks in a worker's queues."""
    for desk in worker.desk.values():
        if desk.queue or desk.state.name != "FREE":
            yield f"desk: {desk}"
    for pool in worker.pools.values():
        if len(pool.queue) or any(lease.tasks for lease in pool.leases.values()):
            yield f"pool: {pool}"
