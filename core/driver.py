"""What a driver promises: to perform the eleven effects, and to wait.  THE loop that interprets effects.

A driver knows bytes, threads and time, and nothing of objects: a driver that knows what a borrower is, is wrong.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence, Sized
from typing import TYPE_CHECKING, Any

from freehold.core.effects import (
    CancelTimer,
    Effect,
    Interrupt,
    Kill,
    Move,
    Release,
    Reserve,
    Run,
    Send,
    SetTimer,
    Settle,
    Spawn,
)
from freehold.core.errors import NotSupported
from freehold.core.events import Event, RequestAbandoned
from freehold.core.party import Party
from freehold.core.trace import Ring
from freehold.core.values import Failure

if TYPE_CHECKING:
    from freehold.core.facts import Account
    from freehold.core.journal import Journal

NODES = "nodes come and go by the program that has started the cluster, not by a task: call it there"
Hear = Callable[[Failure | None], None]
Handle = Callable[[Event, float, int], list[tuple[int, Effect]]]


class Driver(ABC):
    """Performs the effects of one party.

    ``perform`` never blocks.  Effects are performed in the order given.  A message that cannot be delivered
    because its target is dead is answered with the event ``PeerLost``.

    Args:
        party: the party.
        folder: where its events are written down, "" for nowhere.
    """

    methods: Mapping[type[Effect], Callable[[Any, int, Any], None]]  # by which a driver of its kind performs effects

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.methods = {
            Send: cls.send,
            SetTimer: cls.set_timer,
            CancelTimer: cls.cancel_timer,
            Settle: cls.settle,
            Run: cls.run,
            Interrupt: cls.interrupt,
            Spawn: cls.spawn,
            Kill: cls.kill,
            Reserve: cls.reserve,
            Move: cls.move,
            Release: cls.release,
        }

    def __init__(self, party: Party, folder: str = "") -> None:
        self.party = party
        self.journal = journal_in(folder, party) if folder else None
        self.handle: Handle = party.handle if self.journal is None else self.recorded  # how the party is told

    def drive(self, event: Event, cause: int = 0) -> None:
        """Hand an event to the party and perform what it asks for.  One thread at a time."""
        methods = self.methods
        for step, effect in self.handle(event, self.now(), cause):
            methods[type(effect)](self, step, effect)

    def recorded(self, event: Event, now: float, cause: int) -> list[tuple[int, Effect]]:
        """Tell the party, and write down what it was told and what it asked for."""
        journal, effects = self.journal, None
        try:
            effects = self.party.handle(event, now, cause)
        finally:
            if journal is not None:
                journal.write(now, cause, event, effects)
        return effects

    def end_journal(self) -> None:
        """Write the last line of the journal, if there is one; what the party does from here on is not recorded."""
        journal, self.journal = self.journal, None
        if journal is not None:
            journal.close()

    @abstractmethod
    def now(self) -> float:
        """Return seconds on a clock that does not run backwards."""

    @abstractmethod
    def send(self, step: int, effect: Send) -> None:
        """Deliver a message, and with it the step that caused it."""

    @abstractmethod
    def set_timer(self, step: int, effect: SetTimer) -> None:
        """Deliver an event later."""

    @abstractmethod
    def cancel_timer(self, step: int, effect: CancelTimer) -> None:
        """Forget a timer."""

    @abstractmethod
    def settle(self, step: int, effect: Settle) -> None:
        """Wake who waits for a request."""

    @abstractmethod
    def run(self, step: int, effect: Run) -> None:
        """Call a task's function on the worker's thread; answer with RunEnded."""

    @abstractmethod
    def interrupt(self, step: int, effect: Interrupt) -> None:
        """Raise KeyboardInterrupt in a running task."""

    @abstractmethod
    def spawn(self, step: int, effect: Spawn) -> None:
        """Start a worker; answer with WorkerStarted."""

    @abstractmethod
    def kill(self, step: int, effect: Kill) -> None:
        """End a worker."""

    @abstractmethod
    def reserve(self, step: int, effect: Reserve) -> None:
        """Set bytes aside; answer with Reserved or ReserveFailed."""

    @abstractmethod
    def move(self, step: int, effect: Move) -> None:
        """Write a payload to its place and answer with Moved; or send a chunk, which arrives as ChunkReply."""

    @abstractmethod
    def release(self, step: int, effect: Release) -> None:
        """Give bytes back."""


def journal_in(folder: str, party: Party) -> Journal:
    """Begin a journal; what it takes is imported by those who want one."""
    from freehold.core.journal import Journal

    return Journal.open(folder, party)


class Host(ABC):
    """What a session needs of the driver of its worker, beside the effects."""

    ring: Ring  # the worker's last steps

    def begun(self) -> None:  # noqa: B027  (others need do nothing)
        """The program has its session: what was put off until it could end the cluster may come now."""

    def summary(self) -> str:
        """Return a line about the run so far, "" if there is nothing to say."""
        return ""

    @abstractmethod
    def tell(self, *events: Event) -> None:
        """Hand events to the party, from any thread, and perform what it asks for."""

    @abstractmethod
    def block(self, request: int, came: Sized = ()) -> Failure | None:
        """Wait until a request is settled, or something has come; the latter, and an interrupt, leave it open."""

    def ask(self, request: int, events: Sequence[Event], came: Sized = ()) -> Failure | None:
        """Tell what begins a request, and wait as ``block`` does."""
        self.tell(*events)
        return self.block(request, came)

    def abandon(self, request: int) -> None:
        """Withdraw a request; nothing is left of it."""
        self.tell(RequestAbandoned(request))

    @abstractmethod
    def listen(self, request: int, hear: Hear) -> None:
        """Have ``hear`` called when a request is settled, amid a step: it takes no lock, and waits for nothing."""

    @abstractmethod
    def forget(self, request: int) -> None:
        """Nobody listens any more.  Called with the driver's exclusion."""

    @abstractmethod
    def later(self, call: Callable[[], None]) -> None:
        """Make a call soon, on any thread and outside all locks."""

    def watched(self, request: int) -> None:  # noqa: B027  (others need do nothing)
        """Somebody waits for who listens to a request; a driver without threads must see that it is settled."""

    @abstractmethod
    def view(self, object: int) -> memoryview | None:
        """Take a read-only view of a copy that is held here; return None if it is held no more.

        Looking and telling ViewTaken are one step, so that the hold cannot be given back in between.  When the
        last view made from it is gone ViewDropped is told.
        """

    @abstractmethod
    def now(self) -> float:
        """Return seconds on a clock that does not run backwards."""

    def add_node(self, resources: dict[str, float], capacity: int | None) -> int:
        """Add a node to the cluster; return its name when it has joined."""
        raise NotSupported(NODES)

    def remove_node(self, node: int, graceful: bool) -> None:
        """Take a node out of the cluster: at once, or when its tasks are over; return when it is gone."""
        raise NotSupported(NODES)

    @abstractmethod
    def close(self) -> None:
        """End the cluster, if this process started it, or leave it."""

    def end_of(self, worker: int) -> str:
        """Return in words how a worker has ended, "" if that is not known."""
        return ""

    @abstractmethod
    def own_steps(self, *objects: int) -> list[Any]:
        """Return the recorded steps of this worker, of these objects; of all if none is named."""

    @abstractmethod
    def steps(self, *objects: int) -> list[Any]:
        """Return the recorded steps of all parties that can be reached, of these objects; of all if none is named."""

    @abstractmethod
    def accounts(self, objects: tuple[int, ...], names: tuple[int, ...]) -> tuple[list[Account], list[int]]:
        """Return what all parties know of objects, and which parties should have answered and did not.

        ``names``: of further objects, of which the call sites are asked for.
        """
