"""What must be true of a whole cluster: after every step, and when it has come to rest with no reference left.

The properties are stated over the model of the users (``users.py``) and over the records of all parties at once;
no party could check them alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from freehold.core.account import holders
from freehold.core.copy import PRIMARY, PULLING, RETIRING, SECONDARY, WRITING
from freehold.core.execution import KEPT
from freehold.core.facts import REFERENCES, bounded
from freehold.core.ids import COUNTER_BITS, object_name, owner_of, party_name
from freehold.core.node import Node
from freehold.core.office import cpus_left
from freehold.core.ownership import OWNED
from freehold.core.party import Party
from freehold.core.promotion import INLINE, PLACED
from freehold.core.resolution import IDLE, LOCAL
from freehold.core.worker import Worker
from freehold.specs.walks.users import Users
from freehold.specs.walks.world import Violation, World

HAVE_BYTES = (WRITING, PULLING, PRIMARY, SECONDARY, RETIRING)  # copies in these states


class Cluster(Protocol):
    """Parties, whoever moves them."""

    @property
    def parties(self) -> Mapping[int, Party]:
        """All that live, by name."""
        ...


def held_is_not_released(world: Users) -> Iterator[str]:
    """An object to which user code of a live process has a reference is not released while its owner lives.

    Of two processes that have lost each other one has to go; until then the object may be gone.
    """
    for me, process in world.processes.items():
        for object, count in process.handles.items():
            owner = world.parties.get(object >> COUNTER_BITS)
            if count and isinstance(owner, Worker) and owner.hears(me) and world.worker(me).hears(owner.me):
                record = owner.ownership.get(object)
                if record is None or record.state is not OWNED:
                    yield f"{object_name(object)} is released while {party_name(me)} has a reference to it"


# ------------------------------------------------------------------ of one object, whatever is known of its users

Parties = Mapping[int, Party]


def object_agrees(parties: Parties, object: int) -> Iterator[str]:
    """What all parties that live know of one object goes together."""
    yield from needed_is_not_released(parties, object)
    yield from readers_hold(parties, object)
    yield from one_primary(parties, object)


def needed_is_not_released(parties: Parties, object: int) -> Iterator[str]:
    """The owner has the record of an object to which a process has a reference that it believes to be alive."""
    owner = parties.get(owner_of(object))
    if not isinstance(owner, Worker):
        return
    record = owner.ownership.get(object)
    if record is not None and record.state is OWNED:
        return
    for party in parties.values():
        if isinstance(party, Worker) and owner.hears(party.me) and party.hears(owner.me):
            held = party.ownership.get(object)
            if held is not None and held.local:
                yield f"{object_name(object)} is released while {party_name(party.me)} has a reference to it"


def readers_hold(parties: Parties, object: int = 0) -> Iterator[str]:
    """A process that may read a copy where it lies holds it, and it is sealed.  (Of all objects, or of one.)"""
    for party in parties.values():
        if not isinstance(party, Worker):
            continue
        for value in [party.resolution.get(object)] if object else party.resolution.values():
            node = parties.get(party.node)
            if value is None or value.state not in (LOCAL, IDLE) or not isinstance(node, Node):
                continue
            copy = node.copies.get(value.object)
            if node.hears(party.me):
                mine = copy is not None and copy.state is WRITING and copy.creator == party.me  # it may not have heard
                sealed = copy is not None and copy.state in (PRIMARY, SECONDARY, RETIRING) and copy.place == value.place
                if not (mine or sealed) or copy is None or copy.holds.get(party.me, 0) < 1:
                    yield f"{party_name(party.me)} reads {object_name(value.object)} where its node has {copy}"


def one_primary(parties: Parties, object: int = 0) -> Iterator[str]:
    """At most one node keeps the copy that is not to be evicted, of those that have not lost each other."""
    kept: dict[int, list[int]] = {}
    for node in parties.values():
        if isinstance(node, Node):
            for copy in [node.copies.get(object)] if object else node.copies.values():
                if copy is not None and copy.state is PRIMARY:
                    kept.setdefault(copy.object, []).append(node.me)
    for name, nodes in kept.items():
        if len(nodes) > 1 and all(parties[one].hears(two) for one in nodes for two in nodes):
            yield f"{object_name(name)} has primary copies on {', '.join(map(party_name, nodes))}"


# ------------------------------------------------------------------ of all


def counts_agree(world: World) -> Iterator[str]:
    """Every count of references is the number of what it counts."""
    for party in world.parties.values():
        if isinstance(party, Worker):
            yield from worker_counts_agree(party)


def worker_counts_agree(worker: Worker) -> Iterator[str]:
    """Every count of references in one worker is the number of what it counts."""
    arguments, lineage, pins, containers = kinds(worker)
    for object, r in worker.ownership.items():
        said = (r.arguments, r.lineage, r.pins, r.containers)
        true = (arguments[object], lineage[object], pins[object], containers[object])
        if said != true:
            yield f"{party_name(worker.me)} counts {said} for {object_name(object)}, but there are {true}"


def accounts_agree(*parties: Party) -> Iterator[str]:
    """The references that an account lists are, kind by kind, those that the ownership record counts."""
    for worker in parties:
        if not isinstance(worker, Worker):
            continue
        listed: Counter[tuple[int, str]] = Counter()
        for fact in bounded(holders(worker, worker.ownership)):
            if fact.kind in REFERENCES:
                listed[fact.object, REFERENCES[fact.kind]] += fact.count
        for object, r in worker.ownership.items():
            for field in sorted(set(REFERENCES.values())):
                counted = getattr(r, field)
                counted = len(counted) if field == "borrowers" else int(counted)
                if counted != listed[object, field]:
                    name = f"{object_name(object)} in {party_name(worker.me)}"
                    yield f"{name}: {field} is {counted}, but an account lists {listed[object, field]}"


def kinds(worker: Worker) -> tuple[Counter[int], Counter[int], Counter[int], Counter[int]]:
    """Return how often each object is an argument, of a task that may run again, pinned, and contained."""
    arguments: Counter[int] = Counter()
    lineage: Counter[int] = Counter()
    pins: Counter[int] = Counter()
    containers: Counter[int] = Counter()
    for task in worker.execution.values():
        arguments.update(task.lent if task.state is not KEPT else ())
        lineage.update(task.lent if task.state is KEPT or task.due else ())
    for run in worker.running.values():
        if run.query is not None:
            pins.update(run.query.lent if run.state.name != "HANDING" else ())
            pins.update(run.held)
    for value in worker.resolution.values():
        pins.update(value.refs if value.orphaned else ())
    for r in worker.ownership.values():
        pins.update(r.covers)
        containers.update(r.refs)
    return arguments, lineage, pins, containers


def users_agree(world: Users) -> Iterator[str]:
    """The core knows which references user code has."""
    for me, process in world.processes.items():
        worker = world.worker(me)
        for object in process.told:
            r = worker.ownership.get(object)
            if r is None or not r.local:
                yield f"{party_name(me)} does not know of its reference to {object_name(object)}"
        for object, r in worker.ownership.items():
            if r.local and object not in process.told:
                yield f"{party_name(me)} believes in a reference to {object_name(object)} that is gone"


def rooms_agree(cluster: Cluster) -> Iterator[str]:
    """A node's books say which copies have bytes, and CPUs are neither made nor lost."""
    for party in cluster.parties.values():
        if isinstance(party, Node):
            place = {object: copy.nbytes for object, copy in party.copies.items() if copy.state in HAVE_BYTES}
            if dict(party.rooms[0].sizes) != place:
                yield f"{party_name(party.me)} keeps {place} but its books say {dict(party.rooms[0].sizes)}"
            office = party.offices[0]
            lent: Counter[str] = Counter()
            for loan in office.loans.values():
                lent.update(dict(cpus_left(loan)))
            total = {name: office.free.get(name, 0.0) + lent[name] for name in office.free}
            me = party.members.get(party.me)  # a node is told of itself first of all
            if me is not None and total != dict(me.resources):
                yield f"{party_name(party.me)} lends {dict(lent)} and has {dict(office.free)} left"


def stores_are_bounded(cluster: Cluster) -> Iterator[str]:
    """The copies of a node take no more bytes than its store may have."""
    for party in cluster.parties.values():
        if isinstance(party, Node):
            room = party.rooms[0]
            if sum(room.sizes.values()) > room.capacity:
                yield f"{party_name(party.me)} keeps {sum(room.sizes.values())} B in a store of {room.capacity} B"


def counts_are_natural(cluster: Cluster) -> Iterator[str]:
    """No count is below zero, and no record is kept of what is counted zero times."""
    for party in cluster.parties.values():
        if isinstance(party, Worker):
            for r in party.ownership.values():
                if min(r.arguments, r.containers, r.pins, r.lineage) < 0:
                    yield f"{party_name(party.me)} counts below zero in {r}"
            for value in party.resolution.values():
                if min(value.grants, value.views, value.round) < 0:
                    yield f"{party_name(party.me)} counts below zero in {value}"
        if isinstance(party, Node):
            for copy in party.copies.values():
                if min(copy.holds.values(), default=1) < 1:
                    yield f"{party_name(party.me)} counts a hold that is none in {copy}"


def placeholders_are_true(cluster: Cluster) -> Iterator[str]:
    """What stands in the place of a value at its owner names a location, or the value is to be computed."""
    for party in cluster.parties.values():
        for r in party.promotion.values() if isinstance(party, Worker) else ():
            if r.state is PLACED and not r.nodes:
                yield f"{party_name(party.me)} has a placeholder without a location: {r}"


def small_values_travel(cluster: Cluster) -> Iterator[str]:
    """What is kept in an in-process store, but by who is still placing it, is not larger than the policy says."""
    for party in cluster.parties.values():
        if isinstance(party, Worker):
            mine = [(r.object, r.payload) for r in party.promotion.values() if r.state is INLINE]
            for object, payload in (*mine, *[(r.object, r.payload) for r in party.resolution.values()]):
                if payload is not None and payload.nbytes > party.policy.inline_bytes_max:
                    yield f"{party_name(party.me)} keeps {payload.nbytes} B of {object_name(object)} in its process"


def pulls_keep_to_their_share(cluster: Cluster) -> Iterator[str]:
    """What is pulled for waits and arguments at a time takes no more than a share of the store, unless it is one."""
    for party in cluster.parties.values():
        if isinstance(party, Node):
            pulls = party.rooms[0].pulls
            if len(pulls) > 1 and sum(pulls.values()) > party.policy.pull_share * party.rooms[0].capacity:
                yield f"{party_name(party.me)} pulls {dict(pulls)} at a time"


def runs_once(cluster: Cluster) -> Iterator[str]:
    """The run of a task that its owner awaits is on one worker."""
    seen: dict[tuple[int, int], int] = {}
    for party in cluster.parties.values():
        for run in party.running.values() if isinstance(party, Worker) else ():
            if run.query is not None and run.query.caller:  # 0: it has been given up; nobody awaits it
                other = seen.setdefault((run.query.caller, run.query.attempt), party.me)
                if other != party.me:
                    yield f"{object_name(run.task)} runs on {party_name(other)} and on {party_name(party.me)}"


# ------------------------------------------------------------------ at rest


def directories_agree(world: World) -> Iterator[str]:
    """At rest an owner knows each node that has a copy, and no other."""
    nodes = [party for party in world.parties.values() if isinstance(party, Node)]
    for party in world.parties.values():
        for r in party.promotion.values() if isinstance(party, Worker) else ():
            if r.state is PLACED:
                copies = [(node.me, node.copies.get(r.object)) for node in nodes]
                have = sorted([me for me, copy in copies if copy is not None and copy.state in (PRIMARY, SECONDARY)])
                if sorted(r.nodes) != have:
                    known, true = (", ".join(map(party_name, some)) or "none" for some in (sorted(r.nodes), have))
                    yield f"{party_name(party.me)} knows of {object_name(r.object)} on {known}; copies are on {true}"


def borrowers_agree(world: World) -> Iterator[str]:
    """At rest an owner knows each process that borrows an object, or one that knows it, and no other."""
    workers = {party.me: party for party in world.parties.values() if isinstance(party, Worker)}
    for owner in workers.values():
        for object, r in owner.ownership.items():
            if r.state is OWNED:
                borrow = {me for me, worker in workers.items() if worker is not owner and object in worker.ownership}
                known = reached(workers, object, r.borrowers)
                if not {*r.borrowers} <= borrow <= known:
                    names, true = (", ".join(map(party_name, sorted(some))) or "nobody" for some in (known, borrow))
                    yield f"{object_name(object)} is borrowed by {true}; its owner knows of {names}, through others"


def reached(workers: Mapping[int, Worker], object: int, borrowers: Iterable[int]) -> set[int]:
    """Return some borrowers of an object, those to whom they have lent it, and so on."""
    found, todo = set[int](), [*borrowers]
    while todo:
        borrower = todo.pop()
        if borrower not in found:
            found.add(borrower)
            record = workers[borrower].ownership.get(object) if borrower in workers else None
            todo += record.lent if record is not None else ()
    return found


def nothing_is_left(world: World) -> Iterator[str]:
    """At rest, when user code has no reference left, no record, copy or byte is left either."""
    kept = {"membership", "desk", "pool", "room", "office"}
    for party in world.parties.values():
        for name, records in party.tables.items():
            for record in records.values() if name not in kept else ():
                yield f"{party_name(party.me)} keeps {record}"
        if isinstance(party, Node):
            room, office = party.rooms[0], party.offices[0]
            if room.queue or room.sizes or room.pulls or room.idle or room.overdue:
                yield f"{party_name(party.me)} keeps {room}"
            if office.queue:
                yield f"{party_name(party.me)} keeps {office}"
        if isinstance(party, Worker):
            for pool in party.pools.values():
                if pool.first != pool.last or pool.asked or any(lease.tasks for lease in pool.leases.values()):
                    yield f"{party_name(party.me)} keeps {pool}"
            for desk in party.desk.values():
                if desk.queue or desk.state.name != "FREE":
                    yield f"{party_name(party.me)} keeps {desk}"
    for node, stored in world.stores.items():
        if stored:
            yield f"{party_name(node)} has bytes of {[object_name(s.object) for s in stored.values()]}"


def calls_return(world: Users) -> Iterator[str]:
    """At rest no call waits: it ended with a value, a failure or its timeout."""
    for me, process in world.processes.items():
        waiting = [frame.request for frame in process.frames if frame.request] + list(process.futures)
        for request in waiting:
            yield f"{party_name(me)} waits for ever in {world.worker(me).requests.get(request)}"


def insist(*complaints: Iterator[str]) -> None:
    """Raise the first complaint."""
    for some in complaints:
        for complaint in some:
            raise Violation(complaint)
