"""The inquest table: an owner finds out who holds objects that a dead borrower may have lent on.

One record for each worker.  Whoever was lent an object by a process that died before it could say so is known to
nobody.  So a dead borrower counts as one that lives until every live process has been asked, through the tree of nodes,
whether it holds the object; deaths are rare, and all objects that one death concerns are one question.
(Ray forgets a dead borrower at once: ray#18456.)

Refuses to know who has to be asked, and what a reference is.
"""

from __future__ import annotations

import msgspec
from immutables import Map

from freehold.core.effects import Send
from freehold.core.events import Lent
from freehold.core.inquest_events import InquestDue, InquestOver, InquestWanted
from freehold.core.machine import Here, Out, State, Table, replace
from freehold.core.messages import InquestQuery, InquestReply

Pairs = Map[tuple[int, int], bool]  # objects, each with a process that died with it
NONE: Pairs = Map()
PAIRS_MAX = 4_000  # of one question, so that it fits into one frame


class Inquiring(State):
    """Whether an inquest is held."""

    QUIET = "no question is open"
    ASKING = "everybody is being asked who holds certain objects", InquestReply


QUIET, ASKING = Inquiring


class Inquest(msgspec.Struct, frozen=True, gc=False):
    """What one owner asks about those who died."""

    state: Inquiring = QUIET
    attempt: int = 0  # of the open question
    pairs: Pairs = NONE  # ASKING: what it is about
    following: Pairs = NONE  # what the next will be about


TABLE = Table("inquest", Inquiring, (InquestWanted, InquestDue, InquestReply))


@TABLE.on(QUIET, ASKING, event=InquestWanted)
def gather(r: Inquest, e: InquestWanted, here: Here) -> tuple[Inquest, Out]:
    """All that follows from one death is one question: it is put when all of it has been gathered.

    An open question does not answer what comes to light while it is open.
    """
    pair = e.object, e.party
    if pair in r.following:
        return r, ()
    due = (InquestDue(),) if r.state is QUIET and not r.following else ()
    return replace(r, following=r.following.set(pair, True)), due


@TABLE.on(QUIET, event=InquestDue, to=(ASKING,))
def ask(r: Inquest, e: InquestDue, here: Here) -> tuple[Inquest, Out]:
    """The question goes the way of the news: up to the head node and down again, behind every death known here."""
    attempt, pairs = here.mint(), sorted(r.following)
    now, later = dict.fromkeys(pairs[:PAIRS_MAX], True), dict.fromkeys(pairs[PAIRS_MAX:], True)
    r = Inquest(ASKING, attempt, Map(now), Map(later))
    objects = tuple(dict.fromkeys([object for object, _ in now]))
    return r, (Send(here.node, InquestQuery((here.me, attempt), objects)),)


TABLE.never(ASKING, event=InquestDue, why="it comes once, before the question")


@TABLE.on(ASKING, event=InquestReply, to=(QUIET,))
def conclude(r: Inquest, e: InquestReply, here: Here) -> tuple[Inquest | None, Out]:
    """Those who were found are borrowers from now on; only then the dead are let go."""
    found = [Lent(object, (holder,)) for object, holder in e.found]
    over = [InquestOver(object, party) for object, party in sorted(r.pairs) if (object, party) not in r.following]
    if not r.following:
        return None, (*found, *over)
    return Inquest(following=r.following), (*found, *over, InquestDue())
