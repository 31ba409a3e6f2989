"""User code of a whole cluster as a model: who has which reference in which variable, and what a value contains.

It does what ``session.py`` does with real values, step for step: a reference is told to the core when its first
handle in a process comes to life, its end is noticed late, a value that is read gives birth to the references
inside it.  A value is a token; the token says whose value it is and which references are inside, so that every
read can be compared with what was written.

This file refuses to know what a user wants; whoever moves it picks the next action.
"""

from __future__ import annotations

from collections.abc import Sequence

from freehold.core.effects import Run
from freehold.core.events import (
    Event,
    GetWanted,
    PutWanted,
    RefCreated,
    RefDropped,
    RefsFound,
    RefsHeld,
    RequestAbandoned,
    ViewDropped,
    ViewTaken,
)
from freehold.core.execution import QUEUED, RESOLVING
from freehold.core.ids import object_id, object_name, party_name
from freehold.core.policies import DEFAULT, Policy
from freehold.core.promotion import FAILED
from freehold.core.queries import Held, exists, readable
from freehold.core.task_events import CancelAsked, RunEnded, TaskSubmitted
from freehold.core.values import Description, Failure, Payload, Shape, Slot, Want
from freehold.core.worker import Worker
from freehold.specs.walks.frames import LARGE, SMALL, Begun, Frame, Interrupted, Process, Resumed
from freehold.specs.walks.world import Violation, World

__all__ = ["LARGE", "SMALL", "Frame", "Users"]


class Users(World):
    """A world with user code in it."""

    def __init__(self, policy: Policy = DEFAULT, capacity: int = 1 << 30) -> None:
        super().__init__(policy, capacity)
        self.processes: dict[int, Process] = {}
        self.values: list[tuple[int, tuple[int, ...]]] = []  # token -> (object, references inside)
        self.contents: dict[int, tuple[int, ...]] = {}  # object -> references inside its value
        self.needs: dict[int, tuple[int, ...]] = {}  # object that a task returns -> references that the task carries
        self.failures: list[tuple[int, Failure]] = []  # (worker, failure) of every read that failed
        self.changes: list[tuple[int, int, int | str, int | str]] = []  # (worker, object, before, now) of reads
        self.retries: dict[int, int] = {}  # task -> how often it may be run again, as was said or seen last
        self.dead: dict[int, frozenset[int]] = {}  # -> those who have to hear of it
        self.reads = 0

    def worker(self, me: int) -> Worker:
        """Return a worker that lives."""
        worker = self.parties[me]
        assert isinstance(worker, Worker)
        return worker

    def new_worker(self, me: int) -> Worker:
        self.processes[me] = Process(me)
        return super().new_worker(me)

    # ------------------------------------------------------------------ references

    def adopt(self, me: int, objects: Sequence[int]) -> tuple[int, ...]:
        """Make a handle of each; return those that had none in this process."""
        p = self.processes[me]
        fresh = tuple(dict.fromkeys(object for object in objects if not p.handles[object]))
        p.handles.update(objects)
        p.told.update(objects)
        return fresh

    def copy(self, frame: Frame, object: int) -> None:
        """Give an object that the process has a handle of one more, a global one."""
        self.processes[frame.worker].handles[object] += 1
        self.processes[frame.worker].kept.append(object)

    def recall(self, frame: Frame, object: int) -> None:
        """Read a global variable into a local one."""
        self.processes[frame.worker].handles[object] += 1
        frame.handles.append(object)

    def lose(self, frame: Frame, object: int) -> None:
        """Forget a global variable."""
        self.processes[frame.worker].kept.remove(object)
        self.forget(frame.worker, (object,))

    def forget(self, me: int, objects: Sequence[int]) -> None:
        """End handles; the core hears of it when somebody looks."""
        p = self.processes[me]
        for object in objects:
            p.handles[object] -= 1
            if p.handles[object] < 0:
                raise Violation(f"the model is wrong: {party_name(me)} has no handle of {object_name(object)}")
            if not p.handles[object]:
                p.dropped.append(object)

    def drain(self, me: int) -> None:
        """Tell the core which references have died."""
        p = self.processes[me]
        dropped, p.dropped = p.dropped, []
        for object in dropped:
            if not p.handles[object] and object in p.told:
                p.has_dropped(object)
                self.tell(me, RefDropped(object))

    def mint(self, me: int, count: int = 1) -> int:
        """Return the first of ``count`` names that follow each other."""
        p = self.processes[me]
        first = p.names + 1
        p.names += count
        return object_id(me, first)

    def request(self, me: int) -> int:
        """Return a number for a call that waits."""
        self.processes[me].requests += 1
        return self.processes[me].requests

    def payload(self, object: int, nbytes: int, refs: Sequence[int]) -> Payload:
        """Return a new value."""
        refs = tuple(dict.fromkeys(refs))
        self.values.append((object, refs))
        self.contents[object] = refs
        return Payload(nbytes, refs, len(self.values) - 1)

    # ------------------------------------------------------------------ what user code does

    def put(self, frame: Frame, nbytes: int, refs: Sequence[int]) -> int:
        """Create an object with references inside; a call with a large value does not return at once."""
        me = frame.worker
        object = self.mint(me)
        payload = self.payload(object, nbytes, refs)
        frame.handles += [object]
        self.adopt(me, (object,))
        if nbytes <= self.policy.inline_bytes_max:
            self.tell(me, RefCreated(object, payload))
        else:
            frame.request = self.request(me)
            self.tell(me, PutWanted(frame.request, object, frame.task), RefCreated(object, payload, frame.request))
        return object

    def submit(
        self,
        frame: Frame,
        function: int,
        slots: Sequence[int],
        inside: Sequence[int],
        returns: int,
        retries: int,
        shape: Shape = (("CPU", 1.0),),
    ) -> list[int]:
        """Call a remote function with references as arguments and inside others."""
        me = frame.worker
        task = self.mint(me, max(returns, 1))
        payload = self.payload(0, SMALL, inside)
        arguments = tuple([Slot(object) for object in slots])
        description = Description(task, function, "f", payload, arguments, returns)
        objects = list(range(task, task + returns))
        self.needs.update(dict.fromkeys(objects, (*slots, *inside)))
        self.adopt(me, objects)
        frame.handles += objects
        self.retries[task] = retries
        self.tell(me, TaskSubmitted(task, description, shape, retries))
        return objects

    def wait(self, frame: Frame, objects: Sequence[int], needed: int, want: int, timeout: float) -> None:
        """Block in a get or wait."""
        me = frame.worker
        missing = [object for object in objects if readable(self.worker(me), object) is None]
        frame.reading, frame.asking = (tuple(objects), ()) if want == Want.GET else ((), tuple(objects))
        if not missing:
            self.returned(frame)
            return
        frame.request = self.request(me)
        needed = len(missing) if want == Want.GET else min(needed, len(missing))
        self.tell(me, GetWanted(frame.request, tuple(missing), needed, want, timeout, frame.task))

    def future(self, frame: Frame, object: int) -> None:
        """Ask for a value without blocking."""
        p = self.processes[frame.worker]
        request = self.request(frame.worker)
        p.futures[request] = object
        p.handles[object] += 1
        self.tell(frame.worker, GetWanted(request, (object,), 1))

    def abandon(self, frame: Frame) -> None:
        """Stop waiting: an interrupt."""
        if self.begins(frame.worker):
            return
        request, frame.request, frame.reading, frame.asking, frame.ready = frame.request, 0, (), (), False
        self.tell(frame.worker, RequestAbandoned(request))

    def cancel(self, frame: Frame, object: int, force: bool) -> None:
        """Cancel the task that produces an object; one that its owner has not sent yet is never to run."""
        own = self.worker(frame.worker)
        task = own.execution.get(own.promotion[object].by) if object in own.promotion else None
        self.tell(frame.worker, CancelAsked(object, force))
        if task is not None and task.state in (RESOLVING, QUEUED) and own.promotion[object].state is not FAILED:
            raise Violation(f"{object_name(object)} is still awaited although its task was cancelled: {task}")

    def drop(self, frame: Frame, index: int) -> None:
        """Forget one local variable."""
        self.forget(frame.worker, (frame.handles.pop(index),))

    def drop_view(self, me: int, index: int) -> None:
        """Forget one zero-copy view."""
        object, _ = self.processes[me].views.pop(index)
        self.owe(me, ViewDropped(object))

    # ------------------------------------------------------------------ reading

    def value(self, me: int, object: int, outer: int) -> list[int] | None:
        """Read a value; return the handles of the references found inside, or None if it has been taken away."""
        found = readable(self.worker(me), object)
        if found is None:
            return None
        self.reads += 1
        if isinstance(found, Failure):
            self.failures.append((me, found))
            self.noted(me, object, found.cause)
            return []
        if isinstance(found, Held):
            self.tell(me, ViewTaken(object))
            stored = self.stores[self.parties[me].node].get(found[0])
            if stored is None or stored.object != object or len(stored.arrived) < stored.nbytes:
                raise Violation(f"{party_name(me)} reads {object_name(object)} from bytes that are not its")
            self.processes[me].views.append((object, found[0]))
            return self.load(me, object, stored.token, outer)
        return self.load(me, object, found.token, outer)

    def load(self, me: int, object: int, token: object, outer: int) -> list[int]:
        """Unpickle: references come to life."""
        if not isinstance(token, int):
            raise Violation(f"{party_name(me)} reads {object_name(object)}, which was never written")
        whose, refs = self.values[token]
        if whose != object:
            raise Violation(f"{party_name(me)} reads {object_name(whose)} for {object_name(object)}")
        self.noted(me, object, token)
        fresh = self.adopt(me, refs)
        if fresh:
            self.tell(me, RefsFound(outer, fresh) if outer else RefsHeld(fresh))
        return list(refs)

    def noted(self, me: int, object: int, outcome: int | str) -> None:
        """Note if a process reads something else than before."""
        before = self.processes[me].reads(object, outcome)
        if before is not None:
            self.changes.append((me, object, before, outcome))

    def returned(self, frame: Frame) -> None:
        """A get or wait returns: its values are read, one after the other, or it is told what is there."""
        asking, frame.asking = frame.asking, ()
        self.processes[frame.worker].ready.update([o for o in asking if is_there(self.worker(frame.worker), o)])
        reading, frame.reading = frame.reading, ()
        for index, object in enumerate(reading):
            inside = self.value(frame.worker, object, object)
            if inside is None:
                self.wait(frame, reading[index:], len(reading) - index, Want.GET, -1.0)
                return
            frame.handles += inside

    def settled(self, me: int, request: int, failure: Failure | None) -> None:
        p = self.processes[me]
        if request in p.futures:
            self.owe(me, Resumed(request, failure is not None))
            return
        for frame in p.frames:
            if frame.request == request:
                self.owe(me, Resumed(request, failure is not None))
                return
        raise Violation(f"{party_name(me)} settles request {request}, for which nobody waits")

    def resume(self, me: int, request: int, failed: bool) -> None:
        """Let who waited for a request go on, some time after it was settled."""
        p = self.processes[me]
        if request in p.futures:
            object = p.futures.pop(request)
            inside = self.value(me, object, object)
            if inside is None:
                self.future_again(me, object)
            else:
                self.forget(me, (object, *inside))
            return
        for frame in p.frames:
            if frame.request == request:
                frame.ready = True
                frame.reading = () if failed else frame.reading
        self.go_on(me)

    def go_on(self, me: int) -> None:
        """Let the task on top of a process's stack return from its call, if it may; those beneath wait for it.

        A task that was given the thread while it waited begins before the wait returns.
        """
        frame = next(reversed(self.processes[me].frames), None)
        if frame is not None and frame.ready and not self.begins(me):
            frame.ready, frame.request = False, 0
            self.returned(frame)

    def begins(self, me: int) -> bool:
        """Tell whether a process's thread has been given to a task that has not begun yet."""
        return any(type(event) is Begun for _, event in self.answers.get(me, ()))

    def future_again(self, me: int, object: int) -> None:
        """A future whose value has been taken away meanwhile asks once more."""
        request = self.request(me)
        self.processes[me].futures[request] = object
        self.tell(me, GetWanted(request, (object,), 1))

    def tell(self, party: int, *events: Event, cause: int = 0) -> None:
        for event in events:
            match event:
                case Resumed(request, failed):
                    self.resume(party, request, failed)
                case Begun(run):
                    self.enter(party, run)
                case Interrupted(task):
                    for frame in self.processes[party].frames:
                        if frame.task == task and frame.request and frame is self.processes[party].frames[-1]:
                            self.abandon(frame)
                case _:
                    super().tell(party, event, cause=cause)

    # ------------------------------------------------------------------ tasks

    def begin(self, me: int, run: Run) -> None:
        """A task begins, some time after the core has said so."""
        self.owe(me, Begun(run))

    def enter(self, me: int, run: Run) -> None:
        """Find function and arguments, which must be readable here."""
        p = self.processes[me]
        frame = Frame(me, run)
        p.frames.append(frame)
        description = run.description
        if description.function not in p.functions:
            p.functions.add(description.function)
            fresh = self.adopt(me, (description.function,))
            if fresh:
                self.tell(me, RefsHeld(fresh))
            frame.handles += self.argument(me, description.function)
        frame.handles += self.load(me, 0, description.payload.token, 0)
        for slot in description.slots:
            if slot.value is not None:
                frame.handles += self.load(me, slot.object, slot.value.token, 0)
            else:
                frame.handles += self.argument(me, slot.object)

    def argument(self, me: int, object: int) -> list[int]:
        """Read what the core has made readable."""
        inside = self.value(me, object, object)
        if inside is None:
            raise Violation(f"{party_name(me)} runs a task without its argument {object_name(object)}")
        return inside

    def leave(self, frame: Frame, outcomes: Sequence[tuple[int, Sequence[int]] | None]) -> None:
        """A task returns; each outcome is (bytes, references inside), or None for an exception."""
        me, run = frame.worker, frame.run
        assert run is not None
        said: list[Payload | Failure] = []
        for index, outcome in enumerate(outcomes):
            if outcome is None:
                said.append(Failure("task", run.task, me))
            else:
                said.append(self.payload(run.task + index, *outcome))
        self.processes[me].frames.remove(frame)
        self.tell(me, RunEnded(run.task, run.attempt, tuple(said), 0.0))
        if me in self.parties:
            self.forget(me, frame.handles)
            self.go_on(me)

    def interrupted(self, me: int, task: int) -> None:
        for frame in self.processes[me].frames:
            if frame.task == task:
                frame.interrupted = True
                if frame.request:
                    self.owe(me, Interrupted(task))

    # ------------------------------------------------------------------ ends

    def released(self, node: int, place: int) -> None:
        for me, p in self.processes.items():
            for object, viewed in p.views:
                if viewed == place and self.parties[me].node == node:
                    raise Violation(f"bytes of {object_name(object)} are released while {party_name(me)} views them")

    def died(self, party: int) -> None:
        self.processes.pop(party, None)


def is_there(worker: Worker, object: int) -> bool:
    """Tell whether a process knows that an object has a value or has failed, as a wait that fetches nothing asks."""
    return readable(worker, object) is not None or exists(worker, object)
