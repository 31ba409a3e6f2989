"""MACHINE 1, ownership: who answers for an object, who still holds it, when it ends.

One record for each object that something in this process holds.  At the owner it lists the borrowers; at a
borrower it remembers whom *we* lent the reference to, because that must reach the owner before, or together
with, the news that we hold it no more.  Every reference is counted by kind, and the kinds are the fields.

How a borrower becomes known.  A reference travels with a task; its caller keeps it alive until the reply, and
the reply reports whether the executor still holds it and whom it lent it to.  The caller merges the report
*before* it lets its own count go: an owner adds borrowers, a borrower adds to what it must report in turn.  A
reference found inside a value that this process does not own is introduced to its owner directly, and the value
is pinned meanwhile.  An owner that is told of a borrower sends it one ReleaseQuery, which is answered when nothing
there holds the object.  (Ray: reference_counter.cc, WaitForRefRemoved.)

This file refuses to know what a value is, where copies lie, and what a task does.
"""

from __future__ import annotations

import msgspec
from immutables import Map

from freehold.core.effects import Send
from freehold.core.events import (
    ArgumentAdded,
    ArgumentDone,
    ArgumentInlined,
    ArgumentKept,
    Contained,
    ContainerGone,
    ContentsKnown,
    HolderDied,
    Lent,
    LineageDone,
    ObjectReleased,
    ObjectRested,
    ObjectRoused,
    ObjectUnused,
    OwnerDied,
    Pinned,
    RefCreated,
    RefDropped,
    RefExported,
    RefFound,
    RefHeld,
    ReportWanted,
    Unpinned,
    ValuePut,
)
from freehold.core.ids import owner_of
from freehold.core.inquest_events import BorrowerLost, HoldingAsked, InquestOver
from freehold.core.machine import Here, Out, State, Table, replace
from freehold.core.messages import BorrowNotice, ReleaseQuery, ReleaseReply
from freehold.core.task_events import HoldReported


class Owning(State):
    """What this process is to an object."""

    UNHELD = "nothing here holds it"
    OWNED = "this process created it and answers for it"
    BORROWED = "held here; a caller keeps it alive or will tell the owner of us"
    INTRODUCING = "found inside a value; the owner has been told of us and will ask", ReleaseQuery
    REGISTERED = "the owner has asked; it is answered when nothing here holds the object"
    LINGERING = "held no more, but whom it was lent to is still to be reported", ReleaseQuery
    ORPHANED = "held here, but its owner is dead"


UNHELD, OWNED, BORROWED, INTRODUCING, REGISTERED, LINGERING, ORPHANED = Owning


class Asked(msgspec.Struct, frozen=True, gc=False):
    """The owner's open question to one borrower."""

    attempt: int
    again: bool = False  # the borrower was reported once more while its answer may be on the way


class Ownership(msgspec.Struct, frozen=True, gc=False):
    """What one process knows of who holds an object."""

    object: int
    state: Owning = UNHELD
    local: bool = False  # user code here holds a reference
    arguments: int = 0  # tasks submitted here that carry it and are not over
    containers: int = 0  # objects owned here whose value contains it
    pins: int = 0  # tasks running here that were lent it, introductions that need it, values that outlive their owner
    exported: bool = False  # written down outside freehold
    lineage: int = 0  # tasks submitted here that carry it, are over, and may run again
    refs: tuple[int, ...] = ()  # owner: references inside its value; each counts us as a container
    borrowers: Map[int, Asked] = Map()  # owner: workers that hold it, or died with it, each with our open question
    lent: tuple[int, ...] = ()  # borrower: workers it was lent to, not yet reported; sorted
    vouched: bool = False  # borrower: somebody will tell the owner of us; `lent` is kept until it asks
    asked: int = 0  # REGISTERED: the attempt to answer
    covers: tuple[int, ...] = ()  # INTRODUCING: values pinned here until the owner asks


TABLE = Table(
    "ownership",
    Owning,
    (
        RefCreated,
        RefHeld,
        RefDropped,
        RefFound,
        RefExported,
        ArgumentAdded,
        ArgumentInlined,
        ArgumentDone,
        ArgumentKept,
        LineageDone,
        Contained,
        ContentsKnown,
        ContainerGone,
        Pinned,
        Unpinned,
        ReportWanted,
        Lent,
        ReleaseQuery,
        ReleaseReply,
        HolderDied,
        BorrowerLost,
        InquestOver,
        HoldingAsked,
        OwnerDied,
    ),
)
HELD = (OWNED, BORROWED, INTRODUCING, REGISTERED, ORPHANED)
RISE = {UNHELD: (OWNED, BORROWED), LINGERING: (BORROWED,)}  # where a count that rises may lead
FALL = {OWNED: (UNHELD,), BORROWED: (UNHELD, LINGERING), REGISTERED: (UNHELD,), ORPHANED: (UNHELD,)}
ASKED = {BORROWED: (REGISTERED,), INTRODUCING: (REGISTERED, UNHELD), LINGERING: (UNHELD,)}
BEREAVED = {BORROWED: (ORPHANED,), INTRODUCING: (ORPHANED, UNHELD), REGISTERED: (ORPHANED,), LINGERING: (UNHELD,)}


def is_held(r: Ownership) -> bool:
    """Tell whether anything in this process holds the object, in any kind of reference.

    For tasks that may run again an owner keeps its record, but it may let the value go: see ``let_go``.
    """
    return bool(r.local or r.arguments or r.containers or r.pins or r.exported or (r.lineage and r.state is not OWNED))


def held(r: Ownership, here: Here) -> Ownership:
    """Return the record in the state it has once something here holds the object."""
    if r.state is UNHELD:
        return replace(r, state=OWNED if owner_of(r.object) == here.me else BORROWED)
    return replace(r, state=BORROWED) if r.state is LINGERING else r


def rise(r: Ownership, here: Here, **counts: int) -> tuple[Ownership, Out]:
    """Raise a count; a value that was to be had again only at need is needed now."""
    roused = (ObjectRoused(r.object),) if r.lineage and not is_held(r) else ()
    return replace(held(r, here), **counts), roused


def let_go(r: Ownership, here: Here) -> tuple[Ownership | None, Out]:
    """Decide what follows when a count has gone down: all ways in which a reference ends lead here."""
    if is_held(r):
        return r, ()
    unused = (ObjectUnused(r.object),)
    if r.state is OWNED:
        if r.borrowers:
            return r, unused
        if r.lineage:
            return r, (ObjectRested(r.object), *unused)
        return None, (ObjectReleased(r.object), *unused, *[ContainerGone(ref) for ref in r.refs])
    if r.state is REGISTERED:
        return None, (*unused, Send(owner_of(r.object), ReleaseReply(r.object, r.asked, here.me, r.lent)))
    if r.state is INTRODUCING:
        return r, unused
    if r.lent and r.state is BORROWED:
        # The owner may be dead already, or whoever was to tell it of us: so we tell it ourselves.
        return replace(r, state=LINGERING), (*unused, Send(owner_of(r.object), BorrowNotice((r.object,), here.me)))
    return None, unused


# ------------------------------------------------------------------ counts that rise


@TABLE.on(UNHELD, event=RefCreated, to=(OWNED,))
def create(r: Ownership, e: RefCreated, here: Here) -> tuple[Ownership, Out]:
    """Whoever creates a reference owns the object; it contains the references in its value."""
    if e.payload is None:
        return Ownership(r.object, OWNED, True), ()
    refs = e.payload.refs
    put = ValuePut(r.object, e.payload, e.by)
    return Ownership(r.object, OWNED, True, refs=refs), (put, *[Contained(ref) for ref in refs]) if refs else (put,)


TABLE.never(*HELD, LINGERING, event=RefCreated, why="a name is minted once")


@TABLE.on(UNHELD, LINGERING, *HELD, event=RefHeld, to=RISE)
def hold(r: Ownership, e: RefHeld, here: Here) -> tuple[Ownership, Out]:
    """A reference in user code counts once, however many names it has: only the first and the last are events."""
    return rise(r, here, local=True)


@TABLE.on(UNHELD, LINGERING, *HELD, event=ArgumentAdded, to=RISE)
def carry(r: Ownership, e: ArgumentAdded, here: Here) -> tuple[Ownership, Out]:
    """A pending task keeps what it carries alive."""
    return rise(r, here, arguments=r.arguments + 1)


@TABLE.on(UNHELD, LINGERING, *HELD, event=Contained, to=RISE)
def contain(r: Ownership, e: Contained, here: Here) -> tuple[Ownership, Out]:
    """An object that is owned here keeps alive what its value contains."""
    return rise(r, here, containers=r.containers + 1, vouched=True)


@TABLE.on(UNHELD, LINGERING, *HELD, event=Pinned, to=RISE)
def pin(r: Ownership, e: Pinned, here: Here) -> tuple[Ownership, Out]:
    """A running task holds what it was lent, whatever its user code does with it."""
    return rise(r, here, pins=r.pins + 1)


@TABLE.on(UNHELD, LINGERING, *HELD, event=RefExported, to=RISE)
def export(r: Ownership, e: RefExported, here: Here) -> tuple[Ownership, Out]:
    """A reference written down where nobody counts is kept for the life of this process."""
    return rise(r, here, exported=True)


@TABLE.on(OWNED, event=ContentsKnown)
def know_contents(r: Ownership, e: ContentsKnown, here: Here) -> tuple[Ownership, Out]:
    """The references in a return value are its own to let go, later."""
    return replace(r, refs=r.refs + e.refs), ()


@TABLE.on(UNHELD, event=ContentsKnown)
def contents_unwanted(r: Ownership, e: ContentsKnown, here: Here) -> tuple[Ownership | None, Out]:
    """A value that came after its last reference went lets its contents go at once."""
    return None, tuple([ContainerGone(ref) for ref in e.refs])


TABLE.never(BORROWED, INTRODUCING, REGISTERED, LINGERING, ORPHANED, event=ContentsKnown, why="returns are our own")

# ------------------------------------------------------------------ counts that fall


@TABLE.on(*HELD, event=RefDropped, to=FALL)
def drop(r: Ownership, e: RefDropped, here: Here) -> tuple[Ownership | None, Out]:
    """The last reference in user code is gone."""
    return let_go(replace(r, local=False), here)


TABLE.ignore(UNHELD, LINGERING, event=RefDropped, why="user code held none")


@TABLE.on(*HELD, event=ArgumentDone, to=FALL)
@TABLE.on(*HELD, event=ArgumentInlined, to=FALL)
def put_down(r: Ownership, e: ArgumentDone | ArgumentInlined, here: Here) -> tuple[Ownership | None, Out]:
    """A task is over, and its report has been merged; or it carries the value, and need not carry the reference."""
    return let_go(replace(r, arguments=r.arguments - 1), here)


@TABLE.on(*HELD, event=ArgumentKept, to=FALL)
def keep_for_again(r: Ownership, e: ArgumentKept, here: Here) -> tuple[Ownership | None, Out]:
    """A task is over and may run again; what we do not own, nor can compute, it goes on holding."""
    return let_go(replace(r, arguments=r.arguments - 1, lineage=r.lineage + 1), here)


@TABLE.on(*HELD, event=LineageDone, to=FALL)
def never_again(r: Ownership, e: LineageDone, here: Here) -> tuple[Ownership | None, Out]:
    """A task that might have needed it once more never will."""
    return let_go(replace(r, lineage=r.lineage - 1), here)


@TABLE.on(*HELD, event=ContainerGone, to=FALL)
def take_out(r: Ownership, e: ContainerGone, here: Here) -> tuple[Ownership | None, Out]:
    """One object that contained it is gone."""
    return let_go(replace(r, containers=r.containers - 1), here)


@TABLE.on(*HELD, event=Unpinned, to=FALL)
def unpin(r: Ownership, e: Unpinned, here: Here) -> tuple[Ownership | None, Out]:
    """What the pin waited for has happened."""
    return let_go(replace(r, pins=r.pins - 1), here)


for _event in (ArgumentDone, ArgumentInlined, ArgumentKept, LineageDone, ContainerGone, Unpinned):
    TABLE.never(UNHELD, LINGERING, event=_event, why="a count of zero cannot fall")


@TABLE.on(BORROWED, event=ReportWanted, to=(UNHELD, LINGERING))
def report(r: Ownership, e: ReportWanted, here: Here) -> tuple[Ownership | None, Out]:
    """The caller hears whether we still hold it; if not, and only then, it takes over whom we lent it to.

    Once somebody was told that we hold it, the owner will ask us: until then we keep what is to be reported.
    Handing it to a later caller could hand it round in a circle of borrowers, of whom none tells the owner.
    """
    after = replace(r, pins=r.pins - 1)
    if is_held(after) or (r.vouched and r.lent):
        kept, out = let_go(replace(after, vouched=True), here)
        return kept, (HoldReported(e.task, r.object, True, ()), *out)
    return None, (HoldReported(e.task, r.object, False, r.lent), ObjectUnused(r.object))


@TABLE.on(OWNED, INTRODUCING, REGISTERED, ORPHANED, event=ReportWanted, to=FALL)
def nothing_to_report(r: Ownership, e: ReportWanted, here: Here) -> tuple[Ownership | None, Out]:
    """The owner knows of us already, or is us, or is dead: our caller need not tell it."""
    after, out = let_go(replace(r, pins=r.pins - 1), here)
    return after, (HoldReported(e.task, r.object, False, ()), *out)


TABLE.never(UNHELD, LINGERING, event=ReportWanted, why="the task pinned it")
