"""The driver of a node: its object store's bytes, its template, and, on the head node, the making of links."""

from __future__ import annotations

import os
import socket
from functools import partial
from typing import Any

from freehold.backends.local import wire
from freehold.backends.local.allocator import Ranges
from freehold.backends.local.arena import Arena
from freehold.backends.local.census import bytes_expected, census_of
from freehold.backends.local.channel import Channel
from freehold.backends.local.driver import LocalDriver
from freehold.core.effects import Kill, Move, Release, Reserve, Spawn
from freehold.core.ids import HEAD, is_node, node_of, worker_id
from freehold.core.machine import replace
from freehold.core.node import Node
from freehold.core.node_events import Reserved, ReserveFailed
from freehold.core.node_messages import ChunkReply, NodeNotice
from freehold.core.queries import landing
from freehold.core.task_events import OfficeClosed, OfficeOpened, WorkerStarted

ENDS_MAX = 100  # workers of whose end a node can tell


class Gathering:
    """Answers to one question that went on to others, until all have answered."""

    def __init__(self, asker: Channel, asked: set[int]) -> None:
        self.asker = asker
        self.asked = asked


class NodeDriver(LocalDriver):
    """The driver of one node.

    Args:
        node: the party.
        setup: what every process of the cluster knows.
        arena: its object store.
        template: the link to the process that forks its workers.
    """

    def __init__(self, node: Node, setup: wire.Setup, arena: Arena, template: Channel) -> None:
        super().__init__(node, setup)
        self.offices = node.offices
        self.leaving = False
        self.arena = arena
        self.allocator = Ranges(arena.capacity)
        self.template = template
        self.started = 1 if node.me == HEAD else 0  # the first worker of the head node is the program
        self.pairs: set[tuple[int, int]] = set()  # head node: parties that have been linked
        self.ends: dict[int, wire.Exited] = {}  # of the last workers that have ended
        self.asked_for_ends: dict[int, list[wire.EndWanted]] = {}  # questions about workers that live
        self.gathered: dict[tuple[int, int], Gathering] = {}  # (asker, its number) -> who is still to answer
        self.add_channel(template)

    # ------------------------------------------------------------------ words

    def hear(self, channel: Channel, word: Any) -> None:
        match word:
            case wire.Dial():
                self.connect(word)
            case wire.Link(party, peer):
                self.pass_on(party, peer, channel.descriptor())
            case wire.Hello(worker):
                self.drive(WorkerStarted(worker, worker != self.setup.program))
            case wire.NodeLinked(node, resources):
                end = socket.socket(fileno=channel.descriptor())
                self.add_channel(Channel(end, node, carries_fds=True))
                self.drive(NodeNotice(((node, resources),)))
            case wire.Exited():
                self.worker_exited(word)
            case wire.EndWanted(_, _, worker):
                self.asked_for_ends.setdefault(worker, []).append(word)
                self.tell_end(worker)
            case wire.Leave(node):
                self.leave(node)
            case wire.PartWanted():
                self.gather(channel, word)
            case wire.PartFound():
                self.answer(channel, word)
            case _:
                super().hear(channel, word)

    def connect(self, word: wire.Dial) -> None:
        """Make a link between two parties, once; only the head node does."""
        if self.party.me != HEAD:
            self.to(HEAD, lambda channel: channel.say(word))
            return
        pair = (min(word.source, word.peer), max(word.source, word.peer))
        if pair in self.pairs:
            return
        self.pairs.add(pair)
        ours, theirs = socket.socketpair()
        self.pass_on(word.source, word.peer, ours.detach())
        self.pass_on(word.peer, word.source, theirs.detach())

    def pass_on(self, party: int, peer: int, fd: int) -> None:
        """Pass the end of a link on towards its party; if that is gone, its peer sees the link close."""
        if party == self.party.me:
            self.linked(wire.Link(party, peer), fd)
            return
        channel = self.links.get(party if node_of(party) == self.party.me else node_of(party))
        if channel is None:
            os.close(fd)
        else:
            self.say(channel, wire.Link(party, peer), fd)

    def dial(self, target: int) -> None:
        self.connect(wire.Dial(self.party.me, target))

    def peer_lost(self, peer: int) -> None:
        if peer in (0, HEAD, self.setup.program) and peer != self.party.me:
            os._exit(0)  # the template, the head node or the program is gone: this is the end
        for question, gathering in list(self.gathered.items()):
            self.one_answered(question, gathering, peer)
        super().peer_lost(peer)

    def leave(self, node: int) -> None:
        """Leave in good order, or pass the word on to the node that is to leave."""
        if node != self.party.me:
            self.to(node, lambda channel: channel.say(wire.Leave(node)))
            return
        self.leaving = True
        self.drive(OfficeClosed())

    def drain(self) -> None:
        if self.leaving and not self.offices[0].loans:
            os._exit(0)

    def worker_exited(self, word: wire.Exited) -> None:
        """A worker has ended: what it sent last is heard, then its link is closed, whoever else may hold an end."""
        self.ends[word.worker] = word
        if len(self.ends) > ENDS_MAX:
            del self.ends[next(iter(self.ends))]
        self.tell_end(word.worker)
        channel = self.links.get(word.worker)
        if channel is None:
            return
        while self.read(channel):
            pass
        self.drop_channel(channel)

    def tell_end(self, worker: int) -> None:
        """Answer those who want to know how a worker ended, if it has."""
        end = self.ends.get(worker)
        if end is None:
            return
        for asked in self.asked_for_ends.pop(worker, ()):
            self.to(asked.asker, partial(Channel.say, word=wire.EndFound(asked.number, end.status, end.lines)))

    # ------------------------------------------------------------------ questions to all

    def gather(self, asker: Channel, word: wire.PartWanted) -> None:
        """Answer for ourselves, and ask all others of the links that lead on to somebody who has not been asked."""
        others = {peer for peer in self.links if self.links[peer] is not asker and self.leads_on(peer)}
        for found in self.findings(word, tuple(sorted(others))):
            self.say(asker, found)
        if others:
            self.gathered[word.asker, word.number] = Gathering(asker, others)
            for peer in sorted(others):
                self.say(self.links[peer], word)

    def leads_on(self, peer: int) -> bool:
        """Tell whether questions to all go to a peer: they go along a tree, with the head node as its root."""
        return HEAD in (self.party.me, peer) if is_node(peer) else node_of(peer) == self.party.me

    def answer(self, channel: Channel, word: wire.PartFound) -> None:
        """Pass an answer back to who asked."""
        question = word.asker, word.number
        gathering = self.gathered.get(question)
        if gathering is None:
            return
        if word.last:
            gathering.asked.discard(channel.peer)
        last = not gathering.asked
        if last:
            del self.gathered[question]
        if gathering.asker.fileno() in self.channels:
            self.say(gathering.asker, replace(word, last=last))

    def one_answered(self, question: tuple[int, int], gathering: Gathering, peer: int) -> None:
        """A peer that was asked is gone; so may be whoever asked."""
        gathering.asked.discard(peer)
        if not gathering.asked:
            del self.gathered[question]
            if gathering.asker.fileno() in self.channels:
                self.say(gathering.asker, wire.PartFound(*question, 0, last=True))

    def census_part(self) -> wire.Census:
        """Return what this process still knows of users' objects."""
        node = self.party
        assert isinstance(node, Node)
        used, expected = self.allocator.bytes_used, bytes_expected(node)
        lines = [f"{used} bytes of the arena are in use, {expected} by the copies"] if used != expected else []
        return census_of(node, lines)

    # ------------------------------------------------------------------ effects

    def spawn(self, step: int, effect: Spawn) -> None:
        self.started += 1
        worker = worker_id(self.party.me, self.started)
        ours, theirs = socket.socketpair()
        self.add_channel(Channel(ours, worker, carries_fds=True))
        self.say(self.template, wire.Fork(worker), theirs.detach())

    def kill(self, step: int, effect: Kill) -> None:
        if effect.worker == self.party.me:
            os._exit(0)
        self.say(self.template, wire.KillWorker(effect.worker))

    def reserve(self, step: int, effect: Reserve) -> None:
        place = self.allocator.reserve(effect.nbytes)
        if place is not None:
            try:
                self.arena.ensure(place, effect.nbytes)
            except MemoryError:  # the machine has no pages left: as good as a full store
                self.allocator.free(place)
                place = None
        answer = ReserveFailed(effect.attempt) if place is None else Reserved(effect.attempt, place)
        self.drive(answer, step)

    def release(self, step: int, effect: Release) -> None:
        for channel in self.channels.values():
            channel.divert(effect.object)
        self.allocator.free(effect.place)

    def move(self, step: int, effect: Move) -> None:
        reply = ChunkReply(effect.object, effect.attempt, effect.offset, effect.nbytes)
        body = self.arena.readable(effect.place + effect.offset, effect.nbytes)
        self.to(effect.target, lambda channel: channel.send_chunk(reply, body))

    def sink(self, chunk: ChunkReply) -> memoryview | None:
        node = self.party
        assert isinstance(node, Node)
        place = landing(node, chunk)
        return None if place is None else self.arena.writable(place, chunk.nbytes)


def serve_node(driver: NodeDriver, start: wire.StartNode) -> None:
    """Do a node's work, for the life of the process."""
    pump = driver.pump
    pump.enter()
    driver.drive(NodeNotice(((driver.party.me, start.resources),)))
    driver.drive(OfficeOpened(start.workers))
    while True:
        pump.turn()
