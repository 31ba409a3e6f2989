"""What a schedule is: who acts, and which messages wait meanwhile, until one situation has come about.

From there the cluster is left to itself, and must come to rest as after any walk: every call returned, nothing left.
This file refuses to know what the situations are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, NamedTuple

from freehold.core.copy import Copy
from freehold.core.events import Event
from freehold.core.ids import node_index, object_name, party_name
from freehold.core.node import Node
from freehold.core.policies import Policy
from freehold.core.values import Shape, Want
from freehold.specs.properties import borrowers_agree, held_is_not_released
from freehold.specs.schedules import __path__ as folder
from freehold.specs.walks.trial import Trial
from freehold.specs.walks.users import LARGE, Frame
from freehold.specs.walks.world import Violation

Held = Callable[[int, int, Event], bool]  # whether a message from one to another waits
STEPS_MAX = 10_000
SMALL_MAX = LARGE // 2
ABLE = 0  # any node that is able


class Elsewhere(Exception):
    """The situation has not come about, so that the schedule says nothing."""


class Schedule(NamedTuple):
    """One situation, and the mutants that only it is known to find."""

    run: Callable[[], None]
    finds: tuple[str, ...]

    def __str__(self) -> str:
        return self.run.__name__


REGISTRY: dict[str, Schedule] = {}


def schedule(*finds: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Declare a schedule, and which mutants of the tables it finds, as ``freehold prove mutants`` calls them."""

    def declare(run: Callable[[], None]) -> Callable[[], None]:
        if not run.__doc__ or REGISTRY.setdefault(run.__name__, Schedule(run, finds)).run is not run:
            raise ValueError(f"{run.__name__}: the docstring says what situation comes about; a name is given once")
        return run

    return declare


def schedules() -> dict[str, Schedule]:
    """Return all schedules by name."""
    for module in sorted(module.name for module in iter_modules(folder)):
        import_module(f"freehold.specs.schedules.{module}")
    return REGISTRY


def way(source: int, target: int, *kinds: str) -> Held:
    """Hold what one sends another, or messages of these kinds and what comes behind them; 0 is anybody."""

    def held(a: int, b: int, event: Event) -> bool:
        return source in (0, a) and target in (0, b) and (not kinds or type(event).__name__ in kinds)

    return held


class Stage(Trial):
    """A cluster in which somebody decides by hand what happens next.

    Args:
        nodes: how many.
        programs: the index of the node of each program.
        capacity: bytes of each object store.
        workers: of each node, started before they are needed.
        able: the indices of the nodes that can run tasks which are for ABLE.
        rules: arguments of ``Policy``; unless they say otherwise LARGE values are large, and small ones are copied.
            By Ray's rule of deaths an owner may not know of borrowers, and release what they hold.
    """

    tight = False
    strides = False  # mutants are looked for in tables

    def __init__(
        self,
        nodes: int,
        programs: tuple[int, ...] = (0,),
        *,
        capacity: int = 1 << 20,
        workers: int = 0,
        able: tuple[int, ...] = (),
        **rules: object,
    ) -> None:
        self.able = able
        policy = Policy(**{"inline_bytes_max": SMALL_MAX, "borrow": "copy", **rules})  # type: ignore[arg-type]
        super().__init__(policy, capacity, (workers,) * nodes, programs)
        if policy.borrower_death == "ray":
            self.unpromised = held_is_not_released, borrowers_agree
        self.users = [self.processes[program.me].frames[0] for program in self.programs]
        self.go()

    def add_node(self, index: int, resources: Shape, workers: int) -> Node:
        able: Shape = (("able", 1.0),) if index in self.able else ()
        return super().add_node(index, (*resources, *able), workers)

    # ------------------------------------------------------------------ what happens next

    def go(self, *held: Held, busy: tuple[int, ...] = (), until: Callable[[], object] | None = None) -> None:
        """Deliver everything that does not wait, or go on until something is so.

        Args:
            held: what waits.
            busy: parties to whom their drivers say nothing meanwhile.
            until: what is to come about; look-ups in it may fail before.

        Raises:
            Elsewhere: it has not come about.
        """
        for _ in range(STEPS_MAX):
            if until is not None and holds(until):
                return
            firsts = [(pair, waiting[0][1]) for pair, waiting in self.channels.items()]
            pair = next((pair for pair, event in firsts if not any(waits(*pair, event) for waits in held)), None)
            party = next((party for party in self.answers if party not in busy), None)
            if pair is not None:
                self.deliver(*pair)
            elif party is not None:
                self.answer(party, 0)
            else:
                break
            self.check()
        if until is not None:
            self.expect(until)

    def expect(self, so: Callable[[], object]) -> None:
        """Insist that the schedule has come to where it is to be.

        Raises:
            Elsewhere: it has not.
        """
        if not holds(so):
            raise Elsewhere(f"line {so.__code__.co_firstlineno} of {so.__code__.co_filename}")

    def time_passes(self, *parties: int) -> None:
        """Let the timers of some parties fire, or all."""
        for key in list(self.timers):
            if key in self.timers and (not parties or key[0] in parties):
                self.fire(*key)

    def dies(self, party: int, arrive: int = 1 << 30) -> None:
        """Let a party die, after so many messages to each peer that still arrive."""
        self.crash(party, lambda waiting: min(arrive, waiting))

    # ------------------------------------------------------------------ user code

    def runs(self, by: Frame, node: int, *, held: Sequence[Held] = (), **call: Any) -> Frame:
        """Call a task for some node, and go on until it runs; see ``calls``.

        Args:
            by: who calls it.
            node: where it is to run.
            held: what waits meanwhile.
            call: the other arguments of ``calls``.
        """
        objects = self.calls(by, node, **call)
        self.go(*held, until=lambda: self.running(objects[0]))
        return self.running(objects[0])

    def calls(
        self,
        by: Frame,
        node: int,
        *,
        cpus: float = 1.0,
        slots: Sequence[int] = (),
        inside: Sequence[int] = (),
        returns: int = 1,
        retries: int = 0,
    ) -> list[int]:
        """Call a task; return what it is to return.

        Args:
            by: who calls it.
            node: where it is to run; ABLE: on any node that is able.
            cpus: that it occupies; such tasks have workers of their own.
            slots: references that are its arguments.
            inside: references in its arguments.
            returns: how many values.
            retries: how often it may be run again.
        """
        where = "able" if node == ABLE else f"node:{node_index(node)}"
        function = by.run.description.function if by.run else self.functions[self.users.index(by)]
        return self.submit(by, function, slots, inside, returns, retries, (("CPU", cpus), (where, 0.001)))

    def running(self, object: int) -> Frame:
        """Return the task that runs and is to return an object."""
        frames = [frame for p in self.processes.values() for frame in p.frames if frame.run]
        return next(f for f in frames if f.run and f.task <= object < f.task + f.run.description.returns)

    def gets(self, frame: Frame, object: int, want: int = Want.GET, timeout: float = -1.0) -> None:
        """Block in a get."""
        self.wait(frame, [object], 1, want, timeout)

    def must_read(self, frame: Frame, object: int) -> None:
        """Get a value, for as long as that takes.

        Raises:
            Violation: there is none to be had.
        """
        self.gets(frame, object)
        self.settle_down()
        came = self.processes[frame.worker].read.get(object)
        if frame.request or type(came) is not int:
            raise Violation(f"{party_name(frame.worker)} gets {came} for {object_name(object)}")

    def forgets(self, frame: Frame, object: int) -> None:
        """Forget a local variable, and look after what has died.

        Raises:
            Elsewhere: the call that it was made by has not returned.
        """
        self.expect(lambda: not frame.request)
        self.drop(frame, frame.handles.index(object))
        self.drain(frame.worker)

    def looks_away(self, frame: Frame, *held: Held) -> None:
        """Forget the views of what a process has read, and go on."""
        while self.processes[frame.worker].views:
            self.drop_view(frame.worker, 0)
        self.go(*held)

    # ------------------------------------------------------------------ what there is to see

    def has_copy(self, node: int, object: int) -> bool:
        """Tell whether a node has written down anything about a copy."""
        party = self.parties[node]
        return isinstance(party, Node) and object in party.copies

    def copy_on(self, node: int, object: int) -> Copy:
        """Return what a node has written down about a copy."""
        party = self.parties[node]
        assert isinstance(party, Node)
        return party.copies[object]

    def copies_of(self, owner: Frame, object: int) -> tuple[int, ...]:
        """Return the nodes that have copies, as an owner knows."""
        return self.worker(owner.worker).promotion[object].nodes


def holds(so: Callable[[], object]) -> bool:
    """Tell whether something is so; what cannot be looked up is not."""
    try:
        return bool(so())
    except (LookupError, AttributeError, StopIteration):
        return False
