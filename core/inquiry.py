"""The inquiry table: nodes put an owner's question to every live process, and gather the answers.

One record for each question.  The head node asks the other nodes, and every node its own workers, on the same channels
on which it tells them of deaths: a question comes behind the news of every death that its asker knew.  It is put
twice.  First all say that they have come so far, and from then on nobody hears a dead process any more; what a
live one does is counted by somebody who lives.  Then they are asked which of the objects they hold.  A death
meanwhile begins all anew: who died may have been the only one to know of another.

Refuses to know what the question is for.
"""

from __future__ import annotations

import msgspec

from freehold.core.effects import Send
from freehold.core.ids import HEAD
from freehold.core.inquest_events import HoldersAsked, HoldersWanted, WitnessDied
from freehold.core.machine import Here, Out, State, Table, replace
from freehold.core.messages import HoldersQuery, HoldersReply, InquestQuery, InquestReply
from freehold.core.values import InquestKey


class Hearing(State):
    """How far a question is."""

    CLOSED = "nothing is asked"
    CONVENING = "the head node waits until all have heard of the deaths before the question", HoldersReply, WitnessDied
    HEARING = "all are being asked which of the objects they hold", HoldersReply, WitnessDied


CLOSED, CONVENING, HEARING = Hearing


class Inquiry(msgspec.Struct, frozen=True, gc=False):
    """One question, as a node knows it."""

    inquest: InquestKey
    state: Hearing = CLOSED
    objects: tuple[int, ...] = ()
    asked: int = 0  # not at the head node: the attempt to answer
    attempt: int = 0  # of our own question
    waiting: frozenset[int] = frozenset()  # who has not answered
    found: tuple[tuple[int, int], ...] = ()  # objects, each with one that holds it; sorted
    anew: bool = False  # head node: somebody has died since it began


TABLE = Table("inquiry", Hearing, (InquestQuery, HoldersAsked, HoldersReply, WitnessDied))


@TABLE.on(CLOSED, event=InquestQuery, to=(CONVENING,))
def convene(r: Inquiry, e: InquestQuery, here: Here) -> tuple[Inquiry | None, Out]:
    """Owners' questions go up to the head node."""
    if here.me != HEAD:
        return None, (Send(HEAD, e),)
    return replace(r, state=CONVENING, objects=e.objects), (HoldersWanted(r.inquest, ()),)


TABLE.never(CONVENING, HEARING, event=InquestQuery, why="an owner asks each question once")


@TABLE.on(
    CLOSED,
    CONVENING,
    HEARING,
    event=HoldersAsked,
    to={CLOSED: (HEARING,), CONVENING: (HEARING,), HEARING: (CLOSED, CONVENING)},
)
def ask_all(r: Inquiry, e: HoldersAsked, here: Here) -> tuple[Inquiry | None, Out]:
    """Everybody below is asked; a node without workers has its answer at once."""
    state, attempt = HEARING if r.state is CLOSED else r.state, here.mint()
    r = replace(r, state=state, asked=e.asked, attempt=attempt, waiting=frozenset(e.parties), found=())
    asked = tuple([Send(party, HoldersQuery(r.inquest, attempt, e.objects)) for party in e.parties])
    after, out = heard(r, here)
    return after, asked + out


def heard(r: Inquiry, here: Here) -> tuple[Inquiry | None, Out]:
    """Go on when everybody has answered."""
    if r.waiting:
        return r, ()
    if here.me != HEAD:
        return None, (Send(HEAD, HoldersReply(r.inquest, r.asked, here.me, r.found)),)
    if r.anew:
        return replace(r, state=CONVENING, anew=False), (HoldersWanted(r.inquest, ()),)
    if r.state is CONVENING:
        return replace(r, state=HEARING), (HoldersWanted(r.inquest, r.objects),)
    owner, attempt = r.inquest
    return None, (Send(owner, InquestReply(attempt, r.found)),)


@TABLE.on(CONVENING, HEARING, event=HoldersReply, to={CONVENING: (HEARING,), HEARING: (CLOSED, CONVENING)})
def gather(r: Inquiry, e: HoldersReply, here: Here) -> tuple[Inquiry | None, Out]:
    """One has answered."""
    found = tuple(sorted({*r.found, *e.found}))  # whoever was first
    return heard(replace(r, waiting=r.waiting - {e.party}, found=found), here)


TABLE.never(CLOSED, event=HoldersReply, why="it was asked for")


@TABLE.on(CONVENING, HEARING, event=WitnessDied, to={HEARING: (CLOSED, CONVENING)})
def begin_anew(r: Inquiry, e: WitnessDied, here: Here) -> tuple[Inquiry | None, Out]:
    """The dead do not answer; what they knew has to be found out from the others."""
    return heard(replace(r, waiting=r.waiting - {e.party}, anew=True), here)


TABLE.never(CLOSED, event=WitnessDied, why="a question is open")
