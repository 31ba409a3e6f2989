"""The strides of values: put, the last reference, and waiting, in the situations that make up most of a program's life.

Each is several steps of the tables in one function; ``strides.py`` says what that means and how it is checked.
The order of the steps, which ``unfold`` tells and ``base + k`` counts, is that of the loop in ``party.py``: what a
step asks for is done after all that was asked for before.
"""

from __future__ import annotations

from freehold.core import promotion, request
from freehold.core.books import Books
from freehold.core.borrow_strides import release, unfold_release, unfold_want, want
from freehold.core.effects import SetTimer
from freehold.core.events import (
    DeadlinePassed,
    Event,
    GetWanted,
    ObjectReleased,
    RefCreated,
    RefDropped,
    ValuePut,
    ValueWanted,
)
from freehold.core.ids import COUNTER_BITS
from freehold.core.machine import replace
from freehold.core.ownership import OWNED, UNHELD, Ownership
from freehold.core.promotion import INLINE, PENDING, Promotion
from freehold.core.request import WAITING, Request
from freehold.core.strides import NOTHING, Asked, Raw, Stride, Strode
from freehold.core.values import Payload

# ------------------------------------------------------------------ put, and the last reference


def put(worker: Books, e: RefCreated, base: int) -> Strode | None:
    """A small value without references is kept in the in-process store."""
    value = e.payload
    if value is None or value.refs or value.nbytes > worker.policy.inline_bytes_max:
        return None
    object = e.object
    worker.ownership[object] = Ownership(object, OWNED, True)
    worker.promotion[object] = Promotion(object, INLINE, 0, value, value.nbytes)
    return NOTHING, 2, (object, value.nbytes, e.by)


def unfold_put(base: int, cause: int, at: float, object: int, nbytes: int, by: int) -> list[Raw]:
    """Tell a put in steps."""
    created, kept = RefCreated(object, Payload(nbytes), by), ValuePut(object, Payload(nbytes), by)
    return [
        (base + 1, cause, at, object, Ownership, UNHELD, OWNED, created),
        (base + 2, base + 1, at, object, Promotion, promotion.ABSENT, INLINE, kept),
    ]


def drop(worker: Books, e: RefDropped, base: int) -> Strode | None:
    """The last reference of any kind to a value in the in-process store goes."""
    object = e.object
    r, value = worker.ownership.get(object), worker.promotion.get(object)
    if r is None or value is None or r.state is not OWNED or value.state is not INLINE:
        return release(worker, e, base)
    if (
        r.arguments
        or r.containers
        or r.pins
        or r.exported
        or r.borrowers
        or r.refs
        or r.lineage
        or object in worker.resolution
    ):
        return None
    del worker.ownership[object], worker.promotion[object]
    return NOTHING, 2, (object,)


def unfold_drop(base: int, cause: int, at: float, object: int, borrowed: bool = False) -> list[Raw]:
    """Tell the end of an object in steps."""
    if borrowed:
        return unfold_release(base, cause, at, object)
    return [
        (base + 1, cause, at, object, Ownership, OWNED, None, RefDropped(object)),
        (base + 2, base + 1, at, object, Promotion, INLINE, None, ObjectReleased(object)),
    ]


# ------------------------------------------------------------------ somebody waits


def wait(worker: Books, e: GetWanted, base: int) -> Strode | None:
    """The program waits for returns of its own tasks, none of which is there."""
    objects = e.objects if len(e.objects) == 1 else tuple(dict.fromkeys(e.objects))
    values, me = worker.promotion, worker.me
    if e.task:
        return None
    for object in objects:
        value = values.get(object)
        if value is None or value.state is not PENDING or object >> COUNTER_BITS != me:
            return want(worker, e, base)
    by, why, timed = e.request, e.want, e.timeout >= 0
    worker.requests[by] = Request(by, WAITING, objects, min(e.needed, len(objects)), why, timed)
    for object in objects:
        value = values[object]
        values[object] = replace(value, wanted=value.wanted.set(by, why))
    asked: Asked = [(base + 1, SetTimer(by, e.timeout, DeadlinePassed(by)))] if timed else NOTHING
    return asked, 1 + len(objects), (by, e.objects, e.needed, why, e.timeout)


def unfold_wait(
    base: int,
    cause: int,
    at: float,
    by: int,
    objects: tuple[int, ...],
    needed: int,
    why: int,
    timeout: float,
    borrowed: bool = False,
) -> list[Raw]:
    """Tell the beginning of a wait in steps."""
    begun = GetWanted(by, objects, needed, why, timeout)
    if borrowed:
        return unfold_want(base, cause, at, begun)
    timer = [(SetTimer,)] if timeout >= 0 else []
    told: list[Raw] = [(base + 1, cause, at, by, Request, request.ABSENT, WAITING, begun, *timer)]
    for step, object in enumerate(dict.fromkeys(objects), base + 2):
        told.append((step, base + 1, at, object, Promotion, PENDING, PENDING, ValueWanted(object, by, why)))
    return told


STRIDES: dict[type[Event], Stride] = {
    RefCreated: Stride(put, unfold_put),
    RefDropped: Stride(drop, unfold_drop),
    GetWanted: Stride(wait, unfold_wait),
}
