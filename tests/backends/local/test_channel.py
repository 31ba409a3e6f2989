"""Links: what is sent arrives, however it is cut; what no freehold process sends closes the link and costs nothing."""

from __future__ import annotations

import os
import random
import resource
import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest

import freehold
from freehold.backends.local import wire
from freehold.backends.local.channel import FDS_WAITING_MAX, Channel, LinkError
from freehold.core import cluster
from freehold.core.ids import is_node, node_id, node_index
from freehold.core.messages import Envelope, LocateReply, TaskReply
from freehold.core.node_messages import ChunkReply, FreeNotice, HoldNotice, LeaseReply
from freehold.core.values import Failure, Payload, Placed

MESSAGES = (
    FreeNotice(5),
    HoldNotice(1 << 50, 64, 10**9),
    LocateReply(7, 1, Payload(3, (1, 2), b"abc")),
    LocateReply(7, 1, Placed(10**7, (16384, 32768))),
    LeaseReply(((("CPU", 1.0),), 0), 1, 2, (3, 4)),
    TaskReply(1, 2, 3, (Failure("task", 1, 2, "text", b"data"),) * 3, (), 0.5),
    TaskReply(1, 2, 3, (Payload(200_000, (), bytes(200_000)),), (), 0.5),
)
WORDS = (wire.Hello(3, 4), wire.Output(1, 2, "f", 1, "line\n" * 1000), wire.Dial(1, 2))


class Pair:
    """A channel, and the bare socket at its other end."""

    def __init__(self, *, carries_fds: bool = False) -> None:
        ours, self.far = socket.socketpair()
        self.near = Channel(ours, 1, carries_fds=carries_fds)

    def close(self) -> None:
        self.near.close()
        self.far.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.close()


def received(channel: Channel, sink: Any = lambda chunk: None) -> list[Any]:
    """Read until there is nothing more."""
    found: list[Any] = []
    while more := channel.receive(sink):
        found += more
    return found


def everything(dice: random.Random, target: Channel, body: memoryview) -> tuple[list[Any], dict[int, bytes]]:
    """Put a random mix of messages, words and chunks on a channel; return what should arrive."""
    sent: list[Any] = []
    chunks: dict[int, bytes] = {}
    for number in range(40):
        match dice.randrange(3):
            case 0:
                message = dice.choice(MESSAGES)
                target.post(number, message)
                sent.append(Envelope(number, message))
            case 1:
                word = dice.choice(WORDS)
                target.say(word)
                sent.append(word)
            case 2:
                nbytes = dice.choice((1, 5, 1000, 70_000, 300_000))
                reply = ChunkReply(number, 1, 0, nbytes)
                target.send_chunk(reply, body[:nbytes])
                if number % 3:
                    sent.append(reply)
                    chunks[number] = bytes(body[:nbytes])
    return sent, chunks


@pytest.mark.parametrize("seed", range(6))
def test_what_is_sent_arrives_in_order_however_it_is_cut(pair: Pair, seed: int) -> None:
    dice = random.Random(seed)
    ours, theirs = socket.socketpair()
    source = Channel(ours, 2)
    sent, chunks = everything(dice, source, memoryview(dice.randbytes(300_000)))
    theirs.setblocking(False)
    places: dict[int, bytearray] = {}

    def sink(chunk: ChunkReply) -> memoryview | None:
        if chunk.object % 3 == 0:
            return None  # nobody has room for it
        places[chunk.object] = bytearray(chunk.nbytes)
        return memoryview(places[chunk.object])

    found: list[Any] = []
    done = False
    stream = bytearray()
    while not done or stream:
        done = source.flush()
        while piece := receive_some(theirs):
            stream += piece
        count = dice.choice((1, 3, 100, 5000, 100_000, 400_000))
        pair.far.sendall(stream[: min(count, 100_000)])
        del stream[: min(count, 100_000)]
        found += received(pair.near, sink)
    assert found == sent
    assert {name: bytes(place) for name, place in places.items()} == chunks
    source.close()
    theirs.close()


def receive_some(sock: socket.socket) -> bytes:
    try:
        return sock.recv(1 << 20)
    except BlockingIOError:
        return b""


def frame(kind: int, body: bytes, length: int | None = None) -> bytes:
    return wire.HEADER.pack(len(body) if length is None else length, kind) + body


def head(reply: ChunkReply) -> bytes:
    encoded = wire.encoder.encode(reply)
    return struct.pack("<H", len(encoded)) + encoded


LESS = head(ChunkReply(1, 1, 0, -2))
GARBAGE = {
    "a kind that nobody knows": frame(9, b"abc"),
    "a kind of zero": bytes(5),
    "a length beyond all bounds": frame(wire.MESSAGES, b"", 2**32 - 1),
    "control longer than control is": frame(wire.CONTROL, b"", wire.CONTROL_NBYTES_MAX + 1),
    "not msgpack": frame(wire.MESSAGES, b"\xc1" * 10),
    "an array that announces four billion items": frame(wire.MESSAGES, b"\xdd\xff\xff\xff\xff"),
    "bytes that announce four billion": frame(wire.MESSAGES, b"\x91\x92\x00\x92\x1f\xc6\xff\xff\xff\xff"),
    "nesting without end": frame(wire.MESSAGES, b"\x91" * 90_000),
    "nesting inside a token": frame(wire.MESSAGES, b"\x91\x92\x00\x94\x0b\x01\x01\x94\x01\x00\x90" + b"\x91" * 90_000),
    "half a message": frame(wire.MESSAGES, wire.messages([Envelope(1, MESSAGES[0])])[5:-1]),
    "a word of no kind": frame(wire.CONTROL, b"\x92\x63\x01"),
    "text that is no text": frame(wire.CONTROL, wire.encoder.encode(WORDS[1]).replace(b"line", b"\xff\xfe\xfd\xfc", 1)),
    "a chunk whose head lies": frame(wire.CHUNK, head(ChunkReply(1, 1, 0, 7)) + bytes(8)),
    "a chunk of less than nothing": frame(wire.CHUNK, LESS, len(LESS) - 2),
    "a chunk before its place": frame(wire.CHUNK, head(ChunkReply(1, 1, -64, 8)) + bytes(8)),
    "a chunk without a head": frame(wire.CHUNK, b"\xff\xff" + bytes(70_000)),
}  # fmt: skip


@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_closes_the_link(pair: Pair, what: str) -> None:
    pair.far.sendall(GARBAGE[what][:100_000])
    with pytest.raises(LinkError):
        received(pair.near)


def test_a_link_that_ends_in_the_middle(pair: Pair) -> None:
    whole = wire.messages([Envelope(1, MESSAGES[-1])])
    pair.far.sendall(whole[:-1])
    assert received(pair.near) == []
    pair.far.close()
    assert pair.near.receive(lambda chunk: None) is None


def test_random_bytes(pair: Pair) -> None:
    """20,000 links with noise, and with good frames in which a few bytes are changed."""
    dice = random.Random(4)
    good = b"".join(
        [
            wire.messages([Envelope(1, message) for message in MESSAGES[:6]]),
            *map(wire.control_frame, WORDS),
            wire.chunk_head(ChunkReply(1, 1, 0, 50)) + bytes(50),
        ]
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    closed = 0
    for _ in range(20_000):
        made = Pair()
        data = bytearray(good if dice.random() < 0.7 else dice.randbytes(dice.randrange(1, 300)))
        for _ in range(dice.randrange(4)):
            data[dice.randrange(min(len(data), 400))] = dice.randrange(256)
        made.far.sendall(data)
        try:
            received(made.near, lambda chunk: memoryview(bytearray(100))[: chunk.nbytes])
        except LinkError:
            closed += 1
        finally:
            made.close()
    assert closed > 5_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 2**10  # KiB


def test_descriptors_are_never_left(pair: Pair) -> None:
    """What came unasked, what was to be sent, and what could not be sent: all are closed with the channel."""
    before = len(os.listdir("/proc/self/fd"))
    made = Pair(carries_fds=True)
    for _ in range(5):
        made.near.say(wire.Link(1, 2), os.dup(0))
        socket.send_fds(made.far, [wire.control_frame(wire.Link(1, 2))], [0])
    assert len(received(made.near)) == 5
    os.close(made.near.descriptor())
    assert len(os.listdir("/proc/self/fd")) == before + 2 + 5 + 4
    made.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_descriptors_without_words_close_the_link() -> None:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit < FDS_WAITING_MAX + 100:
        pytest.skip(f"it opens {FDS_WAITING_MAX} descriptors, and 'ulimit -n' is {limit}")
    made = Pair(carries_fds=True)
    with pytest.raises(LinkError, match="descriptor"):
        made.near.descriptor()
    with pytest.raises(LinkError, match="descriptors"):
        for _ in range(FDS_WAITING_MAX):
            socket.send_fds(made.far, [wire.control_frame(wire.Hello(1, 2))], [0, 0])
            received(made.near)
    made.close()


@pytest.mark.local
@pytest.mark.timeout(60)
@pytest.mark.parametrize("victim", ["worker", "node"])
def test_who_is_sent_garbage_closes_the_link(watch, eventually, victim: str) -> None:
    """A worker that has lost the program is ended; a node that has leaves, as it does when that dies."""
    freehold.init(num_nodes=2, num_cpus=1)
    where = freehold.remote(lambda: os.getpid())
    assert len(freehold.get([where.remote(), where.options(node=1).remote()])) == 2
    roles = watch.roles()
    host: Any = cluster.engine().host
    peer = node_id(1) if victim == "node" else next(peer for peer in host.links if not is_node(peer))
    os.write(host.links[peer].fileno(), b"\xff" * 1000)
    assert eventually(lambda: peer not in host.links)
    assert freehold.get(where.remote(), timeout=30)
    gone = " 1" if victim == "node" else f"worker {node_index(peer)}"
    expected = {role: pid for role, pid in roles.items() if gone not in role}
    assert eventually(lambda: {role: watch.roles().get(role) for role in roles if role in expected} == expected)
