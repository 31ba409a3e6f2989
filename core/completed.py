"""References as they complete: one standing request for each, so that a completion costs the same however many remain.

Decides who is told of a completion, and what is withdrawn when a loop ends early.  Refuses to know how values come:
the requests are those of any wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from freehold.core.arguments import checked_timeout, engine_for
from freehold.core.driver import Host
from freehold.core.errors import GetTimeoutError
from freehold.core.events import GetWanted
from freehold.core.ids import object_name
from freehold.core.progress import Bar
from freehold.core.refs import ObjectRef
from freehold.core.session import Session
from freehold.core.values import Failure, Want

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")
TOLD_AT_ONCE = 500  # requests for which the driver's exclusion is taken once
OFFERED_MAX = 8  # a task that waits runs one of so many on its own stack, when no worker is free


class Inbox:
    """What has completed since the last look.  The driver knows it, and not the loop, which may end at any time."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.settled: deque[tuple[int, Failure | None]] = deque()  # objects
        self.sleeper: tuple[asyncio.AbstractEventLoop, asyncio.Future[None]] | None = None  # who awaits the next

    def hear(self, object: int, failure: Failure | None) -> None:
        """Take note that a request is settled; amid a step, so to wake an event loop is left for later."""
        self.settled.append((object, failure))
        sleeper, self.sleeper = self.sleeper, None
        if sleeper is not None:
            self.host.later(partial(wake, *sleeper))


class Completed(Generic[T]):
    """References in the order in which their objects complete; for ``for`` and for ``async for``.

    It may be left at any time: what is not complete by then goes on, and nobody waits for it here any more.
    """

    _open: dict[int, int] | None = None  # not complete -> its request; None until the loop begins
    _bar: Bar | None = None

    def __init__(
        self,
        session: Session,
        refs: Sequence[ObjectRef[T]],
        timeout: float | None = None,
        *,
        ordered: bool = False,
        want: int = Want.WAIT,
        progress: str = "",
    ) -> None:
        self._session = session
        self._timeout = timeout
        self._until = None if timeout is None else session.host.now() + timeout
        self._ordered = ordered
        self._want = want
        self._inbox = Inbox(session.host)
        self._left = {ref._id: ref for ref in refs}  # not handed out yet
        self._count = len(self._left)
        self._queue: deque[int] = deque(self._left if ordered else ())  # what to hand out next, if it is complete
        self._waiting = deque(self._left)  # what to wait for next, if it is not complete
        if progress:
            self._bar = Bar(self._count, progress)

    def __len__(self) -> int:
        """Return how many references have not been handed out yet."""
        return len(self._left)

    def __iter__(self) -> Completed[T]:
        return self

    def __next__(self) -> ObjectRef[T]:
        while (ref := self._next()) is None:
            if not self._left:
                raise StopIteration
            try:
                failure = self._session.await_any(self._awaited(), self._inbox.settled, self.seconds_left(), self._want)
            except BaseException:  # a traceback may keep us alive while it is shown
                self.close()
                raise
            if failure is not None and not self._inbox.settled:
                raise self._ended(failure)
        return ref

    def __aiter__(self) -> Completed[T]:
        return self

    async def __anext__(self) -> ObjectRef[T]:
        while (ref := self._next()) is None:
            if not self._left:
                raise StopAsyncIteration
            await self._sleep()
        return ref

    async def _sleep(self) -> None:
        """Let the event loop do something else until another object is complete."""
        import asyncio

        loop, inbox = asyncio.get_running_loop(), self._inbox
        sleep: asyncio.Future[None] = loop.create_future()
        inbox.sleeper = loop, sleep  # before the look: whoever completes meanwhile sees one or the other
        try:
            if not inbox.settled:
                assert self._open is not None
                self._session.host.watched(self._open[self._awaited()[0]])
            if not inbox.settled:
                async with asyncio.timeout(self.seconds_left()):
                    await sleep
        except TimeoutError:
            raise self._ended(Failure("timeout", self._awaited()[0])) from None
        finally:
            inbox.sleeper = None

    # ------------------------------------------------------------------ what is complete

    def _next(self) -> ObjectRef[T] | None:
        """Return the next reference that can be handed out now."""
        if not self._left:
            self.close()
            return None
        self._session.check_open()
        missing = self._begin() if self._open is None else self._open
        while self._inbox.settled:
            object, failure = self._inbox.settled.popleft()
            if failure is not None and failure.cause == "session":
                raise self._ended(failure)
            if missing.pop(object, 0) and not self._ordered:
                self._queue.append(object)
        if self._bar is not None:
            self._bar.show(self._count - len(missing))
        if not self._queue or self._queue[0] in missing:
            return None
        return self._left.pop(self._queue.popleft())

    def _begin(self) -> dict[int, int]:
        """Ask to be told of every object, unless it is there already."""
        session, host = self._session, self._session.host
        self._open = missing = {o: session.request() for o in self._left if not session.is_ready(o, self._want)}
        if not self._ordered:
            self._queue.extend([object for object in self._left if object not in missing])
        todo = list(missing.items())
        for start in range(0, len(todo), TOLD_AT_ONCE):
            some = todo[start : start + TOLD_AT_ONCE]
            for object, request in some:
                host.listen(request, partial(self._inbox.hear, object))
            host.tell(*[GetWanted(request, (object,), 1, self._want) for object, request in some])
        return missing

    def _awaited(self) -> tuple[int, ...]:
        """Return objects that are not complete, at least one: a task offers to run several, the program none."""
        missing, waiting = self._open, self._waiting
        assert missing
        while waiting[0] not in missing:
            waiting.popleft()
        if not self._session.task:
            return (waiting[0],)
        found = [waiting[i] for i in range(min(OFFERED_MAX, len(waiting)))]
        return tuple([object for object in found if object in missing])

    # ------------------------------------------------------------------ the end

    def seconds_left(self) -> float | None:
        """Return the seconds until the time is up, None for ever."""
        return None if self._until is None else max(0.0, self._until - self._session.host.now())

    def _ended(self, failure: Failure) -> Exception:
        """Return what to raise when nothing more will be handed out."""
        late = len(self._open or ())
        self.close()
        if failure.cause != "timeout":
            return self._session.error(failure)
        text = f"{late} of {self._count} objects were not there after {self._timeout} s"
        return GetTimeoutError(text, object=object_name(failure.object))

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()

    def __del__(self) -> None:
        self._session.dropped.extend((self._open or {}).values())  # of requests; withdrawn at the next look
        self.close()


def as_completed(
    refs: Iterable[ObjectRef[T]], *, timeout: float | None = None, ordered: bool = False, progress: bool = False
) -> Completed[T]:
    """Return the references as their objects complete: ``for ref in as_completed(refs)``, or ``async for``.

    Each completion costs the same, however many are left.  An object whose task has failed is complete, too.  The
    loop may end early: what is not complete goes on.

    Args:
        refs: references; one that occurs twice is returned once.
        timeout: seconds from now on, for all of them; None waits for ever.
        ordered: return them in the order given, each as soon as it and all before it are complete.
        progress: show a bar on a terminal, or in a notebook.

    Raises:
        GetTimeoutError: amid the loop: the time is up, and what is complete has been returned.
        TypeError: something else than references was given.
        ValueError: the timeout is negative.
    """
    if isinstance(refs, ObjectRef) or not isinstance(refs, Iterable):
        raise TypeError(f"as_completed wants ObjectRefs, not {type(refs).__name__}: {refs!r:.80}")
    given = list(refs)
    session = engine_for(given, "as_completed")
    return Completed(session, given, checked_timeout(timeout), ordered=ordered, progress="complete" * progress)


def follow(
    session: Session, refs: Sequence[ObjectRef[Any]], needed: int, timeout: float | None, want: int
) -> float | None:
    """Show a bar until enough of the objects are there, a get's failure included; return the seconds that are left."""
    completed = Completed(session, refs, timeout, want=want, progress="get" if want == Want.GET else "wait")
    try:
        for done, ref in enumerate(completed, 1):
            if done == needed or (want == Want.GET and session.failed(ref._id)):
                break
    except GetTimeoutError:
        if want == Want.GET:
            raise
    finally:
        completed.close()
    return completed.seconds_left()


def wake(loop: asyncio.AbstractEventLoop, sleep: asyncio.Future[None]) -> None:
    """Let an event loop go on, from any thread."""
    with suppress(RuntimeError):  # it has been closed meanwhile
        loop.call_soon_threadsafe(finish, sleep)


def finish(sleep: asyncio.Future[None]) -> None:
    """End a sleep, unless it was cancelled."""
    if not sleep.done():
        sleep.set_result(None)
