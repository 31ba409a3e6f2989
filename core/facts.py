"""Facts: what one party can say of an object, and the account that it gives of several.

This file refuses to know where a fact is found, and how it is put into words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

REFERENCES = {  # kind of reference -> the field of the ownership record that counts it
    "local": "local",  # user code has it
    "argument": "arguments",  # a task that is not over carries it
    "lineage": "lineage",  # a task that is over carries it, and may run again
    "container": "containers",  # an object whose value contains it
    "pin": "pins",  # a task that runs was lent it
    "returning": "pins",  # it is inside the returns of a task, on their way
    "introduction": "pins",  # a reference found inside the value is being introduced to its owner
    "outlived": "pins",  # it is inside a value that can be read here, and whose owner is dead
    "exported": "exported",  # it was written down outside freehold
    "borrower": "borrowers",  # another process holds it; ``text``: or did when it died
}
KINDS = {  # every kind of fact; ``party`` says it, ``object`` is the object or task that it is said of
    **dict.fromkeys(REFERENCES, "a reference; ``by``: the task, object or process that it is part of"),
    "lent": "a borrower has passed it on to ``by``, and the owner has not been told yet",
    "orphaned": "it is held here, and its owner ``by`` is dead",
    "dead": "its owner ``by`` is dead, as is known here",
    "value": "where its value is: ``text`` is a state of promotion, ``others`` are the locations",
    "of task": "it is a further result of the task ``by``",
    "failed": "no get can succeed; ``text``: the cause, ``by``: who died or raised",
    "call": "a thread of the task ``by`` (0: of the program) waits for it, and for ``count`` objects in all",
    "awaits": "the task awaits its argument ``by``",
    "queued": "the task waits for a worker, ``count`` others before it",
    "wants": "what the task asks for, and how many nodes have been asked",
    "asked": "node ``by`` has been asked for a worker: not answered, busy or full",
    "leased": "worker ``by`` is lent to us, with ``count`` tasks of ours, of which ``others`` are the first",
    "sent": "worker ``by`` has the task",
    "fetches": "the task has come to its worker, and its argument ``by`` is being fetched",
    "in line": "the task waits at its worker for the task ``by`` to end",
    "runs": "the task runs here for its caller ``by``",
    "blocked": "the task waits for ``by`` in a get or wait of its own",
    "places": "the task has returned, and its result ``by`` goes into the object store",
    "reports": "the task has returned, and its reply is under way",
    "occupied": "the task has this worker's thread: it runs, or waits",
    "reserves": "node ``by`` has been asked for room",
    "writes": "its bytes are being written into the store of node ``by``",
    "asks": "its owner ``by`` has been asked where it is",
    "pulls": "a copy is being fetched from node ``by``; ``others`` come next",
    "retries": "no location (``others``) had it, ``count`` times; the owner is asked again when it is ``due``",
    "hold": "this process may read the copy of its node ``by``",
    "view": "user code of this process has ``count`` zero-copy views",
    "copy": "what this node's object store has of it: ``text`` is a state of the copy table",
    "held": "``by`` may read this node's copy; ``count`` grants",
    "transfer": "``count`` of ``nbytes`` have come from node ``by``",
    "room": "this node has no room for ``nbytes``; ``count`` others are before it",
    "store": "this node's object store has ``nbytes`` in use, of ``count``",
    "fills": "``by`` is among the largest in the store",
    "office": "workers that are idle here, and resources that are free",
    "loan": "worker ``by`` of this node is lent to ``others``",
}
LIKE_FACTS_MAX = 20  # of one kind about one object from one party; the others are counted in one more


class Fact(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One thing that one party knows.  Names are integers: ``freehold.core.ids`` puts them into words."""

    kind: str  # what is said, one of KINDS
    party: int  # who says so
    object: int  # the object, or the task, it is said of
    by: int = 0  # the object, task or party at the other end
    count: int = 1  # references, or whatever the kind counts
    nbytes: int = 0
    at: float = -1.0  # since when, in seconds on the cluster's clock; negative: no matter
    exact: bool = True  # else since then at the latest: the ring reaches back no further
    due: float = -1.0  # when it will be tried again
    others: tuple[int, ...] = ()  # further objects, tasks or parties
    text: str = ""  # a name, or a state


class Account(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What one process answers when it is asked about objects."""

    party: int
    pid: int  # 0 for a party that shares its process with others
    at: float  # when
    facts: tuple[Fact, ...]
    leads: tuple[int, ...]  # objects and tasks that others may know more of
    sites: tuple[tuple[int, str, str], ...] = ()  # (object, where its reference was made here, the task called there)

    def names(self) -> set[int]:
        """Return the names of objects, tasks and parties that occur in the facts."""
        return {name for fact in self.facts for name in (fact.object, fact.by, *fact.others)}


def leads_of(fact: Fact) -> tuple[int, ...]:
    """Return the objects or tasks for which a fact says that another waits."""
    return (fact.by, *fact.others) if fact.kind in LEADING else ()


LEADING = ("of task", "awaits", "blocked", "fetches", "places")


def bounded(facts: Iterable[Fact]) -> Iterator[Fact]:
    """Yield facts, but of many that are alike one that counts the rest."""
    seen: dict[tuple[str, int], list[Fact]] = {}
    for fact in facts:
        alike = seen.setdefault((fact.kind, fact.object), [])
        alike.append(fact)
    for (kind, object), alike in seen.items():
        yield from alike[:LIKE_FACTS_MAX]
        if rest := alike[LIKE_FACTS_MAX:]:
            yield Fact(kind, rest[0].party, object, 0, sum(fact.count for fact in rest))
