"""Facts about object stores, and about who lives."""

from __future__ import annotations

from typing import ClassVar

from freehold.core.events import Answer, Event
from freehold.core.values import Failure, Shape

# ------------------------------------------------------------------ object stores


class RoomWanted(Event, frozen=True, gc=False):
    """A copy needs room in this object store; ``want`` is negative for a create, else why it is pulled."""

    key: ClassVar[str] = ""
    object: int
    nbytes: int
    want: int


class RoomGranted(Event, frozen=True, gc=False):
    """The bytes at ``place`` are the copy's."""

    object: int
    place: int


class RoomDenied(Event, frozen=True, gc=False):
    """The copy found no room in time."""

    object: int
    failure: Failure


class RoomFreed(Event, frozen=True, gc=False):
    """A copy is gone, or no longer asks for room."""

    key: ClassVar[str] = ""
    object: int
    nbytes: int  # 0 if it never had any
    pulled: bool = False


class PullOver(Event, frozen=True, gc=False):
    """A copy has arrived: it no longer counts towards the pulls."""

    key: ClassVar[str] = ""
    object: int


class CopyIdle(Event, frozen=True, gc=False):
    """A secondary copy has no holds: it may be evicted."""

    key: ClassVar[str] = ""
    object: int


class CopyBusy(Event, frozen=True, gc=False):
    """Somebody holds it now, or it is gone: it may not be evicted."""

    key: ClassVar[str] = ""
    object: int


class CopyEvicted(Event, frozen=True, gc=False):
    """The room was taken back."""

    object: int


class HoldsRecalled(Event, frozen=True, gc=False):
    """Room is short: holds that nobody uses are asked back."""

    object: int


class Reserved(Answer, frozen=True, gc=False):
    """The driver has set bytes aside; ``place`` means something to it alone."""

    key: ClassVar[str] = ""
    attempt: int
    place: int


class ReserveFailed(Answer, frozen=True, gc=False):
    """There is no such range of bytes now."""

    key: ClassVar[str] = ""
    attempt: int


class RoomOverdue(Event, frozen=True, gc=False):
    """A copy has waited long enough for room."""

    key: ClassVar[str] = ""
    object: int
    timer: int


# ------------------------------------------------------------------ who lives


class PeerLost(Event, frozen=True, gc=False):
    """The link to a peer broke: nothing comes from there any more, and the head node is to decide who goes."""

    key: ClassVar[str] = "party"
    party: int


class NodeJoined(Event, frozen=True, gc=False):
    """A node lives, with these resources."""

    key: ClassVar[str] = "party"
    party: int
    resources: Shape


class PartyDied(Event, frozen=True, gc=False):
    """A node or worker is dead: every record that names it must hear."""

    party: int
    again: bool = False  # as has been told before; something was sent to it since


class Announced(Event, frozen=True, gc=False):
    """A death is news: for our own pools, or a node's workers and, from the head node, all other nodes."""

    party: int


class Contested(Event, frozen=True, gc=False):
    """Two parties have lost each other, and one of them has to go: the head node says which."""

    party: int
    by: int  # who has said so


class Newcomer(Event, frozen=True, gc=False):
    """A party has come that must be told which nodes live."""

    party: int
