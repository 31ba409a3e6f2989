"""MACHINE 2, promotion: when and how a value leaves a process for an object store, and what stays behind.

One record for each object that this process owns, and for each large value that it places for another owner.
A small value stays in the in-process store, which is nothing but the records in INLINE.  A large one is written
into the object store of the node and leaves a placeholder behind: a record in PLACED, which names its locations.
A small one is promoted the same way when a borrower asks for it; then its bytes stay here as well, for the
owner's own gets and task descriptions.  The first copy is the primary: the node keeps it until the owner says
otherwise, so that it is never without a pin.

This file refuses to know who holds references, and how a copy comes to another node.
"""

from __future__ import annotations

import msgspec
from immutables import Map

from freehold.core.effects import Move, Send
from freehold.core.events import (
    CopyWanted,
    HolderDied,
    LineageLost,
    Moved,
    ObjectReleased,
    ObjectRested,
    ObjectRoused,
    RequestReady,
    ReturnArrived,
    ReturnAwaited,
    ValuePending,
    ValuePut,
    ValueWanted,
    WantWithdrawn,
    known,
    ready,
)
from freehold.core.ids import owner_of
from freehold.core.machine import Here, Out, State, Table, replace
from freehold.core.messages import CancelNotice, LocateCancelNotice, LocateQuery, LocateReply
from freehold.core.node_messages import (
    CopyNotice,
    CreateQuery,
    CreateReply,
    FreeNotice,
    HoldNotice,
    HoldReturnNotice,
    KeepNotice,
    SealNotice,
)
from freehold.core.task_events import CancelWanted, ReturnGone, ReturnPlaced
from freehold.core.values import Failure, Outcome, Payload, Placed, Want


class Promoting(State):
    """Where the value of an object is, as the process that answers for its placement knows it."""

    ABSENT = "no value is expected here"
    PENDING = "a task of ours will produce it", ReturnArrived
    INLINE = "the value is in the in-process store"
    RESERVING = "the object store of this node has been asked for room", CreateReply
    WRITING = "the bytes are being copied into the object store", Moved
    DISCARDING = "released while being written", CreateReply, Moved
    PLACED = "sealed copies are in object stores; here is a placeholder"
    RELEASED = "no copy is left, and none is needed unless a task runs again; its own task can compute it"
    FAILED = "a failure stands in its place"


ABSENT, PENDING, INLINE, RESERVING, WRITING, DISCARDING, PLACED, RELEASED, FAILED = Promoting


class Promotion(msgspec.Struct, frozen=True, gc=False):
    """The value of one object, or what stands in its place."""

    object: int
    state: Promoting = ABSENT
    attempt: int = 0  # of what is awaited
    payload: Payload | None = None  # INLINE, while being placed, and for ever if it is small
    nbytes: int = 0
    refs: tuple[int, ...] = ()  # references inside the value
    nodes: tuple[int, ...] = ()  # locations, the primary copy's first
    failure: Failure | None = None
    place: int = 0  # WRITING: where the bytes go
    by: int = 0  # PENDING: its task; while it is placed: the request that waits, or the task that returns it
    task: int = 0  # it can compute the value again if all copies are lost; 0: none can
    refusal: str = "put"  # then why not
    rested: bool = False  # only tasks that may run again need it: copies may be evicted
    wanted: Map[int, int] = Map()  # requests and tasks here that wait for the value -> why
    askers: Map[int, tuple[int, tuple[int, ...]]] = Map()  # workers that wait to hear -> attempt, nodes known bad


TABLE = Table(
    "promotion",
    Promoting,
    (
        ValuePut,
        ValuePending,
        ReturnArrived,
        CreateReply,
        Moved,
        ValueWanted,
        ReturnAwaited,
        WantWithdrawn,
        LocateQuery,
        LocateCancelNotice,
        CopyNotice,
        HolderDied,
        ObjectRested,
        ObjectRoused,
        LineageLost,
        ObjectReleased,
        CancelNotice,
    ),
)
KNOWN = (PENDING, INLINE, RESERVING, WRITING, PLACED, RELEASED, FAILED)
EMPTY: Map[int, int] = Map()
NO_ASKERS: Map[int, tuple[int, tuple[int, ...]]] = Map()


def is_small(payload: Payload | None, here: Here) -> bool:
    """Tell whether a value may stay in the in-process store: its serialized size is at most the limit."""
    return payload is not None and payload.nbytes <= here.policy.inline_bytes_max


def outcome_of(r: Promotion) -> Outcome:
    """Return what a task that takes the object as an argument gets: its value, its locations or its failure."""
    if r.failure is not None:
        return r.failure
    return r.payload if r.payload is not None else Placed(r.nbytes, r.nodes, r.refs)


def serve(r: Promotion, by: int, want: int) -> Out:
    """Tell one waiter here that the value is settled, or pass it on to fetch the copy."""
    if want >= Want.SEND:
        return (known(r.object, by, want, outcome_of(r)),)
    if r.payload is not None or r.failure is not None:
        return (ready(r.object, by, want, r.failure),)
    return (CopyWanted(r.object, by, want, r.nodes, r.nbytes),)


def told(r: Promotion, worker: int, attempt: int) -> Out:
    """Answer one worker that asked for locations."""
    outcome = r.failure if r.failure is not None else Placed(r.nbytes, r.nodes, r.refs)
    return (Send(worker, LocateReply(r.object, attempt, outcome)),)


def place(r: Promotion, here: Here) -> tuple[Promotion, Out]:
    """Ask this node's object store for room."""
    attempt = here.mint()
    payload = r.payload
    assert payload is not None
    r = replace(r, state=RESERVING, attempt=attempt, nbytes=payload.nbytes, refs=payload.refs)
    return r, (Send(here.node, CreateQuery(r.object, attempt, here.me, payload.nbytes)),)


def settled(r: Promotion, here: Here) -> tuple[Promotion, Out]:
    """A value has come to rest, or failed: serve all who waited, in the order in which they asked."""
    out: list[object] = []
    for by in sorted(r.wanted):
        out += serve(r, by, r.wanted[by])
    wanted = r.wanted
    r = replace(r, wanted=EMPTY) if wanted else r
    if not r.askers:
        return r, tuple(out)
    if r.state is INLINE:
        r, promoting = lookups(r, here)
        return r, (*out, *promoting)
    askers = r.askers
    for worker in sorted(askers):
        attempt, known = askers[worker]
        if r.state is not PLACED or not known or set(r.nodes) - set(known):
            out += told(r, worker, attempt)
            askers = askers.delete(worker)
    return replace(r, askers=askers), tuple(out)


def lookups(r: Promotion, here: Here) -> tuple[Promotion, Out]:
    """Borrowers ask for a small value: send it along, or promote it and answer when it is placed."""
    if here.policy.borrow == "promote":
        return place(r, here)
    assert r.payload is not None
    out = [Send(worker, LocateReply(r.object, r.askers[worker][0], r.payload)) for worker in sorted(r.askers)]
    return replace(r, askers=NO_ASKERS), tuple(out)


# ------------------------------------------------------------------ a value comes into being


@TABLE.on(ABSENT, event=ValuePut, to=(INLINE, RESERVING))
def keep_or_place(r: Promotion, e: ValuePut, here: Here) -> tuple[Promotion, Out]:
    """An owner's small value stays in the in-process store; a large one is promoted at once."""
    payload = e.payload
    if payload.nbytes <= here.policy.inline_bytes_max and owner_of(r.object) == here.me:
        return Promotion(r.object, INLINE, 0, payload, payload.nbytes, payload.refs), ()
    return place(replace(r, payload=payload, by=e.by), here)


@TABLE.on(DISCARDING, event=ValuePut, to=(RESERVING,))
def place_again(r: Promotion, e: ValuePut, here: Here) -> tuple[Promotion, Out]:
    """A retry returns a value whose first copy is still being given up: the new attempt makes the old one stale."""
    return place(Promotion(r.object, payload=e.payload, by=e.by), here)


TABLE.never(*KNOWN, event=ValuePut, why="a value is created once")


@TABLE.on(ABSENT, event=ValuePending, to=(PENDING,))
def await_task(r: Promotion, e: ValuePending, here: Here) -> tuple[Promotion, Out]:
    """The object exists from the moment its task is submitted."""
    return Promotion(r.object, PENDING, by=e.task), ()


TABLE.never(*KNOWN, DISCARDING, event=ValuePending, why="a name is minted once")


@TABLE.on(PENDING, event=ReturnArrived, to=(INLINE, PLACED, FAILED, RESERVING))
def arrive(r: Promotion, e: ReturnArrived, here: Here) -> tuple[Promotion, Out]:
    """The reply carries a small value, says where a large one lies, or why there is none."""
    outcome = e.outcome
    nodes = outcome.nodes if isinstance(outcome, Placed) else ()
    useless = tuple([Send(node, FreeNotice(r.object)) for node in r.nodes if node not in nodes])  # of earlier runs
    r = replace(r, nodes=nodes, task=e.task, refusal=e.refusal)
    if isinstance(outcome, Payload):
        if not is_small(outcome, here):  # a task that this very process ran: it is placed like a put
            r, asked = place(replace(r, by=0, payload=outcome), here)
            return r, useless + asked
        r = replace(r, state=INLINE, by=0, payload=outcome, nbytes=outcome.nbytes, refs=outcome.refs)
    elif isinstance(outcome, Placed):
        r = replace(r, state=PLACED, by=0, nbytes=outcome.nbytes, refs=outcome.refs)
        useless += spare(r)
    else:
        r = replace(r, state=FAILED, by=0, failure=outcome)
    if not (r.wanted or r.askers):
        return r, useless
    r, out = settled(r, here)
    return r, useless + out


@TABLE.on(ABSENT, event=ReturnArrived)
def arrive_unwanted(r: Promotion, e: ReturnArrived, here: Here) -> tuple[None, Out]:
    """Nobody waits any more: a copy that was placed is freed."""
    nodes = e.outcome.nodes if isinstance(e.outcome, Placed) else ()
    return None, (*[Send(node, FreeNotice(r.object)) for node in nodes], *never_again(replace(r, task=e.task)))


TABLE.never(*KNOWN[1:], DISCARDING, event=ReturnArrived, why="a run brings only what is awaited")


def spare(r: Promotion) -> Out:
    """The primary copy of a value that only tasks need which may run again is none any more."""
    return (Send(r.nodes[0], KeepNotice(r.object, False)),) if r.rested and r.nodes else ()


def never_again(r: Promotion) -> Out:
    """Tell the task that could have computed the value again."""
    return (ReturnGone(r.task, r.object),) if r.task else ()


# ------------------------------------------------------------------ promotion, step by step


@TABLE.on(RESERVING, event=CreateReply, to=(WRITING, PLACED, FAILED, INLINE, ABSENT))
def write(r: Promotion, e: CreateReply, here: Here) -> tuple[Promotion | None, Out]:
    """Room was made: write.  A copy that exists already is as good as written (a retry comes upon its first run's)."""
    if e.failure is not None:
        return no_room(r, e.failure, here)
    if e.sealed:
        return seal(r, here, ())
    attempt = here.mint()
    return replace(r, state=WRITING, attempt=attempt, place=e.place), (
        Move(r.object, attempt, r.payload, e.place, 0, 0, r.nbytes),
    )


def no_room(r: Promotion, failure: Failure, here: Here) -> tuple[Promotion | None, Out]:
    """A put fails; a task returns the failure; borrowers of a small value hear why, and its owner keeps it."""
    if owner_of(r.object) != here.me:
        if failure.cause == "released":  # an earlier copy was meant; the owner tells if it needs this one no more
            return place(r, here)
        return None, (ReturnPlaced(r.by, r.object, failure),)
    if is_small(r.payload, here):
        out = [Send(worker, LocateReply(r.object, r.askers[worker][0], failure)) for worker in sorted(r.askers)]
        return replace(r, state=INLINE, askers=NO_ASKERS), tuple(out)
    gone = never_again(r)
    r, out_ = settled(replace(r, state=FAILED, payload=None, failure=failure, task=0), here)
    return r, (*((RequestReady(r.by, r.object, True),) if r.by else ()), *out_, *gone)


@TABLE.on(WRITING, event=Moved, to=(PLACED, ABSENT))
def written(r: Promotion, e: Moved, here: Here) -> tuple[Promotion | None, Out]:
    """The copy is sealed.  The owner of a large value keeps its hold, any other writer gives it back."""
    keeps = owner_of(r.object) == here.me and not is_small(r.payload, here)
    notice = Send(here.node, SealNotice(r.object, here.me, keeps))
    return seal(r, here, (notice, HoldNotice(r.object, r.place, r.nbytes)) if keeps else (notice,))


def seal(r: Promotion, here: Here, notice: Out) -> tuple[Promotion | None, Out]:
    """The primary copy is where it belongs: leave a placeholder, or tell the task that returns it."""
    if owner_of(r.object) != here.me:
        return None, (*notice, ReturnPlaced(r.by, r.object, Placed(r.nbytes, (here.node,), r.refs)))
    payload = r.payload if is_small(r.payload, here) else None
    ready = (RequestReady(r.by, r.object),) if r.by else ()
    r, out = settled(replace(r, state=PLACED, payload=payload, nodes=(here.node,), by=0), here)
    return r, (*notice, *ready, *out, *spare(r))


@TABLE.on(DISCARDING, event=CreateReply, to=(ABSENT,))
def give_up_room(r: Promotion, e: CreateReply, here: Here) -> tuple[None, Out]:
    """Nothing was written: the hold that came with the room goes back, and the node frees it."""
    if e.failure is not None or e.sealed:
        return None, ()
    return None, (Send(here.node, HoldReturnNotice(r.object, here.me, 1)),)


@TABLE.on(DISCARDING, event=Moved, to=(ABSENT,))
def give_up_copy(r: Promotion, e: Moved, here: Here) -> tuple[None, Out]:
    """Nobody writes to the room any more: the hold goes back, and the node frees it."""
    return None, (Send(here.node, HoldReturnNotice(r.object, here.me, 1)),)


# ------------------------------------------------------------------ the end


@TABLE.on(PENDING, event=CancelNotice)
def cancel(r: Promotion, e: CancelNotice, here: Here) -> tuple[Promotion, Out]:
    """A reference stands for the task that produces its object."""
    return r, (CancelWanted(r.by, e.force),)


TABLE.ignore(
    ABSENT, INLINE, RESERVING, WRITING, DISCARDING, PLACED, RELEASED, FAILED, event=CancelNotice, why="its task is over"
)


@TABLE.on(INLINE, FAILED, event=ObjectReleased, to=(ABSENT,))
def forget(r: Promotion, e: ObjectReleased, here: Here) -> tuple[None, Out]:
    """The in-process store lets the value go."""
    return None, ()


@TABLE.on(PENDING, PLACED, RELEASED, event=ObjectReleased, to=(ABSENT,))
def free(r: Promotion, e: ObjectReleased, here: Here) -> tuple[None, Out]:
    """Exactly the nodes that hold copies are told; what a task still produces is freed when it arrives."""
    freed = [Send(node, FreeNotice(r.object)) for node in r.nodes]
    return None, (*answer_all(r, here), *freed, *never_again(r))


@TABLE.on(RESERVING, WRITING, event=ObjectReleased, to=(DISCARDING,))
def discard(r: Promotion, e: ObjectReleased, here: Here) -> tuple[Promotion, Out]:
    """The node retires the copy at once; its bytes are reused when the writer has returned its hold."""
    after = Promotion(r.object, DISCARDING, r.attempt)
    return after, (*answer_all(r, here), Send(here.node, FreeNotice(r.object)), *never_again(r))


def answer_all(r: Promotion, here: Here) -> Out:
    """Tell whoever still asks that the object is gone: every question is answered."""
    gone = Failure("released", r.object, here.me)
    return tuple([Send(worker, LocateReply(r.object, r.askers[worker][0], gone)) for worker in sorted(r.askers)])


TABLE.ignore(ABSENT, DISCARDING, event=ObjectReleased, why="it is gone already")
