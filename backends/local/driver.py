"""What the drivers of nodes and workers share: links, timers, and the way from a descriptor to the party.

A link to a party that we have none with is asked of the head node, which makes a pair of connected sockets and
sends each party its end.  Nothing listens, and nothing has a name.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import sys
import traceback
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

from freehold.backends.local import wire
from freehold.backends.local.census import census_of
from freehold.backends.local.channel import Channel, LinkError
from freehold.backends.local.pump import Pump
from freehold.backends.local.timers import Timers
from freehold.core.account import account
from freehold.core.driver import Driver
from freehold.core.effects import CancelTimer, Effect, Send, SetTimer
from freehold.core.events import Event
from freehold.core.facts import Account
from freehold.core.ids import party_name
from freehold.core.machine import replace
from freehold.core.messages import Envelope
from freehold.core.node_events import PeerLost
from freehold.core.node_messages import ChunkReply
from freehold.core.party import Party
from freehold.core.trace import Ring, Step
from freehold.core.values import Failure

PIECE_STEPS = 128  # of a ring, in one frame
WISHES_MAX = 40  # of one step
DETAIL_MAX = 2000  # characters
HOLD_MAX = 32  # messages that wait for a peer's answer before they are sent all the same
LISTEN_TELLS = 32  # a thread that only submits reads what has come after so many
log = logging.getLogger("freehold")


class LocalDriver(Driver):
    """The driver of one party that is a process of its own.

    Args:
        party: a node or a worker.
        setup: what every process of the cluster knows.
    """

    def __init__(self, party: Party, setup: wire.Setup) -> None:
        super().__init__(party, setup.trace)
        self.setup = setup
        self.pump = Pump(self.flush, self.serve, self.tick)
        self.channels: dict[int, Channel] = {}  # by descriptor
        self.links: dict[int, Channel] = {}  # by party
        self.held: dict[int, list[Callable[[Channel], object]]] = {}  # what waits for a link that was asked for
        self.lost: set[int] = set()  # parties whose link broke: they are dead to us
        self.dirty: dict[int, Channel] = {}  # channels with something to send, by descriptor
        self.urgent = False  # something among it need not wait for company
        self.timers = Timers()
        self.inbox: deque[tuple[Event, int]] = deque()
        self.driving = False
        self.told = 0  # how often a thread of this process has told the party something
        self.broken: Failure | None = None  # why the party is told nothing any more
        self.ring = Ring()
        party.watch = self.ring
        LIVING.add(self)

    # ------------------------------------------------------------------ events

    def now(self) -> float:
        return monotonic()

    def drive(self, event: Event, cause: int = 0) -> None:
        """Hand an event to the party; what an effect answers at once follows when the effects are done."""
        if self.driving:
            self.inbox.append((event, cause))
            return
        self.driving = True
        methods = self.methods
        try:
            for step, effect in self.handle(event, monotonic(), cause):
                methods[type(effect)](self, step, effect)
            while self.inbox:
                event, cause = self.inbox.popleft()
                for step, effect in self.handle(event, monotonic(), cause):
                    methods[type(effect)](self, step, effect)
        except Exception as error:
            self.inbox.clear()
            self.crashed(error)
            raise
        finally:
            self.driving = False

    def crashed(self, error: BaseException) -> None:
        """The party can no longer be trusted: a bug in freehold."""
        traceback.print_exception(error, file=sys.__stderr__)  # not by way of the party
        os._exit(1)

    def deafen(self, failure: Failure) -> None:
        """Tell the party nothing any more: it has no part in a cluster.  The first reason stands."""
        if self.broken is None:
            self.broken = failure
            self.handle = deaf

    def tell(self, *events: Event) -> None:
        """Hand events to the party from any thread."""
        pump = self.pump
        pump.enter()
        try:
            self.tell_inside(events)
            self.told += 1
            if not self.told % LISTEN_TELLS:
                pump.listen()
        finally:
            pump.leave()

    def tell_inside(self, events: Sequence[Event]) -> None:
        """Hand events to the party; called with the lock held."""
        self.drain_first()
        for event in events:
            self.drive(event)
        if self.urgent:
            self.flush_urgent()  # a task is on its way before we look at what else there is
        self.drain()
        if self.dirty:
            self.flush_rest()

    def drain_first(self) -> None:
        """Tell what must be known before anything that happens from now on."""

    def drain(self) -> None:
        """Tell the party what has died in this process meanwhile."""

    # ------------------------------------------------------------------ links

    def add_channel(self, channel: Channel) -> None:
        """Begin to listen to a channel; what was held for its peer goes out."""
        fd = channel.fileno()
        self.channels[fd] = channel
        self.pump.epoll.register(fd, select.EPOLLIN)
        if channel.peer:
            self.links[channel.peer] = channel
            for put in self.held.pop(channel.peer, ()):
                put(channel)
                self.soil(channel)

    def drop_channel(self, channel: Channel) -> None:
        """Close a channel whose other end is gone, and tell the party."""
        fd = channel.fileno()
        if self.channels.pop(fd, None) is None:
            return
        self.dirty.pop(fd, None)
        self.pump.epoll.unregister(fd)
        channel.close()
        if channel.peer and self.links.get(channel.peer) is channel:
            del self.links[channel.peer]
            self.lost.add(channel.peer)
            self.peer_lost(channel.peer)
            self.pump.notify()

    def peer_lost(self, peer: int) -> None:
        """Tell the party that a link is gone."""
        self.drive(PeerLost(peer))

    def to(self, target: int, put: Callable[[Channel], object]) -> None:
        """Put something on the link to a party, now or when there is one."""
        channel = self.links.get(target)
        if channel is not None:
            put(channel)
            self.soil(channel)
        elif target in self.lost:
            self.peer_lost(target)
        elif target in self.held:
            self.held[target].append(put)
        else:
            self.held[target] = [put]
            self.dial(target)

    def dial(self, target: int) -> None:
        """Ask for a link."""
        raise NotImplementedError

    def linked(self, word: wire.Link, fd: int) -> None:
        """Take our end of a link."""
        self.add_channel(Channel(socket.socket(fileno=fd), word.peer))

    def say(self, channel: Channel, word: wire.Control, *fds: int) -> None:
        """Say a word on a channel."""
        channel.say(word, *fds)
        self.soil(channel)

    def soil(self, channel: Channel) -> None:
        """Note that a channel has something to send."""
        self.dirty[channel.fd] = channel
        self.urgent = True

    # ------------------------------------------------------------------ the pump's three calls

    def flush(self) -> None:
        """Send what waits, on all links, in the order in which it was said: one who is told later may act on it."""
        while self.dirty:
            self.flush_channel(self.dirty.pop(next(iter(self.dirty))))

    def flush_urgent(self) -> None:
        """Send what need not wait for an answer from the same peer."""
        self.urgent = False
        for fd, channel in list(self.dirty.items()):
            if not channel.awaiting or len(channel.batch) >= HOLD_MAX:
                del self.dirty[fd]
                self.flush_channel(channel)

    def flush_rest(self) -> None:
        """See to it that all is sent: in a moment, but for what is urgent.

        Who leads may be in the kernel for long, since not every message is answered: then nothing is left to it.
        """
        if self.pump.led():
            self.flush()
            return
        if self.urgent:
            self.flush_urgent()
        if self.dirty:
            self.pump.remind_soon()

    def flush_channel(self, channel: Channel) -> None:
        """Send what one link takes, and have the kernel say when it takes more."""
        try:
            done = channel.flush()
        except OSError:
            self.drop_channel(channel)
            return
        if done == channel.writing:  # the kernel must be told otherwise
            channel.writing = not done
            events = select.EPOLLIN | (0 if done else select.EPOLLOUT)
            self.pump.epoll.modify(channel.fileno(), events)

    def serve(self, fd: int, mask: int) -> None:
        """Read a channel, and hand what has come to the party."""
        channel = self.channels.get(fd)
        if channel is None:
            return
        if mask & select.EPOLLOUT:
            self.flush_channel(channel)
        if mask & ~select.EPOLLOUT and fd in self.channels:
            self.read(channel)

    def read(self, channel: Channel) -> bool:
        """Hand what has come on a channel to the party; tell whether there may be more."""
        found = None
        try:
            found = channel.receive(self.sink)
            if channel.batch:
                self.urgent = True  # it waited for this answer
            for item in found or ():
                if type(item) is Envelope:
                    self.drive(item.message, item.cause)
                elif type(item) is ChunkReply:
                    self.drive(item)
                else:
                    self.hear(channel, item)
        except LinkError as error:
            log.error("%s closes the link to %s: %s", party_name(self.party.me), party_name(channel.peer), error)
            found = None
        if found is None:
            self.drop_channel(channel)
        return bool(found)

    def findings(self, word: wire.PartWanted, asks: tuple[int, ...] = ()) -> list[wire.PartFound]:
        """Return what this process answers to a question to all, in pieces that fit into frames.

        ``asks``: whom it has asked in turn; without any its answer is the last.
        """
        part = wire.PartFound(word.asker, word.number, self.party.me, asks=asks, last=not asks)
        if word.about == "census":
            return [replace(part, census=self.census_part())]
        if word.about == "accounts":
            return [replace(part, account=self.account_part(word.objects, word.names))]
        steps = [short(step) for step in self.ring.steps(*word.objects)]
        pieces = [steps[start : start + PIECE_STEPS] for start in range(0, len(steps), PIECE_STEPS)] or [[]]
        return [replace(part, steps=tuple(piece), last=not asks and piece is pieces[-1]) for piece in pieces]

    def account_part(self, objects: tuple[int, ...], names: tuple[int, ...]) -> Account:
        """Return what this process knows of objects."""
        return account(self.party, self.ring, objects, self.now(), os.getpid())

    def census_part(self) -> wire.Census:
        """Return what this process still knows of users' objects."""
        return census_of(self.party, ())

    def sink(self, chunk: ChunkReply) -> memoryview | None:
        """Say where the bytes of a chunk go."""
        return None

    def hear(self, channel: Channel, word: Any) -> None:
        """Act on another driver's word."""
        raise LinkError(f"{type(word).__name__} is not for this process")

    def tick(self) -> float:
        """Notice what has died, and fire timers that are due; return the seconds until the next."""
        self.drain_first()
        self.drain()
        while True:
            event, seconds = self.timers.next()
            if event is None:
                return seconds
            self.drive(event)

    # ------------------------------------------------------------------ effects

    def send(self, step: int, effect: Send) -> None:
        channel = self.links.get(effect.target)
        if channel is None:
            self.to(effect.target, lambda channel: channel.post(step, effect.message))
            return
        batch = channel.batch
        batch.append(Envelope(step, effect.message))
        self.dirty[channel.fd] = channel
        if not channel.awaiting or len(batch) >= HOLD_MAX:
            self.urgent = True

    def set_timer(self, step: int, effect: SetTimer) -> None:
        if self.timers.set(effect.timer, effect.seconds, effect.event):
            self.pump.remind()

    def cancel_timer(self, step: int, effect: CancelTimer) -> None:
        self.timers.cancel(effect.timer)

    def unsupported(self, step: int, effect: Any) -> None:
        """Refuse an effect that this kind of party never asks for."""
        raise TypeError(f"{party_name(self.party.me)} cannot perform {effect!r}")

    settle: Any = unsupported
    run: Any = unsupported
    interrupt: Any = unsupported
    spawn: Any = unsupported
    kill: Any = unsupported
    reserve: Any = unsupported
    move: Any = unsupported
    release: Any = unsupported

    # ------------------------------------------------------------------ the end

    def close_links(self) -> None:
        """Close every link, and end the journal."""
        self.close_channels()
        self.end_journal()

    def close_channels(self) -> None:
        """Close every link; what is still to be sent is lost."""
        for channel in list(self.channels.values()):
            channel.close()
        for mapping in (self.channels, self.links, self.held, self.dirty, self.timers):
            mapping.clear()

    def forked(self) -> None:
        """This is a child of the driver's process, forked by user code: it has no part in the cluster."""
        self.close_channels()
        self.pump.abandon()
        if self.journal is not None:
            self.journal.abandon()


def deaf(event: Event, now: float, cause: int) -> list[tuple[int, Effect]]:
    """Stand in for a party that is told nothing any more."""
    return []


LIVING: weakref.WeakSet[LocalDriver] = weakref.WeakSet()  # drivers of this process: one, or none


def after_fork() -> None:
    """Let go, in a forked child, of all that belongs to its parent: else a link would seem to live on in it."""
    for driver in list(LIVING):
        driver.forked()
    LIVING.clear()


os.register_at_fork(after_in_child=after_fork)


def short(step: Step) -> Step:
    """Return a step that fits into a frame, whatever it asked for."""
    if len(step.asks) <= WISHES_MAX and len(step.detail) <= DETAIL_MAX:
        return step
    asks = (*step.asks[:WISHES_MAX], f"{len(step.asks) - WISHES_MAX} more")[: len(step.asks)]
    return replace(step, asks=asks, detail=step.detail[:DETAIL_MAX])
