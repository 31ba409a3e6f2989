"""Other rules in place of the true ones: errors that others have made, and mended, in a real system.

Each is a few lines that stand in for some rows of the tables; the search must find what is wrong with it, in the
models and within the bounds in which nothing is wrong with the true rules.  They are like what others had in what goes
wrong, not line by line: the true rules here are not theirs, either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from freehold.core import borrowing, dependencies, execution, resolution
from freehold.core.effects import Send
from freehold.core.events import ArgumentAdded, ArgumentDone, ArgumentKept, Pinned
from freehold.core.ids import owner_of
from freehold.core.machine import Handler, Out, replace, unchanged
from freehold.core.messages import ReleaseReply
from freehold.core.ownership import OWNED, UNHELD, let_go
from freehold.core.policies import DEFAULT, Policy
from freehold.core.tables import TABLES
from freehold.specs.instead import instead
from freehold.specs.records import of_workers

Step = tuple[Any, Out]
COUNTS = (of_workers.counts_agree,)  # what is checked of each party: other rules write other things down


class Variant(NamedTuple):
    """A rule in place of others."""

    what: str  # it does
    source: str  # where that was found to be wrong
    policy: Policy = DEFAULT
    true: tuple[Handler, ...] = ()  # the handlers in place of which it runs
    run: Handler = unchanged


VARIANTS: dict[str, Variant] = {
    "ray18456": Variant(
        "A borrower that dies is forgotten, and with it those to whom it had lent the object.",
        "ray#18456; reference_counter.cc, WaitForRefRemoved, whose callback takes a death for an empty report",
        Policy(borrower_death="ray"),
    )
}


def variant(name: str, source: str, *true: Handler) -> Callable[[Handler], Handler]:
    """Declare the decorated handler as a variant of some handlers."""

    def declare(run: Handler) -> Handler:
        VARIANTS[name] = Variant((run.__doc__ or "").strip(), source, DEFAULT, true, run)
        return run

    return declare


@contextmanager
def played(name: str) -> Iterator[Policy]:
    """Let all parties of this process play by a variant; those that are made meanwhile are to have its policy."""
    what = VARIANTS[name]
    cells = [cell for table in TABLES for cell, row in table.rows.items() if row.run in what.true]
    with instead(dict.fromkeys(cells, what.run)):
        yield what.policy


# ------------------------------------------------------------------ borrowers


@variant("ray18751", "ray#18751; reference_counter.cc, AddBorrowedObject", borrowing.introduce)
def found_uncovered(r: Any, e: Any, here: Any) -> Step:
    """A value in which a reference was found is not kept until the owner of what is inside has heard of it."""
    after, out = borrowing.introduce(r, e, here)
    covers = () if after is None or after.state is OWNED else r.covers
    return replace(after, covers=covers), tuple([said for said in out if not isinstance(said, Pinned)])


@variant("ray18552", "ray#18552; reference_counter.cc, WaitForRefRemoved", borrowing.released)
def forgotten_first(r: Any, e: Any, here: Any) -> Step:
    """A borrower is forgotten before those are known to whom it has lent the object."""
    known = r.borrowers.get(e.borrower)
    if known is None or known.attempt != e.attempt:
        return r, ()
    after, out = let_go(replace(r, borrowers=r.borrowers.delete(e.borrower)), here)
    if after is None or after.state is UNHELD:
        return after, out
    after, asked = borrowing.ask(after, e.lent, here)
    return after, out + asked


@variant("ray18557", "ray#18557; reference_counter.cc, HandleRefRemoved", borrowing.register)
def answered_for_variables_only(r: Any, e: Any, here: Any) -> Step:
    """A borrower says that it has let go while a task there was still given the object, and may keep it."""
    if r.local:
        return borrowing.register(r, e, here)
    return r, (Send(owner_of(r.object), ReleaseReply(r.object, e.attempt, here.me, r.lent)),)


# ------------------------------------------------------------------ tasks


@variant("ray17553", "ray#17553; task_manager.cc, CompletePendingTask", execution.finish)
def arguments_first(r: Any, e: Any, here: Any) -> Step:
    """A task's arguments are let go before it is counted what its returns contain, and who keeps what."""
    after, out = execution.finish(r, e, here)
    return after, tuple(sorted(out, key=lambda said: not isinstance(said, ArgumentDone | ArgumentKept)))


@variant("ray17719", "ray#17719; dependency_resolver.cc, InlineDependencies", dependencies.fill)
def inlined_without_owners(r: Any, e: Any, here: Any) -> Step:
    """A value that goes into a task description takes along references that nobody counts."""
    after, out = dependencies.fill(r, e, here)
    fresh = {said.object for said in out if isinstance(said, ArgumentAdded)}
    if after is not None:
        after = replace(after, lent=tuple([object for object in after.lent if object not in fresh]))
    return after, tuple([said for said in out if not isinstance(said, ArgumentAdded)])


# ------------------------------------------------------------------ copies


@variant("ray63694", "ray#63694; object_directory and pull_manager.cc", resolution.share_fate)
def owner_missed(r: Any, e: Any, here: Any) -> Step:
    """Who waits for a value does not hear that its owner has died."""
    return r, ()


@variant(
    "ray54007",
    "ray#54007; dependency_manager.cc, CancelGetRequest, which names a worker and no thread",
    resolution.withdraw,
)
def all_withdrawn(r: Any, e: Any, here: Any) -> Step:
    """A thread that waits no more calls off what other threads of its process wait for."""
    return (None, resolution.stop(r, here)) if e.by in r.wanted else (r, ())
