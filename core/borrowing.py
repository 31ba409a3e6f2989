"""Borrowing: the rows of the ownership table about processes that hold what another owns, and about deaths.

The owner asks each borrower, once, to say when it holds the object no more; a borrower that found a reference inside
a value introduces itself, and keeps that value until the owner has asked.

A borrower that dies may have lent the object to somebody who could tell nobody else.  So it counts as one that lives
until an inquest has found out who holds the object; who is not the owner reports the dead like the living.

Refuses to know how references are counted within a process, and how an inquest is held.
"""

from __future__ import annotations

from freehold.core.effects import Send
from freehold.core.events import HolderDied, Lent, OwnerDied, Pinned, RefFound, Unpinned
from freehold.core.ids import owner_of
from freehold.core.inquest_events import BorrowerLost, HoldingAsked, HoldingTold, InquestOver, InquestWanted
from freehold.core.machine import Here, Out, replace
from freehold.core.messages import BorrowNotice, ReleaseQuery, ReleaseReply
from freehold.core.ownership import (
    ASKED,
    BEREAVED,
    BORROWED,
    INTRODUCING,
    LINGERING,
    ORPHANED,
    OWNED,
    REGISTERED,
    TABLE,
    UNHELD,
    Asked,
    Ownership,
    let_go,
)

# ------------------------------------------------------------------ borrowers, at the owner


def ask(r: Ownership, workers: tuple[int, ...], here: Here) -> tuple[Ownership, Out]:
    """Add borrowers, each with one open question.  One reported again may have answered already: it is asked again."""
    borrowers, out = r.borrowers, []
    for worker in workers:
        if worker == here.me:
            continue
        open_question = borrowers.get(worker)
        if open_question is None:
            attempt = here.mint()
            borrowers = borrowers.set(worker, Asked(attempt))
            out.append(Send(worker, ReleaseQuery(r.object, attempt)))
        elif not open_question.again:
            borrowers = borrowers.set(worker, Asked(open_question.attempt, True))
    return replace(r, borrowers=borrowers), tuple(out)


@TABLE.on(OWNED, event=Lent)
def add_borrowers(r: Ownership, e: Lent, here: Here) -> tuple[Ownership, Out]:
    """Every borrower is asked, once, to say when it holds the object no more."""
    return ask(r, e.workers, here)


@TABLE.on(UNHELD, event=Lent)
def too_late(r: Ownership, e: Lent, here: Here) -> tuple[Ownership, Out]:
    """A borrower of an object that is gone is asked all the same: it waits for the question."""
    if owner_of(r.object) != here.me:
        return r, ()
    return r, tuple([Send(worker, ReleaseQuery(r.object, here.mint())) for worker in e.workers if worker != here.me])


@TABLE.on(BORROWED, INTRODUCING, REGISTERED, LINGERING, event=Lent)
def remember_lent(r: Ownership, e: Lent, here: Here) -> tuple[Ownership, Out]:
    """A borrower passes on whom it lent to, with its own report."""
    known = {*r.lent, *e.workers} - {here.me, owner_of(r.object)}
    return replace(r, lent=tuple(sorted(known))), ()


TABLE.ignore(ORPHANED, event=Lent, why="nobody is left to tell")


@TABLE.on(OWNED, event=ReleaseReply, to=(UNHELD,))
def released(r: Ownership, e: ReleaseReply, here: Here) -> tuple[Ownership | None, Out]:
    """Add those it lent to, and only then forget the borrower."""
    open_question = r.borrowers.get(e.borrower)
    if open_question is None or open_question.attempt != e.attempt:
        return r, ()  # the answer of one whom we hold for dead
    r = replace(r, borrowers=r.borrowers.delete(e.borrower))
    r, asked = ask(r, (*e.lent, e.borrower) if open_question.again else e.lent, here)
    after, out = let_go(r, here)
    return after, asked + out


TABLE.ignore(UNHELD, event=ReleaseReply, why="the object is gone; the question was asked for politeness")
TABLE.never(BORROWED, INTRODUCING, REGISTERED, LINGERING, ORPHANED, event=ReleaseReply, why="only an owner asks")

# ------------------------------------------------------------------ the owner's question, at a borrower


@TABLE.on(UNHELD, event=ReleaseQuery)
def answer_at_once(r: Ownership, e: ReleaseQuery, here: Here) -> tuple[Ownership, Out]:
    """Nothing here holds it, or not any more."""
    return r, (Send(owner_of(r.object), ReleaseReply(r.object, e.attempt, here.me)),)


@TABLE.on(BORROWED, REGISTERED, INTRODUCING, LINGERING, event=ReleaseQuery, to=ASKED)
def register(r: Ownership, e: ReleaseQuery, here: Here) -> tuple[Ownership | None, Out]:
    """The owner knows of us.  What was pinned to keep the object alive until now may go."""
    uncovered = tuple([Unpinned(cover) for cover in r.covers])
    after, out = let_go(replace(r, state=REGISTERED, asked=e.attempt, covers=()), here)
    return after, out + uncovered


TABLE.never(OWNED, event=ReleaseQuery, why="an owner does not ask itself")
TABLE.ignore(ORPHANED, event=ReleaseQuery, why="its sender is dead")


@TABLE.on(
    UNHELD,
    BORROWED,
    LINGERING,
    event=RefFound,
    to={**dict.fromkeys((BORROWED, LINGERING), (INTRODUCING,)), UNHELD: (INTRODUCING, OWNED)},
)
def introduce(r: Ownership, e: RefFound, here: Here) -> tuple[Ownership | None, Out]:
    """Tell the owner directly, and keep the value in which the reference was found until it has asked."""
    if owner_of(r.object) == here.me:
        return replace(r, state=OWNED, local=True), ()
    after = replace(r, state=INTRODUCING, local=True, covers=(*r.covers, e.outer))
    return after, (Pinned(e.outer), Send(owner_of(r.object), BorrowNotice((r.object,), here.me)))


@TABLE.on(OWNED, INTRODUCING, REGISTERED, ORPHANED, event=RefFound)
def known_already(r: Ownership, e: RefFound, here: Here) -> tuple[Ownership, Out]:
    """The owner knows of us, or is being told."""
    return replace(r, local=True), ()


# ------------------------------------------------------------------ deaths


@TABLE.on(OWNED, event=HolderDied, to=(UNHELD,))
def borrower_died(r: Ownership, e: HolderDied, here: Here) -> tuple[Ownership | None, Out]:
    """Whom it had lent the object to is found out before it is forgotten (rule 3.7; Ray forgets it at once)."""
    asked = r.borrowers.get(e.party)
    if asked is None:
        return r, ()
    if here.policy.borrower_death == "ray":
        return forget_borrower(r, InquestOver(r.object, e.party), here)
    if not asked.attempt:
        return r, ()  # that is being found out
    return replace(r, borrowers=r.borrowers.set(e.party, Asked(0))), inquire(r, e.party)


def inquire(r: Ownership, party: int) -> Out:
    """Whoever could read the value can have taken out what is inside, and have lent it on before its owner knew."""
    return (InquestWanted(r.object, party), *[BorrowerLost(ref, party) for ref in r.refs])


@TABLE.on(OWNED, event=InquestOver, to=(UNHELD,))
def forget_borrower(r: Ownership, e: InquestOver, here: Here) -> tuple[Ownership | None, Out]:
    """Whoever holds the object is known by now, but for what was reported meanwhile: that is looked into once more."""
    known = r.borrowers.get(e.party)
    if known is None:
        return r, ()
    if known.again and here.policy.borrower_death != "ray":
        borrowers = r.borrowers.set(e.party, Asked(known.attempt))
        return replace(r, borrowers=borrowers), (InquestWanted(r.object, e.party),)
    return let_go(replace(r, borrowers=r.borrowers.delete(e.party)), here)


TABLE.ignore(UNHELD, event=InquestOver, why="another inquest had come to the same end")
TABLE.never(BORROWED, INTRODUCING, REGISTERED, LINGERING, ORPHANED, event=InquestOver, why="only an owner asks")


@TABLE.on(OWNED, event=BorrowerLost)
def may_have_held(r: Ownership, e: BorrowerLost, here: Here) -> tuple[Ownership, Out]:
    """It would have reported to us, or was about to introduce itself: a borrower of whom we have not heard."""
    if here.policy.borrower_death == "ray":
        return r, ()
    if e.party in r.borrowers:  # what is inside has been looked into, or will be; it may be inside in many ways
        return r, (InquestWanted(r.object, e.party),)
    return replace(r, borrowers=r.borrowers.set(e.party, Asked(0))), inquire(r, e.party)


@TABLE.on(BORROWED, INTRODUCING, REGISTERED, event=BorrowerLost)
def remember_lost(r: Ownership, e: BorrowerLost, here: Here) -> tuple[Ownership, Out]:
    """The owner must hear of it from us, in time."""
    return (r, ()) if here.policy.borrower_death == "ray" else remember_lent(r, Lent(r.object, (e.party,)), here)


TABLE.ignore(ORPHANED, event=BorrowerLost, why="nobody is left to tell")
TABLE.never(UNHELD, LINGERING, event=BorrowerLost, why="the task that carried it, or the value it is in, still counts")


@TABLE.on(BORROWED, INTRODUCING, REGISTERED, LINGERING, event=HolderDied, to={LINGERING: (UNHELD,)})
def lent_to_the_dead(r: Ownership, e: HolderDied, here: Here) -> tuple[Ownership | None, Out]:
    """The dead are reported like the living: they may have lent it on (Ray: they need not be)."""
    if here.policy.borrower_death != "ray":
        return r, ()
    after = replace(r, lent=tuple([worker for worker in r.lent if worker != e.party]))
    return (None, ()) if r.state is LINGERING and not after.lent else (after, ())


TABLE.ignore(UNHELD, ORPHANED, event=HolderDied, why="it is nobody's borrower here")


@TABLE.on(BORROWED, INTRODUCING, LINGERING, event=HoldingAsked)
def testify(r: Ownership, e: HoldingAsked, here: Here) -> tuple[Ownership, Out]:
    """It is held here, or was and is still to be reported; the owner may hear of us in no other way."""
    return replace(r, vouched=True), (HoldingTold(e.inquest, r.object, True),)


@TABLE.on(UNHELD, OWNED, REGISTERED, ORPHANED, event=HoldingAsked)
def nothing_to_tell(r: Ownership, e: HoldingAsked, here: Here) -> tuple[Ownership, Out]:
    """It is not held here, or its owner knows."""
    return r, (HoldingTold(e.inquest, r.object, False),)


@TABLE.on(BORROWED, INTRODUCING, REGISTERED, LINGERING, event=OwnerDied, to=BEREAVED)
def share_fate(r: Ownership, e: OwnerDied, here: Here) -> tuple[Ownership | None, Out]:
    """Without its owner a reference means nothing; it is kept only for user code to drop."""
    uncovered = tuple([Unpinned(cover) for cover in r.covers])
    after, out = let_go(replace(r, state=ORPHANED, lent=(), covers=()), here)
    return after, out + uncovered


TABLE.ignore(UNHELD, ORPHANED, event=OwnerDied, why="nothing here expects word from it")
TABLE.never(OWNED, event=OwnerDied, why="we live")
