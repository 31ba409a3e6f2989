"""A cluster on trial: after each step what must always be true is checked, and at the end it comes to rest.

For that faults stop, user code returns and forgets everything; every call must have returned, and nothing may be left.

This file refuses to know who picks the next step: ``walk.py`` draws it, in ``testing.py`` Hypothesis does.
"""

from __future__ import annotations

from collections.abc import Sequence

from freehold.core.ids import HEAD, is_node, node_id, node_of, object_name, party_name
from freehold.core.node import Node
from freehold.core.office import FULL
from freehold.core.party import Party
from freehold.core.policies import Policy
from freehold.core.values import Shape
from freehold.core.worker import Worker
from freehold.specs import pairs, records
from freehold.specs.promises import ALWAYS, AT_REST, AT_THE_END, Check
from freehold.specs.properties import insist
from freehold.specs.walks.users import SMALL, Frame, Users
from freehold.specs.walks.world import Violation

CHECKS = [check for promise in ALWAYS for check in promise.checks]
RESTING = [check for promise in AT_REST for check in promise.checks]
ENDED = [check for promise in AT_THE_END for check in promise.checks]
ROUNDS_MAX = 300  # until every task is over that user code has submitted
LOSSES = ("released", "lost", "owner_died", "not_rebuilt")  # why a value that was read cannot be had any more
CPUS: Shape = (("CPU", 2.0),)


class Trial(Users):
    """A cluster with programs, of which nothing but true is ever to be seen.

    Args:
        policy: the rules that all parties play by.
        capacity: bytes of each object store.
        workers: of each node, started before they are needed.
        programs: the index of the node of each program.
    """

    unpromised: Sequence[Check] = ()  # checks of what its policy does not promise
    tight = True  # limits may be such that a task waits for a worker that never has a thread

    def __init__(self, policy: Policy, capacity: int, workers: tuple[int, ...], programs: tuple[int, ...]) -> None:
        super().__init__(policy, capacity)
        self.cancelling = False  # whether users have ever cancelled tasks
        for index, count in enumerate(workers):
            self.add_node(index, (*CPUS, (f"node:{index}", 1.0)), count)
        self.programs = [self.add_program(node_id(index)) for index in programs]
        while not self.quiet():
            self.progress()
        self.functions: list[int] = []
        for program in self.programs:
            frame = Frame(program.me)
            self.processes[program.me].frames.append(frame)
            self.functions.append(self.put(frame, SMALL, ()))
            self.copy(frame, self.functions[-1])

    def progress(self) -> None:
        """Deliver the first message or answer of those that are on their way."""
        if self.channels:
            self.deliver(*next(iter(self.channels)))
        else:
            self.answer(next(iter(self.answers)), 0)

    def separable(self) -> list[tuple[int, int]]:
        """Return the pairs that have a link without which both live on; if it breaks, one of them has to go."""
        pairs = [(a, b) for a in self.parties for b in sorted(self.links[a]) if a < b]
        return [(a, b) for a, b in pairs if b != node_of(a) and a != node_of(b) and not (a == HEAD and is_node(b))]

    def died(self, party: int) -> None:
        super().died(party)
        self.dead[party] = frozenset([me for me in self.parties if self.will_hear(me, party)])

    def will_hear(self, me: int, dead: int) -> bool:
        """Tell whether a party will hear of a death: it has joined whoever tells it, who has not heard yet either."""
        above = self.parties.get(HEAD if is_node(me) else node_of(me))
        joined = isinstance(above, Node) and me in (above.members if is_node(me) else above.offices[0].workers)
        return above is not None and joined and above.hears(dead)

    def inside(self, object: int) -> set[int]:
        """Return an object, and all that its value or the task which can compute it again holds, in any depth.

        Nobody counts in circles: what is in one is kept for ever.
        """
        found, todo = set[int](), [object]
        while todo:
            object = todo.pop()
            if object not in found:
                found.add(object)
                todo += (*self.contents.get(object, ()), *self.needs.get(object, ()))
        return found

    # ------------------------------------------------------------------ what must be true

    def check(self) -> None:
        """Check what must be true after every step."""
        insist(*[check(self) for check in CHECKS if check not in self.unpromised])
        moved = [self.parties[me] for me in self.moved if me in self.parties]
        insist(*[check(party) for party in moved for check in records.hold(calm=not self.cuts)])
        insist(*[pairs.agree(party, other) for party in moved for other in self.in_touch_with(party)])
        self.moved.clear()
        allowed = {"timeout", "task", "full"}
        if self.cancelling:
            allowed |= {"cancelled"}
        if self.dead or self.cuts:
            allowed |= {"released", "crashed", "owner_died", "not_rebuilt", "unschedulable"}
        for _, failure in self.failures:
            if failure.cause not in allowed:
                raise Violation(f"a read failed with {failure}")
        self.failures.clear()
        self.check_changes()
        for party in moved:
            self.retries.update(
                {r.task: r.retries for r in party.execution.values()} if isinstance(party, Worker) else {}
            )

    def check_changes(self) -> None:
        """Check that whoever has read an object reads the same again; only a value may be lost, or computed again."""
        for me, object, before, now in self.changes:
            lost = (self.dead or self.cuts) and type(before) is int
            if not lost or (now not in LOSSES and object not in self.needs):
                raise Violation(f"{party_name(me)} has read {before} for {object_name(object)}, and now reads {now}")
        self.changes.clear()

    def in_touch_with(self, party: Party) -> list[Party]:
        """Return all others to and from whom nothing is on its way, now that their link holds."""
        me, ways = party.me, {*self.channels} | self.cuts
        peers = [other for other in self.parties.values() if other is not party]
        return [other for other in peers if (me, other.me) not in ways and (other.me, me) not in ways]

    def finish(self) -> None:
        """Stop faults, let all user code return and forget everything; nothing may be left."""
        for _ in range(ROUNDS_MAX):
            self.settle_down()
            if not self.end_frames():
                break
        if self.tight and self.deadlocked():
            return
        insist(*[check(self) for check in RESTING if check not in self.unpromised])
        for _ in range(ROUNDS_MAX):
            for me in list(self.processes):
                p = self.processes[me]
                for frame in p.frames:
                    frame.handles, handles = [], frame.handles
                    self.forget(me, handles)
                while p.views:
                    self.drop_view(me, 0)
                p.kept, kept = [], p.kept
                p.functions, functions = set(), p.functions
                self.forget(me, [*kept, *functions])
                self.drain(me)
            self.settle_down()
            if not self.end_frames():
                break
        insist(*[check(self) for check in ENDED])

    def deadlocked(self) -> bool:
        """Tell whether a node has no worker left: then a task may wait for one that will never have a thread."""
        full = any(ask.told == FULL for p in self.parties.values() if isinstance(p, Node) for ask in p.offices[0].queue)
        stacked = any(sum(frame.request != 0 for frame in p.frames if frame.run) > 1 for p in self.processes.values())
        return full or stacked

    def settle_down(self) -> None:
        """Deliver everything; when nothing is on its way let time pass, within reason."""
        for _ in range(50):
            steps = 0
            while not self.quiet():
                self.progress()
                self.check()
                steps += 1
                if steps > 100_000:
                    raise Violation("the cluster does not come to rest")
            if not self.timers:
                return
            for key in list(self.timers):
                if key in self.timers:
                    self.fire(*key)

    def end_frames(self) -> bool:
        """End all tasks that run; tell whether there was one, or a call that still waits."""
        some = False
        for p in list(self.processes.values()):
            for frame in p.frames[-1:]:
                if not frame.request and frame.run is not None:
                    self.leave(frame, [(SMALL, ())] * frame.run.description.returns)
                    some = True
        return some or not self.quiet()
