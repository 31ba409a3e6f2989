"""What two parties must agree on while nothing is on its way between them: what each knows of the other is true.

Where a message was not sent, or not understood, one of the two goes on believing what is so no more.  Each check says
what is wrong; of parties of other kinds, or that do not listen to each other, it says nothing.

Refuses to know what one party has written down beside, and how messages travel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, TypeVar

from freehold.core.copy import PRIMARY, SECONDARY, Copy
from freehold.core.copy import PULLING as COMING
from freehold.core.copy import RESERVING as ROOM_WANTED
from freehold.core.copy import WRITING as BEING_WRITTEN
from freehold.core.execution import RUNNING as SENT
from freehold.core.ids import HEAD, is_node, node_of, object_name, owner_of, party_name
from freehold.core.membership import MISSING
from freehold.core.node import Node
from freehold.core.office import FULL
from freehold.core.ownership import INTRODUCING, LINGERING, OWNED, REGISTERED
from freehold.core.party import Party
from freehold.core.promotion import DISCARDING, PLACED, RESERVING, WRITING
from freehold.core.resolution import ASKING, PULLING, RETRYING
from freehold.core.running import HANDING
from freehold.core.worker import Worker

Check = Callable[[Party, Party], Iterator[str]]
CHECKS: list[Check] = []
A = TypeVar("A", bound=Party)
B = TypeVar("B", bound=Party)


def of(one: type[A], other: type[B]) -> Callable[[Callable[[A, B], Iterator[str]]], Check]:
    """Declare the decorated function as a check of two parties of these kinds; it need not say of whom it complains."""

    def declare(check: Callable[[A, B], Iterator[str]]) -> Check:
        @wraps(check)
        def complain(a: Any, b: Any) -> Iterator[str]:
            if one in type(a).__mro__ and other in type(b).__mro__:  # isinstance would ask a protocol's metaclass
                between = f"{party_name(a.me)} and {party_name(b.me)}, nothing being on its way between them"
                yield from [f"{between}: {what}" for what in check(a, b)]

        CHECKS.append(complain)
        return complain

    return declare


def agree(a: Party, b: Party) -> Iterator[str]:
    """What two parties know of each other goes together; nothing is on its way between them."""
    if a.hears(b.me) and b.hears(a.me):
        for check in CHECKS:
            yield from check(a, b)
            yield from check(b, a)


# ------------------------------------------------------------------ an owner and a process that holds references


@of(Worker, Worker)
def questions_are_open(owner: Worker, asker: Worker) -> Iterator[str]:
    """Whoever asks an owner where a value is will be answered, and nobody else."""
    asked = {
        r.object: r.attempt
        for r in asker.resolution.values()
        if r.state in (ASKING, RETRYING) and owner_of(r.object) == owner.me
    }
    kept = {r.object: r.askers[asker.me][0] for r in owner.promotion.values() if asker.me in r.askers}
    yield from differ("asks for", asked, "is to be answered", kept)


@of(Worker, Worker)
def borrowers_are_asked(owner: Worker, borrower: Worker) -> Iterator[str]:
    """Who has been asked when it holds an object no more remembers it, and nobody waits to be asked."""
    asked = {
        object: r.borrowers[borrower.me].attempt
        for object, r in owner.ownership.items()
        if r.state is OWNED and borrower.me in r.borrowers
    }
    mine = [r for r in borrower.ownership.values() if owner_of(r.object) == owner.me]
    yield from [f"{r} waits to be asked" for r in mine if r.state in (INTRODUCING, LINGERING)]
    told = {r.object: r.asked for r in mine if r.state is REGISTERED and r.object in owner.ownership}  # else politely
    yield from differ("is asked about", asked, "will answer", told)


@of(Worker, Worker)
def tasks_are_somewhere(caller: Worker, executor: Worker) -> Iterator[str]:
    """A task that its owner has sent to a worker is there until the reply."""
    sent = {r.task: r.attempt for r in caller.execution.values() if r.state is SENT and r.worker == executor.me}
    here = {
        run.task: run.query.attempt
        for run in executor.running.values()
        if run.query is not None and run.query.caller == caller.me
    }
    yield from differ("was sent", sent, "has", here)
    yield from [f"{run} was taken" for run in executor.running.values() if run.state is HANDING and run.task in here]


def differ(
    one: str, these: dict[Any, Any], other: str, those: dict[Any, Any], name_of: Callable[[int], str] = object_name
) -> Iterator[str]:
    """Say where two accounts of the same things differ."""
    if these != those:
        for name in sorted({*these} | {*those}):
            if these.get(name) != those.get(name):
                yield f"one {one} {name_of(name)} ({these.get(name)}), the other {other} ({those.get(name)})"


# ------------------------------------------------------------------ a process and its node


@of(Worker, Node)
def holds_are_known(worker: Worker, node: Node) -> Iterator[str]:
    """A node counts as many holds of a process as it has."""
    if worker.node != node.me:
        return
    writes = [r.object for r in worker.promotion.values() if r.state is WRITING]
    unsure = [r.object for r in worker.promotion.values() if r.state in (RESERVING, DISCARDING)]  # room may be given up
    has = {r.object: r.grants + (r.object in writes) for r in worker.resolution.values() if r.grants}
    has |= {object: 1 for object in writes if object not in has}
    counted = {copy.object: copy.holds[worker.me] for copy in node.copies.values() if worker.me in copy.holds}
    sure = [{object: count for object, count in some.items() if object not in unsure} for some in (has, counted)]
    yield from differ("holds", sure[0], "counts", sure[1])


@of(Worker, Node)
def copies_are_coming(worker: Worker, node: Node) -> Iterator[str]:
    """Whoever waits for a copy, or for room for one, is known to its node, and nobody else."""
    if worker.node != node.me:
        return
    waits = {r.object: r.attempt for r in worker.resolution.values() if r.state is PULLING}
    known = {copy.object: copy.askers[worker.me] for copy in node.copies.values() if worker.me in copy.askers}
    yield from differ("waits for", waits, "knows", known)
    wants = {r.object: r.attempt for r in worker.promotion.values() if r.state is RESERVING}
    asks = {copy.object: attempt for copy in node.copies.values() if (attempt := creating(copy, worker.me))}
    yield from differ("wants room for", wants, "has been asked", asks)


def creating(copy: Copy, worker: int) -> int:
    """Return under which number a worker has asked for room for a copy, 0 if it does not wait for any."""
    if copy.next is not None and copy.next.creator == worker:
        return copy.next.attempt
    return copy.creating if copy.state is ROOM_WANTED and copy.creator == worker else 0


@of(Worker, Node)
def cpus_are_lent(worker: Worker, node: Node) -> Iterator[str]:
    """While a thread waits its CPU is lent, and only then."""
    loan = node.offices[0].loans.get(worker.me)
    lends = any(desk.lends for desk in worker.desk.values())
    if loan is not None and loan.waits is not lends:
        yield f"one lends {'' if lends else 'not '}the CPU of {loan}"


# ------------------------------------------------------------------ an owner and a node


@of(Worker, Node)
def copies_are_listed(owner: Worker, node: Node) -> Iterator[str]:
    """An owner knows each node that has a copy, be it of a run that has not ended yet."""
    for copy in node.copies.values():
        if copy.state in (PRIMARY, SECONDARY) and owner_of(copy.object) == owner.me:
            r = owner.promotion.get(copy.object)
            if r is None or node.me not in r.nodes:
                yield f"one knows of {object_name(copy.object)} {r}, the other has {copy}"


@of(Worker, Node)
def primaries_are_kept(owner: Worker, node: Node) -> Iterator[str]:
    """The first location keeps its copy, unless only tasks need it that may run again; where readers doubt it it is."""
    for r in owner.promotion.values():
        if r.state is PLACED and r.nodes[0] == node.me:
            copy = node.copies.get(r.object)
            if copy is not None and copy.state in (PRIMARY, SECONDARY) and (copy.state is PRIMARY) is r.rested:
                yield f"one counts on {r}, the other has {copy}"
            doubted = any(known and not {*r.nodes} - {*known} for _, known in r.askers.values())
            if copy is None and doubted and not r.rested:
                yield f"one counts on {r}, the other has nothing"


@of(Worker, Node)
def queries_are_open(owner: Worker, node: Node) -> Iterator[str]:
    """Whoever has asked for workers is in the queue, knows it if it waits there, and nobody else is."""
    asked = {
        pool.key: (pool.asked[node.me], node.me in pool.busy, node.me in pool.full)
        for pool in owner.pools.values()
        if node.me in pool.asked
    }
    asks = [ask for ask in node.offices[0].queue if ask.owner == owner.me]
    queue = {ask.pool: (ask.attempt, ask.told > 0, ask.told == FULL) for ask in asks}
    if asked != queue:
        yield f"one has asked for workers, waits, cannot be served: {asked}; the other has in its queue: {queue}"


@of(Worker, Node)
def loans_are_known(owner: Worker, node: Node) -> Iterator[str]:
    """A worker that is lent is known to be, and so is that it is wanted back."""
    lent = {
        worker: (loan.pool, loan.recalled)
        for worker, loan in node.offices[0].loans.items()
        if loan.owner == owner.me and owner.hears(worker)
    }
    leases: dict[int, tuple[Any, bool]] = {
        worker: (pool.key, lease.recalled)
        for pool in owner.pools.values()
        for worker, lease in pool.leases.items()
        if lease.lent and node_of(worker) == node.me and worker in node.offices[0].workers
    }
    if lent != leases:
        yield f"one has lent workers, and wants them back: {lent}; the other has {leases}"


# ------------------------------------------------------------------ two nodes


@of(Node, Node)
def chunks_are_coming(reader: Node, source: Node) -> Iterator[str]:
    """A node that reads another's copy gets it as soon as it is there, and holds it no longer than until it has it."""
    for copy in reader.copies.values():
        if copy.state is COMING and copy.source == source.me:
            there = source.copies.get(copy.object)
            awaited = there.awaited if there is not None and there.state in (BEING_WRITTEN, COMING) else ()
            if reader.me not in [query.target for query in awaited]:
                yield f"one waits for chunks of {copy}, the other has {there}"
    for copy in source.copies.values():
        there = reader.copies.get(copy.object)
        comes_from = (there.source, there.origin) if there is not None and there.state is COMING else (0, 0)
        if reader.me in copy.holds and source.me != comes_from[0]:
            yield f"one holds {copy}, the other has {there}"
        if reader.me in copy.line and source.me not in comes_from:
            yield f"one waits in the line for {copy}, the other has {there}"


# ------------------------------------------------------------------ who lives


@of(Node, Party)
def views_agree(node: Node, told: Party) -> Iterator[str]:
    """Whom a node tells of births and deaths knows the same nodes as it; the head node decides on every death."""
    if told.hears(HEAD) and (told.me in node.offices[0].workers or (node.me == HEAD and is_node(told.me))):
        here, there = [
            {
                party: has
                for party, has in one.nodes
                if party not in other.members or other.members[party].state is not MISSING
            }
            for one, other in ((node, told), (told, node))  # but for whom one has lost, and the head node has not, yet
        ]
        yield from differ("knows", here, "knows", there, party_name)
        unknown = told.members.dead - node.members.dead if node.me == HEAD else ()
        yield from [f"one does not know of the death of {party_name(dead)}" for dead in sorted(unknown)]
