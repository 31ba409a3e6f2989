"""Facts about inquests: who holds an object that a dead process may have lent on."""

from __future__ import annotations

from typing import ClassVar

from freehold.core.events import Event
from freehold.core.values import InquestKey

# ------------------------------------------------------------------ at an owner


class BorrowerLost(Event, frozen=True, gc=False):
    """A worker died that ran a task with the reference, or could read it in a value: it may have lent the object on."""

    object: int
    party: int


class InquestWanted(Event, frozen=True, gc=False):
    """A borrower of an owned object is dead: all have to be asked who holds the object."""

    key: ClassVar[str] = ""
    object: int
    party: int


class InquestDue(Event, frozen=True, gc=False):
    """What follows from a death has been gathered."""

    key: ClassVar[str] = ""


class InquestOver(Event, frozen=True, gc=False):
    """Everybody who holds the object is known: the dead borrower can be forgotten."""

    object: int
    party: int


# ------------------------------------------------------------------ at a worker that is asked


class HoldingAsked(Event, frozen=True, gc=False):
    """The owner of the object asks who holds it."""

    object: int
    inquest: InquestKey


class HoldingTold(Event, frozen=True, gc=False):
    """Whether the object is held here, without its owner's knowing for sure."""

    key: ClassVar[str] = "inquest"
    inquest: InquestKey
    object: int
    holds: bool


# ------------------------------------------------------------------ at nodes


class HoldersWanted(Event, frozen=True, gc=False):
    """The head node has a question for everybody; without objects it is whether they have come so far."""

    inquest: InquestKey
    objects: tuple[int, ...]


class HoldersAsked(Event, frozen=True, gc=False):
    """This node has a question for these parties."""

    key: ClassVar[str] = "inquest"
    inquest: InquestKey
    asked: int  # the attempt to answer
    objects: tuple[int, ...]
    parties: tuple[int, ...]


class WitnessDied(Event, frozen=True, gc=False):
    """Somebody has died while a question is open."""

    key: ClassVar[str] = "inquest"
    inquest: InquestKey
    party: int
