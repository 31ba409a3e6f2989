"""What must be true of a whole cluster: after every step, and when it has come to rest with no reference left.

The properties are stated over the model of the users (``users.py``) and over the records of all parties at once;
no party could check them alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from freehold.core.copy import PRIMARY, RETIRING, SEALED, SECONDARY, WRITING
from freehold.core.ids import COUNTER_BITS, node_of, object_name, owner_of, party_name
from freehold.core.membership import MISSING
from freehold.core.node import Node
from freehold.core.ownership import OWNED
from freehold.core.party import Party
from freehold.core.promotion import PLACED
from freehold.core.resolution import IDLE, LOCAL, RETRYING
from freehold.core.room import AWAITING
from freehold.core.worker import Worker
from freehold.specs.walks.users import Users, is_there
from freehold.specs.walks.world import Violation, World

LASTING = {"membership", "desk", "pool", "room", "office"}  # tables of which a party keeps records as long as it lives


class Cluster(Protocol):
    """Parties, whoever moves them."""

    @property
    def parties(self) -> Mapping[int, Party]:
        """All that live, by name."""
        ...


class Mourning(Cluster, Protocol):
    """Parties, and the dead."""

    @property
    def dead(self) -> Mapping[int, frozenset[int]]:
        """All that have died, each with those who have to hear of it."""
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
    """At most one node keeps the copy that is not to be evicted, unless these, or the owner and one, are parted."""
    kept: dict[int, list[int]] = {}
    for node in parties.values():
        if isinstance(node, Node):
            for copy in [node.copies.get(object)] if object else node.copies.values():
                if copy is not None and copy.state is PRIMARY:
                    kept.setdefault(copy.object, []).append(node.me)
    for name, nodes in kept.items():
        known = [one for one in (*nodes, owner_of(name)) if one in parties]
        if len(nodes) > 1 and all(parties[one].hears(two) for one in known for two in known):
            yield f"{object_name(name)} has primary copies on {', '.join(map(party_name, nodes))}"


# ------------------------------------------------------------------ of all


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


def sealed_is_complete(world: World) -> Iterator[str]:
    """Of a copy that may be read every byte has come."""
    for node in world.parties.values():
        for copy in node.copies.values() if isinstance(node, Node) else ():
            stored = world.stores[node.me].get(copy.place)
            if copy.state in SEALED and (stored is None or len(stored.arrived) < copy.nbytes):
                yield f"{party_name(node.me)} has not all bytes of {copy}"


def runs_once(cluster: Cluster) -> Iterator[str]:
    """The run of a task that its owner awaits is on one worker."""
    seen: dict[tuple[int, int], int] = {}
    for party in cluster.parties.values():
        for run in party.running.values() if isinstance(party, Worker) else ():
            if run.query is not None and run.query.caller:  # 0: it has been given up; nobody awaits it
                other = seen.setdefault((run.query.caller, run.query.attempt), party.me)
                if other != party.me:
                    yield f"{object_name(run.task)} runs on {party_name(other)} and on {party_name(party.me)}"


def retries_fall(world: Users) -> Iterator[str]:
    """How often a task may be run again only falls, and not below 0: that would be for ever, as only users may say."""
    for party in world.parties.values():
        for task in party.execution.values() if isinstance(party, Worker) else ():
            before = world.retries[task.task]
            if task.retries > before or task.retries < 0 <= before:
                yield f"{object_name(task.task)} may be run {task.retries} times again, after {before}"


def ready_stays(world: Users) -> Iterator[str]:
    """Who was told by a wait that a value exists goes on knowing it, as long as nobody has died or been cut off."""
    for me, process in world.processes.items() if not (world.dead or world.cuts) else ():
        for object in process.ready:
            if not is_there(world.worker(me), object):
                yield f"{object_name(object)} is not ready any more, as {party_name(me)} was told"


def timers_are_set(world: World) -> Iterator[str]:
    """Who has tried all locations in vain has set a timer to try again; so have calls, slow turns, and full stores."""
    for party in world.parties.values():
        for timer, waits in awaiting_timers(party).items():
            if (party.me, timer) not in world.timers:
                yield f"{party_name(party.me)} has set no timer for {waits}"


def timers_are_awaited(world: World) -> Iterator[str]:
    """A timer that is set is awaited: what is over leaves none behind."""
    awaited = {me: awaiting_timers(party) for me, party in world.parties.items()}
    for (me, timer), event in world.timers.items():
        if timer not in awaited[me]:
            yield f"{party_name(me)} awaits nothing of the timer for {event}"


def awaiting_timers(party: Party) -> dict[int, object]:
    """Return what waits for timers of a party, by their numbers."""
    if isinstance(party, Node):
        return {room.overdue: room for room in party.rooms.values() if room.overdue}
    if not isinstance(party, Worker):
        return {}
    due = {r.attempt: r for r in party.resolution.values() if r.state is RETRYING}
    ends = {call.request: call for call in party.requests.values() if call.timed}
    turns = {desk.attempt: desk for desk in party.desk.values() if desk.timed}
    return {**due, **ends, **turns}


def room_is_used(world: World) -> Iterator[str]:
    """A node lets somebody wait for room only while there is none: whoever lets go says so."""
    for node in world.parties.values():
        room = node.rooms[0] if isinstance(node, Node) else None
        if room is not None and room.state is AWAITING and room.queue:
            used = sum(stored.nbytes for stored in world.stores[node.me].values())
            if used + room.queue[0].nbytes <= world.capacity:
                yield f"{party_name(node.me)} has room for the first that waits in {room}"


def nothing_is_kept_in_case(world: World) -> Iterator[str]:
    """While somebody waits for room, who may read a copy that could go has been asked to give that back."""
    for node in world.parties.values():
        if not isinstance(node, Node) or node.rooms[0].state is not AWAITING:
            continue
        for copy in node.copies.values():
            for me in copy.holds if copy.state is SECONDARY else ():
                worker = world.parties.get(me)
                kept = worker.resolution.get(copy.object) if isinstance(worker, Worker) else None
                asked = kept is None or kept.state not in (LOCAL, IDLE) or kept.recalled or kept.released
                if not asked and not {(me, node.me), (node.me, me)}.intersection(world.channels):
                    yield f"{party_name(me)} keeps a hold on {object_name(copy.object)} while {node.rooms[0]} waits"


def workers_are_few(cluster: Cluster) -> Iterator[str]:
    """No node starts more workers than the policy says; a user's program is none of them."""
    for node in cluster.parties.values():
        if isinstance(node, Node):
            programs = [me for me, runs in node.offices[0].workers.items() if not runs]
            workers = [me for me in cluster.parties if node_of(me) == node.me and me != node.me and me not in programs]
            if len(workers) > node.policy.workers_max:
                yield f"{party_name(node.me)} has started {len(workers)} workers"


def workers_are_expected(world: World) -> Iterator[str]:
    """A node expects as many workers as it has ordered that have neither come nor, as far as it knows, died."""
    for node in world.parties.values():
        if isinstance(node, Node):
            office = node.offices[0]
            coming = [me for me in world.ordered.get(node.me, ()) if me not in office.workers and node.hears(me)]
            if office.starting != len(coming):
                yield f"{party_name(node.me)} waits for {office.starting} workers, and {len(coming)} are to come"


# ------------------------------------------------------------------ at rest


def directories_agree(world: Mourning) -> Iterator[str]:
    """At rest an owner knows each node that has a copy, and no other.

    But a worker may have told it of a copy and died before its node heard that it was complete, and heard of the death
    first, from another node: then the owner finds out when the copy is asked for.
    """
    fallen = {node_of(party) for party in world.dead}
    nodes = [party for party in world.parties.values() if isinstance(party, Node)]
    for party in world.parties.values():
        for r in party.promotion.values() if isinstance(party, Worker) else ():
            if r.state is PLACED:
                copies = [(node.me, node.copies.get(r.object)) for node in nodes]
                have = sorted([me for me, copy in copies if copy is not None and copy.state in (PRIMARY, SECONDARY)])
                if not {*have} <= {*r.nodes} <= {*have} | fallen:
                    known, true = (", ".join(map(party_name, some)) or "none" for some in (sorted(r.nodes), have))
                    yield f"{party_name(party.me)} knows of {object_name(r.object)} on {known}; copies are on {true}"


def borrowers_agree(world: World) -> Iterator[str]:
    """At rest an owner knows each process that borrows an object, or one that knows it, and no other.

    Through one that is dead it will find out about all others: an inquest is held as soon as that one is reported.
    """
    workers = {party.me: party for party in world.parties.values() if isinstance(party, Worker)}
    for owner in workers.values():
        for object, r in owner.ownership.items():
            if r.state is OWNED:
                borrow = {me for me, worker in workers.items() if worker is not owner and object in worker.ownership}
                known = reached(workers, object, r.borrowers)
                if not ({*r.borrowers} <= borrow and (borrow <= known or known - {*workers})):
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
    for party in world.parties.values():
        for name, records in party.tables.items():
            for record in records.values() if name not in LASTING else ():
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


def deaths_are_known(world: Mourning) -> Iterator[str]:
    """At rest everybody who was there when a party died knows that it is dead."""
    for dead, mourners in world.dead.items():
        for me in sorted(mourners & {*world.parties}):
            if world.parties[me].hears(dead):
                yield f"{party_name(me)} believes that {party_name(dead)} lives"


def losses_are_decided(world: World) -> Iterator[str]:
    """At rest it has been decided who goes of two that have lost each other."""
    for party in world.parties.values():
        lost = [member.party for member in party.members.values() if member.state is MISSING]
        yield from [f"{party_name(party.me)} does not know what has become of {party_name(other)}" for other in lost]


def offices_rest(world: World) -> Iterator[str]:
    """At rest no node waits for a worker to start, or lends one to the dead."""
    for node in world.parties.values():
        if isinstance(node, Node):
            office = node.offices[0]
            lent = [loan for loan in office.loans.values() if not node.hears(loan.owner)]
            if office.starting or lent:
                yield f"{party_name(node.me)} starts {office.starting} workers, and has lent the dead {lent}"


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
