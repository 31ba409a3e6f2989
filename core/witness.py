"""The witness table: a process is asked which objects it holds, and answers for all at once.

One record for each question while its references are gone through.  Refuses to know why it is asked.
"""

from __future__ import annotations

import msgspec

from freehold.core.effects import Send
from freehold.core.inquest_events import HoldingAsked, HoldingTold
from freehold.core.machine import Here, Out, State, Table, replace
from freehold.core.messages import HoldersQuery, HoldersReply
from freehold.core.values import InquestKey


class Testifying(State):
    """Whether a question is being answered."""

    SILENT = "nothing has been asked"
    TESTIFYING = "every object that it is about is being looked at", HoldingTold


SILENT, TESTIFYING = Testifying


class Witness(msgspec.Struct, frozen=True, gc=False):
    """The answer to one question."""

    inquest: InquestKey
    state: Testifying = SILENT
    asked: int = 0  # the attempt to answer
    missing: int = 0  # objects that are still to be looked at
    found: tuple[tuple[int, int], ...] = ()  # those that are held here, each with our name


TABLE = Table("witness", Testifying, (HoldersQuery, HoldingTold))


@TABLE.on(SILENT, event=HoldersQuery, to=(TESTIFYING,))
def take_stand(r: Witness, e: HoldersQuery, here: Here) -> tuple[Witness | None, Out]:
    """Look at every object; a question about none asks only whether the news before it has come."""
    if not e.objects:
        return None, (Send(here.node, HoldersReply(r.inquest, e.attempt, here.me)),)
    looks = tuple([HoldingAsked(object, r.inquest) for object in e.objects])
    return replace(r, state=TESTIFYING, asked=e.attempt, missing=len(looks)), looks


TABLE.never(TESTIFYING, event=HoldersQuery, why="a question is answered within one event")


@TABLE.on(TESTIFYING, event=HoldingTold, to=(SILENT,))
def testify(r: Witness, e: HoldingTold, here: Here) -> tuple[Witness | None, Out]:
    """Answer when the last object has been looked at."""
    found = (*r.found, (e.object, here.me)) if e.holds else r.found
    if r.missing > 1:
        return replace(r, missing=r.missing - 1, found=found), ()
    return None, (Send(here.node, HoldersReply(r.inquest, r.asked, here.me, found)),)


TABLE.never(SILENT, event=HoldingTold, why="it was asked for")
