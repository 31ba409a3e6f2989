"""The page that ``explain`` shows, and the line that a long wait shows: facts in words, and nothing but words.

Facts come from ``account.py``.  Here is decided which of them matter, in which order they are read, and how many fit
on a screen; nobody is asked, and nothing is looked up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from freehold.core.facts import REFERENCES, Account, Fact
from freehold.core.grips import Grip
from freehold.core.ids import HEAD, is_node, node_index, object_name, owner_of, party_name, worker_id

LINES_MAX = 12  # of one kind on a page
DEPTH_MAX = 12  # of a chain of waits
PROGRAM = worker_id(HEAD, 1)
STEPS = (  # of the way to a value, in the order in which they are told
    *("failed", "awaits", "queued", "sent", "fetches", "in line", "runs", "blocked", "places", "reports"),
    *("reserves", "writes", "asks", "pulls", "retries", "room", "transfer"),
)
STATES = {
    "PENDING": "no value yet",
    "INLINE": "in the in-process store of its owner",
    "RESERVING": "on its way into an object store",
    "WRITING": "on its way into an object store",
    "DISCARDING": "released while it is written",
    "PLACED": "in the object store",
    "RELEASED": "gone; its task can compute it again",
    "FAILED": "failed",
}
COPIES = {
    "RESERVING": "has been asked for room for a copy",
    "WRITING": "has room for a copy that is being written",
    "PULLING": "fetches a copy",
    "PRIMARY": "has the primary copy",
    "SECONDARY": "has a copy that may go when nobody holds it",
    "RETIRING": "keeps the bytes of a copy that is released",
}
CALLS = {"get": "a get", "wait": "a wait", "look": "a wait"}
CAUSES = {
    "task": "its task raised an error, which get raises again",
    "crashed": "the worker that ran its task died",
    "owner_died": "its owner is dead",
    "not_rebuilt": "its last copy was lost, and its task cannot run again",
    "released": "it was freed",
    "cancelled": "its task was cancelled",
    "unschedulable": "no node can run its task",
    "full": "there was no room for it",
}
ADVICE = {
    "view": "it is read-only: change a copy, `view.copy()`, or get one with freehold.get(ref, writable=True)",
    "owner_died": "create an object in a process that outlives its users",
}


class Words:
    """Facts of all processes about one object, by what they are about.

    Args:
        me: the process that asks.
        accounts: what the processes have answered.
        object: the object.
        silent: processes that have not answered.
        made: where the reference was made here, and by the call of which task; "" if that is not known.
        brief: names are as short as can be.
    """

    def __init__(
        self,
        me: int,
        accounts: Sequence[Account],
        object: int,
        silent: Sequence[int] = (),
        made: tuple[str, str] = ("", ""),
        *,
        brief: bool = False,
    ) -> None:
        self.brief = brief
        self.me = me
        self.object = object
        self.object_name = object_name(object)
        self.silent = silent
        self.seen: dict[int, None] = {}  # what the chain of waits has come through
        self.now = {account.party: account.at for account in accounts}
        self.pids = {account.party: account.pid for account in accounts}
        self.sites = {name: (where, task) for account in accounts for name, where, task in account.sites}
        if any(made):
            self.sites[object] = made
        self.facts: dict[tuple[str, int], list[Fact]] = {}
        for account in accounts:
            for fact in account.facts:
                self.facts.setdefault((fact.kind, fact.object), []).append(fact)

    def of(self, kind: str, object: int = 0) -> list[Fact]:
        """Return the facts of a kind about an object, or about the one that is explained."""
        return self.facts.get((kind, object or self.object), [])

    # ------------------------------------------------------------------ the page

    def page(self, found: Sequence[Grip], complete: bool, *, viewed: bool = False) -> Iterator[str]:
        """Yield the lines of the page."""
        yield self.title(viewed)
        yield from (f"  {line}" for line in self.state())
        if not self.is_there():
            yield "why its value is not here"
            yield from (f"  {line}" for line in self.waiting())
        yield "why it is alive"
        lines = list(self.holders(self.owner, found, complete, set()))
        yield from (f"  {line}" for line in lines or ["nothing that has answered holds a reference to it"])
        yield from (f"  {line}" for line in self.copies())
        if self.silent:
            names = ", ".join(map(self.process, self.silent))
            yield f"did not answer, so what they know is missing here: {names}"

    @property
    def owner(self) -> int:
        """The process that answers for the object."""
        return owner_of(self.object)

    def title(self, viewed: bool) -> str:
        """Return the line that says what the object is."""
        site, task = self.sites.get(self.object, ("", ""))
        task = task or self.task_name(self.object)
        what = f"the result of {task}" if task else "an object"
        made = f", {'called' if task else 'made'} at {site}" if site else ""
        return f"{'a read-only view of ' if viewed else ''}{self.object_name}, {what}{made}"

    def state(self) -> Iterator[str]:
        """Yield where its value is, how large it is, and who owns it."""
        if self.of("dead") or self.of("orphaned"):
            yield f"its owner {self.process(self.owner)} is dead: {ADVICE['owner_died']}"
        else:
            yield f"owner: {self.process(self.owner)}"
        for fact in self.of("value"):
            if fact.party == self.owner:
                nodes = ", ".join(str(node_index(node)) for node in fact.others)
                where = f" of node{'s' * (len(fact.others) > 1)} {nodes}" if nodes else ""
                size = f", {fact.nbytes:,} B" if fact.nbytes else ""
                yield f"value: {STATES.get(fact.text, fact.text)}{where}{size}"
        if self.owner in self.silent:
            yield "value: not known, since the owner did not answer"
        views = [fact for fact in self.of("view") if fact.party == self.me]
        if views:
            yield f"note: {ADVICE['view']}"

    def is_there(self) -> bool:
        """Tell whether nothing has to happen before a get here returns the value."""
        here = [fact for fact in self.of("value") if fact.text == "INLINE" and fact.party == self.me]
        there = [fact for fact in self.of("value") if fact.text in ("INLINE", "PLACED")]
        coming = [fact for kind in STEPS for fact in self.of(kind) if fact.party == self.me]
        return bool(here or self.of("hold") or there) and not (coming or self.of("call"))

    # ------------------------------------------------------------------ why it is not there

    def waiting(self) -> Iterator[str]:
        """Yield who waits, then the chain of what is waited for."""
        for fact in self.of("call")[:LINES_MAX]:
            of = f" of {fact.count} objects" if fact.count > 1 else ""
            yield f"{CALLS[fact.text]}{of} in {self.task_of(fact)} has waited for it {self.for_time(fact)}"
        yield from self.chain(self.object, 0)

    def task_of(self, fact: Fact) -> str:
        """Return the task, or the process, whose thread waits."""
        return self.task(fact.by) if fact.by else self.process(fact.party)

    def chain(self, object: int, depth: int) -> Iterator[str]:
        """Yield what is known of the way to one object's value, and of the first that it waits for in turn."""
        if object in self.seen or depth > DEPTH_MAX:
            yield f"{self.named(object)} is waited for already, above"
            return
        self.seen[object] = None
        found = [fact for kind in STEPS for fact in self.of(kind, object)]
        for fact in self.of("of task", object):
            if fact.by != object:
                found = [fact, *found]
        if not found and object != self.object:
            yield f"nothing that has answered knows why {self.named(object)} is not there"
        leads = []
        for fact in found:
            line = SAYINGS[fact.kind](self, fact) if fact.kind in SAYINGS else ""
            if line:
                yield line
            yield from (f"  {line}" for line in self.details(fact))
            if fact.kind in ("awaits", "fetches", "blocked", "places", "of task") and fact.by != object:
                leads.append(fact.by)
        if leads:
            yield from (f"  {line}" for line in self.chain(leads[0], depth + 1))

    def details(self, fact: Fact) -> Iterator[str]:
        """Yield what belongs to a step: who has the workers, who fills the store."""
        if fact.kind == "queued":
            yield from self.workers(fact.object)
        if fact.kind == "room":
            for store in self.of("store", fact.object):
                yield f"{self.process(store.party)}: {store.nbytes:,} B of {store.count:,} B are used; the largest are"
            for other in self.of("fills", fact.object):
                yield f"  {self.named(other.by)}, {other.nbytes:,} B"

    def workers(self, task: int) -> Iterator[str]:
        """Yield which nodes were asked for a worker, and what keeps the workers."""
        nodes = self.of("asked", task)
        for wants in self.of("wants", task):
            if not wants.count:
                yield f"no node was asked: of those known none has {wants.text}"
        for fact in nodes:
            yield f"{self.process(fact.by)} was asked for a worker with {self.wants(task)}: {NODES[fact.text]}"
        told: set[int] = set()
        for fact in self.of("loan", task):
            told.add(fact.by)
            yield f"  {self.process(fact.by)} is lent to {self.process(fact.others[0])}: {self.doing(fact.by)}"
        for fact in self.of("leased", task):
            if fact.by not in told:
                yield f"{self.process(fact.by)} is lent to {self.process(fact.party)}: {self.doing(fact.by)}"

    def wants(self, task: int) -> str:
        """Return the resources that a task asks for."""
        return next((fact.text for fact in self.of("wants", task)), "no resources")

    def doing(self, worker: int) -> str:
        """Return what a worker does now."""
        for (kind, _), facts in self.facts.items():
            for fact in facts if kind == "occupied" else ():
                if fact.party == worker:
                    what, _, name = fact.text.partition(" ")
                    circle = fact.object in self.seen and what == "waits"
                    end = ", for what is explained here: they wait for each other" if circle else ""
                    return f"{self.task(fact.object, name)} {what} there {self.for_time(fact)}{end}"
        if worker in self.silent:
            return "it did not answer"
        tasks = [task for (kind, _), facts in self.facts.items() if kind == "leased" for task in had_by(facts, worker)]
        return f"it has {self.task(tasks[0])}, which has not begun" if tasks else "it runs nothing now"

    # ------------------------------------------------------------------ why it is alive

    def holders(
        self, party: int, found: Sequence[Grip], complete: bool, seen: set[int], at_home: bool = True
    ) -> Iterator[str]:
        """Yield the references that a process has, then those of the borrowers that it knows of."""
        seen.add(party)
        facts = [fact for kind in REFERENCES for fact in self.of(kind) if fact.party == party]
        mine = [fact for fact in facts if fact.kind != "borrower"]
        if mine:
            yield f"{self.process(party)}{' borrows it, and' if party != self.owner else ''} has"
            for fact in mine[:LINES_MAX]:
                yield f"  {HELD[fact.kind](self, fact)}"
                if fact.kind == "local" and party == self.me:
                    yield from (f"    {line}" for line in self.python(found, complete))
            if mine[LINES_MAX:]:
                yield f"  and {sum(fact.count for fact in mine[LINES_MAX:])} more"
        for fact in facts:
            if fact.kind == "borrower" and fact.by not in seen:
                yield from self.borrower(fact, found, complete, seen)
        if at_home:
            others = [fact.party for kind in REFERENCES for fact in self.of(kind)]
            for other in dict.fromkeys(others):
                if other not in seen:
                    yield from self.holders(other, found, complete, seen, at_home=False)

    def borrower(self, fact: Fact, found: Sequence[Grip], complete: bool, seen: set[int]) -> Iterator[str]:
        """Yield one borrower, with its own references."""
        if not fact.by:
            yield f"and {fact.count} more borrowers"
            return
        lines = list(self.holders(fact.by, found, complete, seen, at_home=False))
        why = "it did not answer" if fact.by in self.silent else "it has let go, and its word is on the way"
        if fact.text:
            why = "it is dead, and every process is asked whether it has passed the reference on"
        yield from lines or [f"{self.process(fact.by)} borrows it: {why}"]

    def python(self, found: Sequence[Grip], complete: bool) -> Iterator[str]:
        """Yield where Python code of this process holds the reference."""
        yield from map(str, found)
        if not complete:
            yield "there may be more: the search was cut short"
        elif not found:
            yield "no variable of this process leads to it: it may be on its way to one, or inside an extension"

    def copies(self) -> Iterator[str]:
        """Yield who keeps the bytes of copies in place: the holds of workers, and their views."""
        for copy in self.of("copy"):
            yield f"{self.process(copy.party)} {COPIES[copy.text]}, {copy.nbytes:,} B"
            for held in self.of("held"):
                if held.party == copy.party:
                    views = sum(fact.count for fact in self.of("view") if fact.party == held.by)
                    if is_node(held.by):
                        yield f"  it is being sent to {self.process(held.by)}"
                        continue
                    why = f"{views} zero-copy view{'s' * (views > 1)}" if views else "a hold, kept in case: no view"
                    yield f"  held by {self.process(held.by)}: {why}"

    # ------------------------------------------------------------------ names and times

    def process(self, party: int) -> str:
        """Return a process's name and role."""
        if not party:
            return "nobody"
        if is_node(party):
            return f"node {node_index(party)}"
        if self.brief:
            return party_name(party)
        me = ", this process" if party == self.me and party != PROGRAM else ""
        pid = f", pid {self.pids[party]}" if self.pids.get(party) and party != self.me else ""
        role = "the program" if party == PROGRAM else f"a worker of node {node_index(party)}"
        return f"{party_name(party)} ({role}{me}{pid})"

    def named(self, object: int) -> str:
        """Return an object's name, with what is known of it."""
        site, task = self.sites.get(object, ("", ""))
        task = task or self.task_name(object)
        what = ", ".join([word for word in (f"of {task}" if task else "", "" if self.brief else site) if word])
        return f"{object_name(object)} ({what})" if what else object_name(object)

    def task_name(self, task: int) -> str:
        """Return the name of a task, as far as a fact gives it."""
        found = [fact.text for kind in ("runs", "sent", "queued", "awaits") for fact in self.of(kind, task)]
        return found[0] if found else ""

    def task(self, task: int, name: str = "") -> str:
        """Return a task's name, the one of its first result, and where it was called."""
        site, known = self.sites.get(task, ("", ""))
        name = name or known or self.task_name(task)
        if self.brief:
            return name or object_name(task)
        return f"{name or 'a task'} ({', '.join([object_name(task), *([site] if site else [])])})"

    def for_time(self, fact: Fact) -> str:
        """Return for how long something has been so."""
        if fact.at < 0:
            return "for an unknown time"
        seconds = max(0.0, self.now.get(fact.party, fact.at) - fact.at)
        return f"for {seconds:.1f} s" if fact.exact else f"for over {seconds:.1f} s (older steps have rolled off)"

    @staticmethod
    def several(fact: Fact, one: str) -> str:
        """Return a reference in words, or how many like it there are."""
        return one if fact.by else f"{fact.count} more of the kind: {fact.kind}"

    def line(self) -> str:
        """Return why the value is not there, in one line: the first and the last step that is known."""
        lines = [line.strip() for line in self.chain(self.object, 0)]
        return "; ".join(dict.fromkeys([*lines[:1], *lines[-1:]])) or "nothing is known of it here"


def had_by(facts: Sequence[Fact], worker: int) -> list[int]:
    """Return the tasks that a worker has been sent, by facts of leases."""
    return [task for fact in facts if fact.by == worker for task in fact.others]


NODES = {"asked": "it has not answered", "busy": "it has none free", "full": "it can start no more"}
Saying = Callable[[Words, Fact], str]
SAYINGS: dict[str, Saying] = {
    "failed": lambda w, f: f"it failed: {CAUSES.get(f.text, f.text)}",
    "of task": lambda w, f: f"it is a result of {w.task(f.by)}",
    "awaits": lambda w, f: f"its task {w.task(f.object, f.text)} awaits its argument {w.named(f.by)} {w.for_time(f)}",
    "queued": lambda w, f: (
        f"its task {w.task(f.object, f.text)} is in the queue of {w.process(f.party)} {w.for_time(f)}, "
        f"{f.count or 'nothing'} before it"
    ),
    "sent": lambda w, f: (
        f"its task {w.task(f.object, f.text)} was sent to {w.process(f.by)}, which has had it {w.for_time(f)}"
    ),
    "fetches": lambda w, f: f"there it fetches its argument {w.named(f.by)} {w.for_time(f)}",
    "in line": lambda w, f: f"there it is in line behind {w.task(f.by)} {w.for_time(f)}",
    "runs": lambda w, f: f"there it has run {w.for_time(f)}",
    "blocked": lambda w, f: f"it waits for {w.named(f.by)} itself",
    "places": lambda w, f: f"it has returned, and {w.named(f.by)} is being placed in the object store",
    "reports": lambda w, f: f"it has returned, and its reply is on the way {w.for_time(f)}",
    "reserves": lambda w, f: (
        f"{w.process(f.party)} has asked {w.process(f.by)} for room for {f.nbytes:,} B {w.for_time(f)}"
    ),
    "writes": lambda w, f: f"{w.process(f.party)} writes its {f.nbytes:,} B {w.for_time(f)}",
    "asks": lambda w, f: f"{w.process(f.party)} has asked its owner {w.process(f.by)} where it is {w.for_time(f)}",
    "pulls": lambda w, f: (
        f"{w.process(f.party)} has a copy of {f.nbytes:,} B fetched from {w.process(f.by)} {w.for_time(f)}"
    ),
    "retries": lambda w, f: (
        f"{w.process(f.party)} has found no copy {f.count} times, and asks the owner again in "
        f"{max(0.0, f.due - w.now.get(f.party, f.due)):.1f} s"
    ),
    "room": lambda w, f: (
        f"{w.process(f.party)} has no room for {f.nbytes:,} B {w.for_time(f)}, {f.count or 'nothing'} before it"
    ),
    "transfer": lambda w, f: (
        f"{w.process(f.party)} has {f.count:,} of {f.nbytes:,} B from {w.process(f.by)} {w.for_time(f)}"
    ),
}
HELD: dict[str, Saying] = {
    "local": lambda w, f: "a reference in Python code",
    "argument": lambda w, f: w.several(f, f"the task {w.task(f.by, f.text)}, which is not over, as an argument"),
    "lineage": lambda w, f: w.several(
        f, f"the task {w.task(f.by, f.text)}, which is over, and would need it to run again"
    ),
    "container": lambda w, f: w.several(f, f"the value of {w.named(f.by)}, which contains it"),
    "pin": lambda w, f: w.several(f, f"the task {w.task(f.by, f.text)}, which it was lent to"),
    "returning": lambda w, f: w.several(f, f"the results of {w.task(f.by, f.text)}, on their way"),
    "introduction": lambda w, f: w.several(f, f"the reference {w.named(f.by)} inside it, which its owner hears of now"),
    "outlived": lambda w, f: w.several(f, f"the value of {w.named(f.by)}, which contains it and whose owner is dead"),
    "exported": lambda w, f: "a reference written down outside freehold, for the life of the process",
}
