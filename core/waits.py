"""The calls of ``wait``: the first of many references, again and again, without asking for all of them each time.

A program that takes a thousand tasks as they come calls ``wait`` a thousand times, on ever fewer references.  If
each call wanted all that is missing and withdrew it afterwards, the whole would be quadratic.  So a call for one more
of the program's own tasks leaves a *standing request* for each behind, which later calls find; it ends with its
object, or with its reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from freehold.core.events import GetWanted
from freehold.core.queries import exists, is_pending, readable
from freehold.core.values import Failure, Want

if TYPE_CHECKING:
    from freehold.core.refs import ObjectRef
    from freehold.core.session import Session

Refs = Sequence["ObjectRef[Any]"]
TOLD_AT_ONCE = 500  # requests for which the driver's exclusion is taken once


class Waits:
    """What the calls of ``wait`` of one process share."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.standing: dict[int, int] = {}  # objects -> their open requests
        self.news = 0  # counts standing requests that were settled
        self._calls = 0  # that wait now

    def wait(self, refs: Refs, needed: int, timeout: float | None, want: int) -> tuple[list[Any], list[Any]]:
        """Return (ready, unready), both in the order given, ``needed`` ready ones at most."""
        until, left, looks = None if timeout is None else self._session.host.now() + timeout, timeout, 0
        while True:
            news = self.news
            ready = self.first_ready(refs, needed, want)
            missing = needed - len(ready)
            if looks and until is not None:
                left = max(0.0, until - self._session.host.now())
            if not missing or (looks and left == 0.0):  # a wait of no time takes in what has come
                break
            looks += 1
            if missing > 1 or want == Want.LOOK or self._session.task or not self.are_our_tasks(refs):
                self.await_all(refs, ready, missing, left, want)
                ready = self.first_ready(refs, needed, want)
                break
            self.ask_for(refs)
            self._calls += 1
            try:
                failure = self._session.await_any((refs[0]._id,), News(self, news), left, want)
            finally:
                self._calls -= 1
            if failure is not None and failure.cause != "timeout":
                raise self._session.error(failure)
        return [refs[index] for index in ready], without(refs, ready)

    def first_ready(self, refs: Refs, count: int, want: int) -> list[int]:
        """Return where the first references are that are ready, no more than needed.

        The search ends with the last of them, so that it is no work to take a thousand tasks as they come, in order.
        """
        worker, found = self._session.worker, []
        for index, ref in enumerate(refs):
            if readable(worker, ref._id) is not None or (want == Want.LOOK and exists(worker, ref._id)):
                found.append(index)
                if len(found) == count:
                    break
        return found

    def await_all(self, refs: Refs, ready: list[int], missing: int, timeout: float | None, want: int) -> None:
        """Want all that is missing, and withdraw what has not come when enough has."""
        self._session.await_objects([ref._id for ref in without(refs, ready)], want, missing, timeout)

    def are_our_tasks(self, refs: Refs) -> bool:
        """Tell whether all are returns of tasks of this process that are not over: to await them costs no message."""
        worker = self._session.worker
        return all([is_pending(worker, ref._id) for ref in refs])

    def ask_for(self, refs: Refs) -> None:
        """Have a standing request for each."""
        session, standing = self._session, self.standing
        todo = [ref._id for ref in refs if ref._id not in standing]
        for start in range(0, len(todo), TOLD_AT_ONCE):
            events = []
            for object in todo[start : start + TOLD_AT_ONCE]:
                request = session.request()
                if standing.setdefault(object, request) != request:
                    continue  # another thread has come first
                session.host.listen(request, partial(self.hear, object))
                events.append(GetWanted(request, (object,), 1, Want.WAIT))
            session.host.tell(*events)

    def unheard(self) -> set[int]:
        """Return the standing requests that no call waits for now."""
        return set() if self._calls else set(self.standing.values())

    def hear(self, object: int, failure: Failure | None) -> None:
        """A standing request is settled; amid a step."""
        self.standing.pop(object, None)
        self.news += 1


class News:
    """Whether a standing request was settled since some time: nothing, or something."""

    __slots__ = ("_since", "_waits")

    def __init__(self, waits: Waits, since: int) -> None:
        self._waits = waits
        self._since = since

    def __len__(self) -> int:
        return self._waits.news - self._since


def without(refs: Refs, places: list[int]) -> list[Any]:
    """Return the references that are not at these places, which ascend; slices, since there may be thousands."""
    rest: list[Any] = []
    start = 0
    for place in places:
        rest += refs[start:place]
        start = place + 1
    rest += refs[start:]
    return rest
