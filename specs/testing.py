"""For tests of your own: a state machine for Hypothesis, of a cluster and its users (extra ``freehold[testing]``).

Hypothesis picks what users do, what the network delivers next and who dies; after each step the properties of
``trial.py`` are checked, and at the end the cluster must come to rest with nothing left.  What fails is made shorter,
and is printed as a program that runs::

    from freehold.specs.testing import RemoteObjects

    class WithMyPolicy(RemoteObjects):
        policy = Policy(location="random", borrow="copy", inline_bytes_max=50)

    TestWithMyPolicy = WithMyPolicy.TestCase

And random programs, with what they ought to give, to be run on a driver::

    @given(programs())
    def test_my_driver(source):
        assert play(source, freehold) == expected(source)

This file refuses to know what must be true.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from hypothesis import note
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from hypothesis.strategies import SearchStrategy, booleans, integers, lists, sampled_from

from freehold.core.ids import HEAD
from freehold.core.policies import Policy
from freehold.core.values import Want
from freehold.specs.oracle import expected, play
from freehold.specs.programs import programs
from freehold.specs.walks.trial import Trial
from freehold.specs.walks.users import LARGE, SMALL, Frame

__all__ = ["LARGE", "SMALL", "RemoteObjects", "expected", "play", "programs"]

ANY = integers(0, 15)  # one of what there is, counted round and round
SOME = lists(ANY, max_size=2)


def act(**choices: SearchStrategy[Any]) -> Callable[[Callable[..., None]], Any]:
    """Make a rule of a method; behind it the network delivers some messages, from any pairs: its argument ``then``."""

    def declare(method: Callable[..., None]) -> Any:
        @wraps(method)
        def step(self: RemoteObjects, then: Sequence[int], **chosen: Any) -> None:
            method(self, **chosen)
            self.check()
            self.bring(then)

        make: Any = rule  # its overloads cannot be told apart by names that are not known
        return make(**choices, then=lists(ANY, max_size=8))(step)

    return declare


class RemoteObjects(RuleBasedStateMachine):
    """A cluster whose users, network and deaths Hypothesis moves.

    A rule names a thread of user code, ``who``, by its place among those that are not waiting, and a reference by its
    place among the variables of that thread.  Subclass it to set what follows.

    Attributes:
        policy: the rules that all parties play by; values of SMALL bytes should stay inline, those of LARGE not.
        capacity: bytes of each object store.
        workers: how many each node has from the start; there are as many nodes.
        programs: the index of the node of each program.
        deaths: how many workers and nodes may die.
        cuts: how many links may break, of two that can live without.
    """

    policy = Policy(
        inline_bytes_max=LARGE // 2, chunk_bytes=LARGE * 2 // 5, chunks_in_flight=2, queue_max=3, workers_max=3
    )
    capacity = 1000 * LARGE
    workers: tuple[int, ...] = (1, 1)
    programs: tuple[int, ...] = (0, 1)
    deaths = 1
    cuts = 1

    def __init__(self) -> None:
        super().__init__()
        self.cluster = Trial(self.policy, self.capacity, self.workers, self.programs)
        self.cluster.log = note
        self.broken = False

    # ------------------------------------------------------------------ what users do

    @act(who=ANY, nbytes=sampled_from((SMALL, LARGE)), inside=SOME)
    def put(self, who: int, nbytes: int, inside: Sequence[int]) -> None:
        """Put a value with references inside."""
        if frame := self.thread(who):
            self.cluster.put(frame, nbytes, self.chosen(frame, inside))

    @act(who=ANY, arguments=SOME, inside=SOME, returns=integers(0, 2), retries=integers(0, 1))
    def submit(self, who: int, arguments: Sequence[int], inside: Sequence[int], returns: int, retries: int) -> None:
        """Call a remote function with references as arguments, and with others inside an argument."""
        if (frame := self.thread(who)) and (function := self.function(frame)):
            slots, hidden = self.chosen(frame, arguments), self.chosen(frame, inside)
            self.cluster.submit(frame, function, slots, hidden, returns, retries)

    @act(who=ANY, which=SOME, timeout=sampled_from((-1.0, 1.0)))
    def get(self, who: int, which: Sequence[int], timeout: float) -> None:
        """Get values; with a timeout the call may end without them."""
        if (frame := self.thread(who)) and (objects := self.chosen(frame, which or (0,))):
            self.cluster.wait(frame, objects, 0, Want.GET, timeout)

    @act(who=ANY, which=SOME, timeout=sampled_from((-1.0, 1.0)))
    def wait(self, who: int, which: Sequence[int], timeout: float) -> None:
        """Wait for one of some values."""
        if (frame := self.thread(who)) and (objects := self.chosen(frame, which or (0,))):
            self.cluster.wait(frame, objects, 1, Want.WAIT, timeout)

    @act(who=ANY, which=ANY)
    def future(self, who: int, which: int) -> None:
        """Ask for a value without waiting for it."""
        if (frame := self.thread(who)) and (objects := self.chosen(frame, (which,))):
            self.cluster.future(frame, objects[0])

    @act(who=ANY, which=ANY)
    def drop(self, who: int, which: int) -> None:
        """Forget a variable; the process notices at once."""
        if (frame := self.thread(who)) and frame.handles:
            self.cluster.drop(frame, which % len(frame.handles))
            self.cluster.drain(frame.worker)

    @act(who=ANY, which=ANY)
    def keep(self, who: int, which: int) -> None:
        """Let a task keep a reference in a global variable of its process."""
        frame = self.thread(who)
        if frame and frame.run and (objects := self.chosen(frame, (which,))):
            self.cluster.copy(frame, objects[0])

    @act(who=ANY, which=ANY, force=booleans())
    def cancel(self, who: int, which: int, force: bool) -> None:
        """Cancel the task that makes an object."""
        if (frame := self.thread(who)) and (objects := self.chosen(frame, (which,))):
            self.cluster.cancelling = True
            self.cluster.cancel(frame, objects[0], force)

    @act(who=ANY, nbytes=sampled_from((SMALL, LARGE)), inside=SOME, fails=booleans())
    def return_(self, who: int, nbytes: int, inside: Sequence[int], fails: bool) -> None:
        """Let a task return values with references inside, or fail."""
        frame = self.thread(who)
        if frame is None or frame.run is None:
            return
        task, count = frame.run.task, frame.run.description.returns
        own = {*range(task, task + count)}  # in a circle nothing would ever be let go
        refs = [ref for ref in self.chosen(frame, inside) if not self.cluster.inside(ref) & own]
        self.cluster.leave(frame, [None if fails or frame.interrupted else (nbytes, refs)] * count)

    @act(which=ANY)
    def end_view(self, which: int) -> None:
        """Let go of a view of a large value."""
        views = [(me, index) for me, p in self.cluster.processes.items() for index in range(len(p.views))]
        if views:
            self.cluster.drop_view(*views[which % len(views)])

    # ------------------------------------------------------------------ what happens to them

    @act()
    def settle(self) -> None:
        """Deliver everything; time does not pass."""
        while not self.cluster.quiet():
            self.cluster.progress()
            self.check()

    @act()
    def deliver(self) -> None:
        """Let users do nothing: messages are delivered behind every act."""

    def bring(self, choices: Sequence[int]) -> None:
        """Deliver messages and answers one after the other, each from any pair."""
        for choice in choices:
            ways: list[tuple[Callable[[int, int], None], int, int]]
            ways = [(self.cluster.deliver, *pair) for pair in self.cluster.channels]
            owed = self.cluster.answers.items()
            ways += [(self.cluster.answer, party, index) for party, events in owed for index in range(len(events))]
            if ways:
                perform, a, b = ways[choice % len(ways)]
                perform(a, b)
                self.check()

    @precondition(lambda self: self.cluster.timers)
    @act(which=ANY)
    def time_passes(self, which: int) -> None:
        """Let a timer fire."""
        timers = list(self.cluster.timers)
        self.cluster.fire(*timers[which % len(timers)])

    @precondition(lambda self: self.deaths)
    @act(which=ANY, heard=integers(0, 3))
    def kill(self, which: int, heard: int) -> None:
        """Let a worker or a node die; of what it has sent last only so many messages to each peer still arrive."""
        mortal = [party for party in self.cluster.parties if party != HEAD]
        self.deaths -= 1
        self.cluster.crash(mortal[which % len(mortal)], lambda waiting: min(heard, waiting))

    @precondition(lambda self: self.cuts and self.cluster.separable())
    @act(which=ANY, heard=integers(0, 3))
    def partition(self, which: int, heard: int) -> None:
        """Break a link."""
        pairs = self.cluster.separable()
        self.cuts -= 1
        self.cluster.cut(*pairs[which % len(pairs)], lambda waiting: min(heard, waiting))

    # ------------------------------------------------------------------ what they need

    def thread(self, who: int) -> Frame | None:
        """Return a thread of user code that is not waiting."""
        frames = [p.frames[-1] for p in self.cluster.processes.values() if p.frames and not p.frames[-1].request]
        return frames[who % len(frames)] if frames else None

    def chosen(self, frame: Frame, which: Sequence[int]) -> list[int]:
        """Return some of the references that a thread has, each once."""
        distinct = list(dict.fromkeys(frame.handles))
        return list(dict.fromkeys(distinct[index % len(distinct)] for index in which)) if distinct else []

    def function(self, frame: Frame) -> int:
        """Return a function that a thread can call; 0 if it has none."""
        if frame.run:
            return frame.run.description.function
        own = [
            function for function in self.cluster.functions if self.cluster.processes[frame.worker].handles[function]
        ]
        return own[0] if own else 0

    def check(self) -> None:
        """Check what must always be true; once it is not, that is enough."""
        self.broken = True
        self.cluster.check()
        self.broken = False

    def teardown(self) -> None:
        """Bring the cluster to rest, and check what must be true then."""
        if not self.broken:
            self.cluster.finish()
