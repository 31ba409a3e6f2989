"""``freehold.explain``: why an object is alive, or why its value is not there yet, in words.

The facts are those of all processes, collected by one question to all (``account.py``); where the Python code of this
process holds a reference is searched by ``grips.py``.  Here is how they are asked for, and how a page is made of them.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from freehold.core import cluster
from freehold.core.callsites import site, task_name
from freehold.core.errors import SessionError
from freehold.core.ids import COUNTER_BITS, object_name
from freehold.core.queries import readable
from freehold.core.refs import ObjectRef
from freehold.core.request import Request
from freehold.core.session import Session

if TYPE_CHECKING:
    from freehold.core.facts import Account, Fact
    from freehold.core.grips import Grip

OBJECTS_MIN = 1 << COUNTER_BITS  # the names of parties are below
ROUNDS_MAX = 8  # a chain of waits goes from process to process; each time all are asked
BASES_MAX = 32
SEARCHED_MAX = 10_000  # objects of one call, among which the first that is not there is looked for


class Explanation(str):
    """What is known of an object: text for a screen, and what it was made of.

    It is a string; ``facts`` are for programs.  Nothing in it keeps the object alive.
    """

    object: str  # the object's name
    facts: tuple[Fact, ...]  # of all processes that have answered
    grips: tuple[Grip, ...]  # where the Python code of this process holds the reference
    silent: tuple[int, ...]  # processes that did not answer

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self)}</pre>"


def explain(value: ObjectRef[Any] | Any) -> Explanation:
    """Say what an object is, why it is alive, and if its value is not there, what it waits for.

    Every process of the cluster is asked, so this is for people and for tests, not for a loop.  A process that does not
    answer within five seconds is named.

    Args:
        value: a reference, or a read-only array or buffer that a get has returned: then the text says of which object
            it is a view, and how to get a copy that may be changed.

    Returns:
        A string with the fields ``object``, ``facts``, ``grips`` and ``silent``.

    Raises:
        TypeError: something else was given.
        SessionError: the cluster of the reference was shut down.
    """
    from freehold.core.grips import grips
    from freehold.core.wording import Words

    viewed = 0 if isinstance(value, ObjectRef) else viewed_object(value)
    session = cluster.active
    if isinstance(value, ObjectRef):
        value._session.check_open(value)
        session = cluster.engine()
        session.check(value, "explain")
    if not isinstance(value, ObjectRef) and not viewed:
        text = f"explain wants an ObjectRef, or a view that get has returned, not {type(value).__name__}"
        raise TypeError(f"{text}: {value!r:.80}")
    if session is None or session.closed:
        raise SessionError("explain: the cluster whose object this is a view of was shut down")
    object = viewed or value._id
    ref = value if not viewed else known_ref(session, object)
    accounts, silent = collect(session, object)
    found, complete = grips(ref) if ref is not None else ([], True)
    made = (site(ref) or "", task_name(ref)) if ref is not None else ("", "")
    words = Words(session.worker.me, accounts, object, silent, made)
    text = Explanation("\n".join(words.page(found, complete, viewed=bool(viewed))))
    text.object, text.silent = words.object_name, tuple(silent)
    text.facts = tuple([fact for account in accounts for fact in account.facts])
    text.grips = tuple(found)
    return text


def known_ref(session: Session, object: int) -> ObjectRef[Any] | None:
    """Return this process's reference to an object, if it has one."""
    known = session.refs.get(object)
    return known() if known is not None else None


def collect(session: Session, object: int) -> tuple[list[Account], list[int]]:
    """Ask all processes about an object, and about all that it turns out to wait for; return who did not answer."""
    objects: tuple[int, ...] = (object,)
    names: set[int] = set()
    for _ in range(ROUNDS_MAX):
        accounts, silent = session.host.accounts(objects, tuple(sorted(names)))
        leads = dict.fromkeys(lead for account in accounts for lead in account.leads)
        named = {name for account in accounts for name in account.names() if name >= OBJECTS_MIN}
        if objects == (*leads,) and named <= names:
            break
        objects, names = (*leads,), names | named
    return sorted(accounts, key=lambda account: account.party), silent


def viewed_object(value: Any) -> int:
    """Return the object whose bytes a buffer or an array shows, 0 if it is no such view."""
    for _ in range(BASES_MAX):
        if isinstance(value, memoryview):
            value = value.obj
        object = getattr(value, "freehold_object", 0)
        if type(object) is int and object:
            return object
        value = getattr(value, "base", None)
        if value is None:
            break
    return 0


def long_wait(session: Session, request: int) -> str:
    """Return in one line what a call of this process has waited for, as far as the process itself knows."""
    from freehold.core.account import steps
    from freehold.core.wording import Words

    worker, ring, now = session.worker, session.host.ring, session.host.now()
    call = worker.requests.get(request)
    if call is None:
        return "waiting"
    missing = (object for object in call.objects[:SEARCHED_MAX] if readable(worker, object) is None)
    object = next(missing, call.objects[0])
    since, exact = ring.since(Request, request)
    seconds = f"{'' if exact else 'over '}{now - since if since is not None else 0.0:.0f} s"
    many = f"{call.left} of {len(call.objects)} objects, first " if len(call.objects) > 1 else ""
    said = session.sited(steps(worker, ring, object, now))
    words = Words(worker.me, [said], object, brief=True)
    return f"waiting {seconds} for {many}{object_name(object)}: {words.line()}"
