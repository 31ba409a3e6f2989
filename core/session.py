"""A session: the engine made of the core and any driver.  One for each process of a cluster.

It turns values into payloads and failures into exceptions, keeps the one ObjectRef of each object, and runs
tasks for the driver.  It takes no protocol decision: what it does is tell the core what happened.
"""

from __future__ import annotations

import concurrent.futures
import itertools
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Sequence, Sized
from typing import TYPE_CHECKING, Any

from freehold.core import serde
from freehold.core.driver import Host
from freehold.core.errors import GetTimeoutError, SessionError
from freehold.core.events import (
    Event,
    GetWanted,
    PutWanted,
    RefCreated,
    RefDropped,
    RefsFound,
    RefsHeld,
    RequestAbandoned,
)
from freehold.core.failures import exception_of
from freehold.core.ids import object_id, object_name
from freehold.core.machine import replace
from freehold.core.queries import Held, exists, readable
from freehold.core.refs import ObjectRef
from freehold.core.task_events import CancelAsked, TaskSubmitted
from freehold.core.tasks import describe
from freehold.core.trace import Step
from freehold.core.values import Description, Failure, Payload, Want
from freehold.core.waits import Waits
from freehold.core.worker import Worker

if TYPE_CHECKING:
    from freehold.core.facts import Account

HISTORY_STEPS = 20  # that an error carries
REQUESTS = 1 << 35  # requests are numbered from here, apart from what the party mints: both name timers
REQUESTS_END = 1 << 36  # and to here, below all names of objects


class Session:
    """One process's part in a cluster.

    Args:
        worker: the party.
        host: its driver.
        nonce: 16 bytes that name the cluster; references of another one are refused.
    """

    made = 0  # sessions of this process, so far
    exiting = False  # the interpreter ends

    def __init__(self, worker: Worker, host: Host, nonce: bytes) -> None:
        Session.made += 1
        self.worker = worker
        self.host = host
        self.nonce = nonce
        self.call_sites = worker.policy.call_sites
        self.closed = False
        self.task = 0  # the task that runs in this process now
        self.task_name = ""
        self.doomed: set[int] = set()  # tasks that are to be interrupted, as soon as they are on top of the stack
        self.kept: Any = None  # what it returned, until the core has heard: references inside must not die before
        self.dropped: deque[int] = deque()  # objects whose last reference died since the last look, and requests
        self.refs: dict[int, weakref.ref[ObjectRef[Any]]] = {}
        self.functions: dict[int, Any] = {}  # functions of others: object -> (callable, its reference)
        self.waits = Waits(self)
        self._numbers = itertools.count(1)
        self._requests = itertools.count(REQUESTS)
        self._lock = threading.RLock()  # of refs; a collection may run a __del__ at any line

    # ------------------------------------------------------------------ references

    def check_open(self, ref: ObjectRef[Any] | None = None) -> None:
        """Refuse a reference of a cluster that is gone."""
        if self.closed:
            stop_at_exit()
            name = f" {object_name(ref._id)}" if ref is not None else ""
            raise SessionError(f"the cluster of the reference{name} was shut down")

    def check(self, ref: object, what: str) -> ObjectRef[Any]:
        """Return a reference of this session, or say what was given instead."""
        if not isinstance(ref, ObjectRef):
            raise TypeError(f"{what} wants an ObjectRef, not {type(ref).__name__}: {ref!r:.80}")
        ref._session.check_open(ref)
        if ref._session.nonce != self.nonce:
            raise SessionError(f"{ref!r} belongs to another cluster", object=object_name(ref._id))
        return ref

    def mint(self, count: int = 1) -> int:
        """Return the first of ``count`` object names that follow each other."""
        while True:
            first = last = next(self._numbers)
            for _ in range(1, count):
                last = next(self._numbers)
            if last - first == count - 1:  # else another thread has taken a number amid them
                return object_id(self.worker.me, first)

    def new_ref(self, object: int) -> ObjectRef[Any]:
        """Return the one reference of this process to an object that it has not seen before."""
        ref: ObjectRef[Any] = ObjectRef(object, self)
        self.refs[object] = weakref.ref(ref)
        return ref

    def reference(self, object: int) -> ObjectRef[Any]:
        """Return this process's reference to an object that something here holds already."""
        fresh: list[ObjectRef[Any]] = []
        ref = self.adopter(fresh)(self.nonce, object)
        if fresh:
            self.host.tell(RefsHeld((object,)))
        return ref

    def adopter(self, fresh: list[ObjectRef[Any]]) -> Callable[[bytes, int], ObjectRef[Any]]:
        """Return the function that makes references while a value is unpickled; new ones are added to ``fresh``."""

        def adopt(nonce: bytes, object: int) -> ObjectRef[Any]:
            if nonce != self.nonce:
                raise SessionError(f"{object_name(object)} belongs to another cluster", object=object_name(object))
            with self._lock:  # against drops, which forgets names
                known = self.refs.get(object)
                ref = known() if known is not None else None
                if ref is None or ref._dying:
                    ref = self.new_ref(object)
                    fresh.append(ref)
            return ref

        return adopt

    def drops(self) -> list[Event]:
        """Return what became of references since the last look.  Called with the driver's exclusion.

        Nobody is waited for: a thread that takes in a reference may be in a finalizer, which waits for us.
        """
        events: list[Event] = []
        early: list[int] = []  # another thread is in their ``__del__``: they are dead when we look again
        dropped, refs, standing = self.dropped, self.refs, self.waits.standing
        if not self._lock.acquire(blocking=False):
            return events
        try:
            while dropped:
                object = dropped.popleft()
                known = refs.get(object)
                if known is None:
                    if object < REQUESTS_END:
                        events.append(self.withdrawn(object))
                    continue
                ref = known()
                if ref is None:
                    del refs[object]
                    events.append(RefDropped(object))
                    if object in standing:
                        events.append(self.withdrawn(standing.pop(object)))
                elif ref._dying:
                    early.append(object)
        finally:
            self._lock.release()
        dropped.extend(early)
        return events

    def withdrawn(self, request: int) -> Event:
        """Return what withdraws a request to which somebody has listened.  Called with the driver's exclusion."""
        self.host.forget(request)
        return RequestAbandoned(request)

    # ------------------------------------------------------------------ put and get

    def put(self, value: Any) -> ObjectRef[Any]:
        """Create an object; a large value is in the object store when this returns."""
        if isinstance(value, ObjectRef):
            raise TypeError("put of an ObjectRef: put a value, or a list that contains the reference")
        return self.put_payload(serde.serialize(value))

    def put_payload(self, serialized: serde.Serialized) -> ObjectRef[Any]:
        """Create an object from what is serialized already."""
        object = self.mint()
        payload = self.payload(serialized)
        ref = self.new_ref(object)
        if serialized.nbytes <= self.worker.policy.inline_bytes_max:
            self.host.tell(RefCreated(object, payload))
            return ref
        request = self.request()
        failure = self.ask(request, PutWanted(request, object, self.task), RefCreated(object, payload, request))
        if failure is not None:
            raise self.error(failure)
        found = readable(self.worker, object)
        if isinstance(found, Failure):
            raise self.error(found)
        return ref

    def payload(self, serialized: serde.Serialized) -> Payload:
        """Return a value as the core sees it; the token of a small one is its bytes, ready to travel."""
        small = serialized.nbytes <= self.worker.policy.inline_bytes_max
        token = serde.pack(serialized) if small else serialized
        return Payload(serialized.nbytes, serialized.refs, token)

    def request(self) -> int:
        """Return a number for a call that waits."""
        return next(self._requests)

    def ask(self, request: int, *events: Event) -> Failure | None:
        """Tell what begins a request, and wait until it is settled; if the user interrupts, withdraw it."""
        try:
            return self.host.ask(request, events)
        except BaseException:
            self.host.abandon(request)
            raise

    def get(self, refs: Sequence[ObjectRef[Any]], timeout: float | None, writable: bool = False) -> list[Any]:
        """Return the values, in order; raise the first failure, in order, among those that are settled."""
        objects, worker = [ref._id for ref in refs], self.worker
        missing = [object for object in objects if readable(worker, object) is None]
        if missing:
            self.await_objects(missing, Want.GET, len(missing), timeout)
        return [self.value(object, writable, objects) for object in objects]

    def await_objects(self, objects: list[int], want: int, needed: int, timeout: float | None) -> Failure | None:
        """Block until ``needed`` of the objects are there; raise if the time of a get passes."""
        request = self.request()
        seconds = -1.0 if timeout is None else timeout
        failure = self.ask(request, GetWanted(request, tuple(objects), needed, want, seconds, self.task))
        if failure is None or (want != Want.GET and failure.cause == "timeout"):
            return failure
        if failure.cause == "timeout":
            late = sum(readable(self.worker, object) is None for object in objects)
            name = object_name(failure.object)
            raise GetTimeoutError(f"{late} of {len(objects)} objects were not there after {timeout} s", object=name)
        raise self.error(failure)

    def error(self, failure: Failure, object: int = 0) -> Exception:
        """Return the exception for a failure, with what is known of an object's history and of a worker's end."""
        if failure.cause == "session":
            stop_at_exit()
        end = self.host.end_of(failure.party) if failure.cause == "crashed" else ""
        return exception_of(failure, self.history(object) if object else (), end)

    def raise_first(self, objects: Sequence[int]) -> None:
        """Raise the first failure, in order, among the objects that are settled."""
        for object in objects:
            found = readable(self.worker, object)
            if isinstance(found, Failure):
                raise self.error(found, object)

    def value(self, object: int, writable: bool = False, wanted: Sequence[int] = ()) -> Any:
        """Return a fresh value of an object that is readable here, its arrays views of the object or private copies.

        If it is readable no more, the first failure among those ``wanted`` is raised.
        """
        found = readable(self.worker, object)
        if type(found) is Payload:
            return self.load(found.token, object, bool(found.refs), writable)
        if isinstance(found, Held):
            view = self.host.view(object)
            if view is not None:
                return self.load(view, object, True, writable)
        if isinstance(found, Failure):
            raise self.error(found, object)
        self.raise_first(wanted)  # a get ends at its first failure, before others have come
        return self.get([self.reference(object)], None, writable)[0]  # the node has taken its room back meanwhile

    def load(self, data: bytes | memoryview, outer: int, refs: bool, writable: bool = False) -> Any:
        """Unpickle a value; references found inside it become ours."""
        if not refs:
            return serde.deserialize(data, None, writable)
        fresh: list[ObjectRef[Any]] = []
        value = serde.deserialize(data, self.adopter(fresh), writable)
        if fresh:
            objects = tuple([ref._id for ref in fresh])
            self.host.tell(RefsFound(outer, objects) if outer else RefsHeld(objects))
        return value

    # ------------------------------------------------------------------ wait, futures, cancel

    def wait(
        self, refs: Sequence[ObjectRef[Any]], needed: int, timeout: float | None, fetch: bool
    ) -> tuple[list[ObjectRef[Any]], list[ObjectRef[Any]]]:
        """Return (ready, unready), both in the order given, ``needed`` ready ones at most."""
        return self.waits.wait(refs, needed, timeout, Want.WAIT if fetch else Want.LOOK)

    def is_ready(self, object: int, want: int) -> bool:
        """Tell whether an object is readable here, or if that is enough, exists somewhere."""
        return readable(self.worker, object) is not None or (want == Want.LOOK and exists(self.worker, object))

    def failed(self, object: int) -> bool:
        """Tell whether an object is known here to have failed."""
        return isinstance(readable(self.worker, object), Failure)

    def await_any(self, objects: tuple[int, ...], came: Sized, timeout: float | None, want: int) -> Failure | None:
        """Block until one of the objects is there, or something else has come; return why the wait failed."""
        request = self.request()
        seconds = -1.0 if timeout is None else timeout
        try:
            return self.host.ask(request, (GetWanted(request, objects, 1, want, seconds, self.task),), came)
        finally:
            self.host.abandon(request)  # unless it is settled

    def future(self, ref: ObjectRef[Any]) -> concurrent.futures.Future[Any]:
        """Return a future of the value; it keeps the reference alive.  A cancelled one waits for nothing any more."""
        self.check(ref, "future")
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        request = self.request()
        self.host.listen(request, lambda failure: self.host.later(lambda: self.fulfil(future, ref._id)))
        future.add_done_callback(lambda future: self.dropped.append(request) if future.cancelled() else None)
        self.host.tell(GetWanted(request, (ref._id,), 1))
        self.host.watched(request)
        return future

    def fulfil(self, future: concurrent.futures.Future[Any] | None, object: int) -> None:
        """Give a future the value, or the error, of a settled object."""
        if future is None or not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(self.value(object))
        except BaseException as error:
            future.set_exception(error)
        finally:
            future = None  # else: error, its traceback, this frame, the future, and the error again

    def cancel(self, ref: ObjectRef[Any], force: bool) -> None:
        """Cancel the task that produces the object."""
        self.host.tell(CancelAsked(ref._id, force))

    # ------------------------------------------------------------------ tasks

    def submit(
        self, function: ObjectRef[Any], name: str, args: Any, kwargs: Any, returns: int, shape: Any, retries: int
    ) -> list[ObjectRef[Any]]:
        """Submit a task; return the references to what it returns."""
        payload, slots, kept = describe(self, name, args, kwargs)
        task = self.mint(max(returns, 1))
        description = Description(task, function._id, name, payload, slots, returns)
        refs = [self.new_ref(task + index) for index in range(returns)]
        self.host.tell(TaskSubmitted(task, description, shape, retries))
        del kept  # implicit puts of large arguments: the task carries them from here on
        return refs

    # ------------------------------------------------------------------ looking, and the end

    def story(self, object: int) -> list[Step]:
        """Return the recorded steps of one object on all parties."""
        from freehold.core.trace import story

        return story(self.host.steps(object))

    def history(self, object: int) -> tuple[str, ...]:
        """Return the last few steps of an object, in words, as far as they are known in this process."""
        mine = self.host.own_steps(object)[-HISTORY_STEPS:]
        return tuple([f"{step.name} {step.table} {step.before} -> {step.after}: {step.event}" for step in mine])

    def account(self, objects: Iterable[int], names: Iterable[int], pid: int = 0) -> Account:
        """Return what this process knows of objects, and the call sites of more; with the driver's exclusion."""
        from freehold.core.account import account

        aside = self.waits.unheard()
        return self.sited(account(self.worker, self.host.ring, objects, self.host.now(), pid, aside), names)

    def sited(self, said: Account, names: Iterable[int] = ()) -> Account:
        """Return an account with the call sites of the references that it names, and of more."""
        from freehold.core.callsites import sites

        return replace(said, sites=tuple(sites(self.refs, {*names, *said.names()})))

    def close(self) -> None:
        """Leave the cluster, or end it."""
        self.closed = True
        self.host.close()


def stop_at_exit() -> None:
    """Let a daemon thread wait for the end of the interpreter if that is near, as it would wait at any lock."""
    if Session.exiting and threading.current_thread().daemon:
        threading.Event().wait()
