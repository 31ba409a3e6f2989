"""The strides of a borrow: a reference is found inside a value, the owner asks back, the value comes, and it is let go.

Each is a step or two of the tables in one function, but for the loop around them; ``strides.py`` says what that means
and how it is checked.  They are for what a workload of small values does all the time; all else declines.
"""

from __future__ import annotations

from typing import Any

from freehold.core import ownership, request, resolution
from freehold.core.books import Books
from freehold.core.effects import Send, Settle
from freehold.core.events import (
    CopyWanted,
    Event,
    GetWanted,
    Lent,
    ObjectUnused,
    Pinned,
    RefDropped,
    RefFound,
    RefsFound,
    RequestReady,
    Unpinned,
)
from freehold.core.ids import COUNTER_BITS
from freehold.core.machine import replace
from freehold.core.messages import BorrowNotice, LocateQuery, LocateReply, ReleaseQuery, ReleaseReply
from freehold.core.ownership import INTRODUCING, OWNED, REGISTERED, UNHELD, Asked, Ownership
from freehold.core.promotion import INLINE, Promotion
from freehold.core.request import WAITING, Request
from freehold.core.resolution import ASKING, CACHED, EMPTY, Resolution
from freehold.core.strides import NOTHING, Raw, Stride, Strode
from freehold.core.values import Payload, Want

# ------------------------------------------------------------------ at the borrower, until it has the value


def find(worker: Books, e: RefsFound, base: int) -> Strode | None:
    """One reference that is new here is found inside a value that is held here."""
    if len(e.objects) != 1:
        return None
    (object,), outer = e.objects, e.outer
    r, owner, held = worker.ownership.get(object), object >> COUNTER_BITS, worker.ownership.get(outer)
    if r is not None or owner == worker.me or held is None or held.state not in ownership.HELD or held.lineage:
        return None
    worker.ownership[object] = Ownership(object, INTRODUCING, True, covers=(outer,))
    worker.ownership[outer] = replace(held, pins=held.pins + 1)
    return [(base + 1, Send(owner, BorrowNotice((object,), worker.me)))], 2, (object, outer, held.state)


def unfold_find(base: int, cause: int, at: float, object: int, outer: int, state: Any) -> list[Raw]:
    """Tell it in steps."""
    asked, found = (BorrowNotice, object >> COUNTER_BITS), RefFound(object, outer)
    return [
        (base + 1, cause, at, object, Ownership, UNHELD, INTRODUCING, found, asked),
        (base + 2, base + 1, at, outer, Ownership, state, state, Pinned(outer)),
    ]


def want(worker: Books, e: GetWanted, base: int) -> Strode | None:
    """The program waits for one value of another's, of which nothing is known here."""
    if len(e.objects) != 1 or e.task or e.timeout >= 0:
        return None
    (object,), by, owner = e.objects, e.request, e.objects[0] >> COUNTER_BITS
    if owner == worker.me or object in worker.resolution or not worker.hears(owner):
        return None
    worker.requests[by] = Request(by, WAITING, (object,), min(e.needed, 1), e.want)
    attempt = worker.mint()
    worker.resolution[object] = Resolution(object, ASKING, attempt=attempt, wanted=EMPTY.set(by, e.want))
    query = LocateQuery(object, attempt, worker.me, (), attempt)
    return [(base + 2, Send(owner, query))], 2, (by, e.objects, e.needed, e.want, e.timeout, True)


def unfold_want(base: int, cause: int, at: float, begun: GetWanted) -> list[Raw]:
    """Tell it in steps."""
    by, (object,) = begun.request, begun.objects
    wanted, asked = CopyWanted(object, by, begun.want), (LocateQuery, object >> COUNTER_BITS)
    return [
        (base + 1, cause, at, by, Request, request.ABSENT, WAITING, begun),
        (base + 2, base + 1, at, object, Resolution, resolution.ABSENT, ASKING, wanted, asked),
    ]


def answered(worker: Books, e: LocateReply, base: int) -> Strode | None:
    """The value comes with the answer, and one call that waits for nothing else is over."""
    r, value = worker.resolution.get(e.object), e.outcome
    if r is None or r.state is not ASKING or r.attempt != e.attempt or type(value) is not Payload or len(r.wanted) != 1:
        return None
    ((by, want),) = r.wanted.items()
    call = worker.requests.get(by)
    if want != Want.GET or call is None or call.left != 1 or call.timed or call.task or call.want != Want.GET:
        return None
    r = replace(r, state=CACHED, payload=value, nbytes=value.nbytes, refs=value.refs, wanted=EMPTY)
    worker.resolution[e.object] = r
    del worker.requests[by]
    return [(base + 2, Settle(by, None))], 2, (e.object, e.attempt, value.nbytes, value.refs, by)


def unfold_answered(
    base: int, cause: int, at: float, object: int, attempt: int, nbytes: int, refs: tuple[int, ...], by: int
) -> list[Raw]:
    """Tell it in steps."""
    reply = LocateReply(object, attempt, Payload(nbytes, refs))
    return [
        (base + 1, cause, at, object, Resolution, ASKING, CACHED, reply),
        (base + 2, base + 1, at, by, Request, WAITING, None, RequestReady(by, object), (Settle,)),
    ]


# ------------------------------------------------------------------ at the borrower, once the owner has asked


def register(worker: Books, e: ReleaseQuery, base: int) -> Strode | None:
    """What user code still holds is known to its owner now; the value in which it was found is held otherwise, too."""
    r = worker.ownership.get(e.object)
    if r is None or r.state is not INTRODUCING or not r.local or len(r.covers) != 1:
        return None
    (outer,) = r.covers
    held = worker.ownership[outer]
    if not held.local:
        return None
    worker.ownership[e.object] = replace(r, state=REGISTERED, asked=e.attempt, covers=())
    worker.ownership[outer] = replace(held, pins=held.pins - 1)
    return NOTHING, 2, (e.object, e.attempt, outer, held.state)


def unfold_register(base: int, cause: int, at: float, object: int, attempt: int, outer: int, state: Any) -> list[Raw]:
    """Tell it in steps."""
    return [
        (base + 1, cause, at, object, Ownership, INTRODUCING, REGISTERED, ReleaseQuery(object, attempt)),
        (base + 2, base + 1, at, outer, Ownership, state, state, Unpinned(outer)),
    ]


def release(worker: Books, e: RefDropped, base: int) -> Strode | None:
    """The last reference goes; so does the value, and the owner hears of it."""
    object = e.object
    r, value = worker.ownership.get(object), worker.resolution.get(object)
    if r is None or value is None or r.state is not REGISTERED or value.state is not CACHED or value.orphaned:
        return None
    if ownership.is_held(replace(r, local=False)):
        return None
    del worker.ownership[object], worker.resolution[object]
    owner = object >> COUNTER_BITS
    reply = ReleaseReply(object, r.asked, worker.me, r.lent)
    return [(base + 1, Send(owner, reply))], 2, (object, True)


def unfold_release(base: int, cause: int, at: float, object: int) -> list[Raw]:
    """Tell it in steps."""
    asked = (ReleaseReply, object >> COUNTER_BITS)
    return [
        (base + 1, cause, at, object, Ownership, REGISTERED, None, RefDropped(object), asked),
        (base + 2, base + 1, at, object, Resolution, CACHED, None, ObjectUnused(object)),
    ]


# ------------------------------------------------------------------ at the owner


def introduced(worker: Books, e: BorrowNotice, base: int) -> Strode | None:
    """Another process holds an object; it is asked to say when it does so no more."""
    if len(e.objects) != 1:
        return None
    (object,), borrower = e.objects, e.borrower
    r = worker.ownership.get(object)
    if r is None or r.state is not OWNED or borrower == worker.me or borrower in r.borrowers:
        return None
    attempt = worker.mint()
    worker.ownership[object] = replace(r, borrowers=r.borrowers.set(borrower, Asked(attempt)))
    return [(base + 1, Send(borrower, ReleaseQuery(object, attempt)))], 1, (object, borrower)


def unfold_introduced(base: int, cause: int, at: float, object: int, borrower: int) -> list[Raw]:
    """Tell it in steps."""
    lent = Lent(object, (borrower,))
    return [(base + 1, cause, at, object, Ownership, OWNED, OWNED, lent, (ReleaseQuery, borrower))]


def located(worker: Books, e: LocateQuery, base: int) -> Strode | None:
    """A small value is sent along, if the policy says so."""
    r = worker.promotion.get(e.object)
    if r is None or r.state is not INLINE or worker.policy.borrow == "promote" or r.askers:
        return None
    assert r.payload is not None
    return [(base + 1, Send(e.asker, LocateReply(e.object, e.attempt, r.payload)))], 1, (e,)


def unfold_located(base: int, cause: int, at: float, query: LocateQuery) -> list[Raw]:
    """Tell it in steps."""
    return [(base + 1, cause, at, query.object, Promotion, INLINE, INLINE, query, (LocateReply, query.asker))]


def returned(worker: Books, e: ReleaseReply, base: int) -> Strode | None:
    """A borrower that has lent it to nobody holds it no more, and others do."""
    r = worker.ownership.get(e.object)
    if r is None or r.state is not OWNED or e.lent or not r.local:
        return None
    question = r.borrowers.get(e.borrower)
    if question is None or question.attempt != e.attempt or question.again:
        return None
    worker.ownership[e.object] = replace(r, borrowers=r.borrowers.delete(e.borrower))
    return NOTHING, 1, (e,)


def unfold_returned(base: int, cause: int, at: float, reply: ReleaseReply) -> list[Raw]:
    """Tell it in steps."""
    return [(base + 1, cause, at, reply.object, Ownership, OWNED, OWNED, reply)]


STRIDES: dict[type[Event], Stride] = {  # value_strides has the two that begin as the strides of one's own values do
    RefsFound: Stride(find, unfold_find),
    LocateReply: Stride(answered, unfold_answered),
    ReleaseQuery: Stride(register, unfold_register),
    BorrowNotice: Stride(introduced, unfold_introduced),
    LocateQuery: Stride(located, unfold_located),
    ReleaseReply: Stride(returned, unfold_returned),
}
