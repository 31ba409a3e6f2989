"""Holding: the rows of the resolution table about a copy that is here, and the right to read it.

A hold is kept in case until the node asks for it, or the object ends; while a value is read, or lives on as a
zero-copy view, it is kept against the node's wish.  Refuses to know how the copy came.
"""

from __future__ import annotations

from freehold.core.effects import Send
from freehold.core.events import ObjectUnused, OwnerDied, Pinned, ViewDropped, ViewTaken, WantWithdrawn
from freehold.core.ids import owner_of
from freehold.core.machine import Here, Out, replace
from freehold.core.node_messages import HoldNotice, HoldRecallNotice, HoldReturnNotice
from freehold.core.resolution import (
    ABSENT,
    ASKING,
    CACHED,
    FAILED,
    IDLE,
    LOCAL,
    SEEN,
    TABLE,
    WAITING,
    Resolution,
    bereft,
    remembered,
    unpinned,
)
from freehold.core.values import Failure


def give_back(r: Resolution, here: Here) -> tuple[Resolution | None, Out]:
    """Return every hold that was granted until now."""
    return remembered(r, here), (Send(here.node, HoldReturnNotice(r.object, here.me, r.grants)), *unpinned(r))


def rest(r: Resolution, here: Here) -> tuple[Resolution | None, Out]:
    """Decide what becomes of a hold when a use of it has ended: one that was asked back goes, others are kept in case.

    A reference alone keeps no hold against the node's wish while the value can be fetched again.
    """
    if r.views or (r.unread and not r.unused):
        return r, ()
    if r.recalled:
        return give_back(r, here)
    return (replace(r, state=IDLE), ()) if r.unused else (r, ())


# ------------------------------------------------------------------ grants


@TABLE.on(ABSENT, event=HoldNotice, to=(IDLE,))
def arrived_unasked(r: Resolution, e: HoldNotice, here: Here) -> tuple[Resolution | None, Out]:
    """An owner begins with a hold on what it has written; one that comes after its get was abandoned goes back."""
    if owner_of(r.object) != here.me:
        return None, (Send(here.node, HoldReturnNotice(r.object, here.me, 1)),)
    return Resolution(r.object, IDLE, nbytes=e.nbytes, place=e.place, grants=1, unused=True), ()


@TABLE.on(SEEN, event=HoldNotice, to=(LOCAL,))
def arrived_after_all(r: Resolution, e: HoldNotice, here: Here) -> tuple[Resolution, Out]:
    """One that comes after its get was abandoned is kept while the object is in use here."""
    return Resolution(r.object, LOCAL, nbytes=e.nbytes, refs=r.refs, place=e.place, grants=1), ()


@TABLE.on(LOCAL, IDLE, event=HoldNotice)
def granted_again(r: Resolution, e: HoldNotice, here: Here) -> tuple[Resolution, Out]:
    """Holds are counted, so that giving them back can never undo a later grant."""
    return replace(r, grants=r.grants + 1), ()


@TABLE.on(ASKING, CACHED, FAILED, event=HoldNotice)
def arrived_late(r: Resolution, e: HoldNotice, here: Here) -> tuple[Resolution, Out]:
    """It was for a get that was abandoned; the matter is settled without it, or its owner is to say what it holds."""
    return r, (Send(here.node, HoldReturnNotice(r.object, here.me, 1)),)


# ------------------------------------------------------------------ uses begin and end


@TABLE.on(LOCAL, event=ObjectUnused, to=(IDLE, ABSENT))
def unused(r: Resolution, e: ObjectUnused, here: Here) -> tuple[Resolution | None, Out]:
    """No reference is left here: only a live view still needs the bytes.  The owner's own hold ends with the object."""
    recalled = r.recalled or r.released or r.orphaned or owner_of(r.object) == here.me
    after, out = rest(
        replace(r, unused=True, recalled=recalled, refs=() if r.orphaned else r.refs, failure=bereft(r)), here
    )
    return after, out + unpinned(r)


@TABLE.on(IDLE, event=ObjectUnused, to=(ABSENT,))
def unused_again(r: Resolution, e: ObjectUnused, here: Here) -> tuple[Resolution | None, Out]:
    """The owner's hold ends with the object; another's is kept until the node asks for it."""
    return give_back(r, here) if owner_of(r.object) == here.me else (r, ())


@TABLE.on(LOCAL, event=WantWithdrawn, to=(IDLE, SEEN, ABSENT))
def read_no_more(r: Resolution, e: WantWithdrawn, here: Here) -> tuple[Resolution | None, Out]:
    """A call that was told of the copy has ended without reading it."""
    if e.by not in r.unread:
        return r, ()
    return rest(replace(r, unread=tuple([by for by in r.unread if by != e.by])), here)


@TABLE.on(LOCAL, IDLE, event=ViewTaken, to=(LOCAL,))
def take_view(r: Resolution, e: ViewTaken, here: Here) -> tuple[Resolution, Out]:
    """A live zero-copy view keeps the hold, even when every reference is gone."""
    return replace(r, views=r.views + 1, state=LOCAL, unread=r.unread[1:]), ()


TABLE.never(ABSENT, SEEN, *WAITING, CACHED, FAILED, event=ViewTaken, why="there is no copy to view")


@TABLE.on(LOCAL, event=ViewDropped, to=(IDLE, SEEN, ABSENT))
def drop_view(r: Resolution, e: ViewDropped, here: Here) -> tuple[Resolution | None, Out]:
    """The last view of a value may have been its last use."""
    return rest(replace(r, views=r.views - 1), here)


TABLE.never(ABSENT, SEEN, *WAITING, IDLE, CACHED, FAILED, event=ViewDropped, why="a view keeps the record")


@TABLE.on(LOCAL, IDLE, event=HoldRecallNotice, to={LOCAL: (SEEN, ABSENT), IDLE: (ABSENT,)})
def recall(r: Resolution, e: HoldRecallNotice, here: Here) -> tuple[Resolution | None, Out]:
    """The node needs the room: give the hold back as soon as nobody reads the copy.

    If the object is released, and be it by its owner's death, the value can be had for as long as a reference is here.
    """
    if r.state is IDLE:
        return give_back(r, here)
    if e.released and not r.unused:
        return replace(r, released=True), ()
    return rest(replace(r, recalled=True), here)


TABLE.ignore(ABSENT, SEEN, *WAITING, CACHED, FAILED, event=HoldRecallNotice, why="the hold is on its way back already")


# ------------------------------------------------------------------ the owner dies


@TABLE.on(LOCAL, IDLE, CACHED, event=OwnerDied, to={IDLE: (ABSENT,)})
def outlive(r: Resolution, e: OwnerDied, here: Here) -> tuple[Resolution | None, Out]:
    """The bytes are here, and can be read; what is inside is kept alive by whoever can read it.

    A copy that only views keep is not read again: what was inside may be gone by then.
    """
    if r.state is IDLE:
        return give_back(r, here)
    if not r.refs or r.orphaned:  # nothing is to be kept, or is already: the news may come again
        return r, ()
    if r.unused:
        return replace(r, failure=Failure("owner_died", r.object, owner_of(r.object))), ()
    return replace(r, orphaned=True), tuple([Pinned(ref) for ref in r.refs])
