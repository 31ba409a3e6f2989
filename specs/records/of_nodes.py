"""What must be true of the records of one node, between any two events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from freehold.core.copy import PRIMARY, PULLING, RESERVING, RETIRING, SECONDARY, WRITING
from freehold.core.ids import owner_of
from freehold.core.node import Node
from freehold.core.office import CLOSED, STARTING, cpus_left
from freehold.core.room import AWAITING as SHORT
from freehold.core.room import OPEN
from freehold.core.room import RESERVING as TAKING
from freehold.specs.records.check import of

HAVE_BYTES = (WRITING, PULLING, PRIMARY, SECONDARY, RETIRING)  # copies in these states


@of(Node)
def rooms_agree(node: Node) -> Iterator[str]:
    """A store's books say which copies have bytes, which wait for some, are pulled, and may be evicted."""
    room, copies = node.rooms[0], node.copies.values()
    asks = [ask.object for ask in room.queue]
    books: dict[str, tuple[object, object]] = {
        "bytes of": (dict(room.sizes), {copy.object: copy.nbytes for copy in copies if copy.state in HAVE_BYTES}),
        "asks for": (sorted(asks), sorted([copy.object for copy in copies if copy.state is RESERVING])),
        "counts as pulled": ({*room.pulls}, {copy.object for copy in copies if copy.state is PULLING} & {*room.pulls}),
        "may evict": ({*room.idle}, {copy.object for copy in copies if copy.state is SECONDARY and not copy.holds}),
    }
    for what, (said, true) in books.items():
        if said != true:
            yield f"{what} {said} by its books, but {true}"


@of(Node)
def rooms_take_turns(node: Node) -> Iterator[str]:
    """A store that waits has somebody in its queue, and a time by which to say no; else it keeps nobody waiting."""
    room = node.rooms[0]
    well = {SHORT: bool(room.queue and room.overdue), OPEN: not room.queue or bool(room.pulls)}
    if (room.state is TAKING) is not bool(room.reserving) or not well.get(room.state, True):
        yield f"waits for nobody, or keeps somebody waiting, in {room}"


@of(Node)
def stores_are_bounded(node: Node) -> Iterator[str]:
    """The copies of a node take no more bytes than its store may have."""
    room = node.rooms[0]
    if sum(room.sizes.values()) > room.capacity:
        yield f"keeps {sum(room.sizes.values())} B in a store of {room.capacity} B"


@of(Node)
def pulls_keep_to_their_share(node: Node) -> Iterator[str]:
    """What is pulled for waits and arguments at a time takes no more than a share of the store, unless it is one."""
    pulls = node.rooms[0].pulls
    if len(pulls) > 1 and sum(pulls.values()) > node.policy.pull_share * node.rooms[0].capacity:
        yield f"pulls {dict(pulls)} at a time"


@of(Node)
def holds_are_held(node: Node) -> Iterator[str]:
    """No record is kept of a hold that was given back."""
    for copy in node.copies.values():
        if min(copy.holds.values(), default=1) < 1:
            yield f"counts a hold that is none in {copy}"


@of(Node)
def copies_are_of_use(node: Node) -> Iterator[str]:
    """A copy's owner lives, or else somebody holds it; what comes is for somebody, and no more than was asked for."""
    for copy in node.copies.values():
        if copy.state in (PRIMARY, SECONDARY) and not node.hears(owner_of(copy.object)):
            yield f"keeps what nobody can ask for: {copy}"
        if copy.state is RETIRING and not copy.holds:
            yield f"keeps what nobody holds: {copy}"
        if copy.state is PULLING and not (copy.askers or copy.holds or copy.awaited):
            yield f"pulls for nobody: {copy}"
        if copy.state is PULLING and copy.arrived > copy.asked:
            yield f"got more than it had asked for: {copy}"
        if copy.state is PULLING and copy.asked < copy.nbytes and copy.asked % node.policy.chunk_bytes:
            yield f"asks for a byte twice, or never: {copy}"


@of(Node)
def cpus_add_up(node: Node) -> Iterator[str]:
    """Resources are neither made nor lost."""
    office, me = node.offices[0], node.members.get(node.me)
    lent: Counter[str] = Counter()
    for loan in office.loans.values():
        lent.update(dict(cpus_left(loan)))
    total = {name: office.free.get(name, 0.0) + lent[name] for name in office.free}
    if me is not None and total != dict(me.resources):  # a node is told of itself first of all
        yield f"lends {dict(lent)} and has {dict(office.free)} left"


@of(Node)
def lenders_live(node: Node) -> Iterator[str]:
    """Whoever holds a copy, waits for one or has a worker lives, and so does whoever is to answer."""
    for copy in node.copies.values():
        named = {*copy.holds, *copy.askers, *copy.line, *[query.target for query in copy.awaited]}
        yield from [f"waits for somebody dead in {copy}" for one in named if not node.hears(one)]
    for inquiry in node.inquiries.values():
        if not inquiry.waiting or not all(map(node.hears, inquiry.waiting)):
            yield f"waits for nobody, or for somebody dead, in {inquiry}"


@of(Node)
def offices_agree(node: Node) -> Iterator[str]:
    """A worker that runs tasks is lent or idle, and lives; nobody waits for one whom it could have."""
    office = node.offices[0]
    able = {worker for worker, runs in office.workers.items() if runs}
    if office.state is not CLOSED:  # then it lends nothing any more
        if sorted([*office.idle, *office.loans]) != sorted(able):
            yield f"has {able}, but {office}"
        if (office.state is STARTING) is not bool(office.starting):
            yield f"starts {office.starting} in {office}"
    yield from [f"has somebody dead in {office}" for worker in office.workers if not node.hears(worker)]
