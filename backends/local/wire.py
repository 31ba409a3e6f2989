"""What travels on a link: frames, and the drivers' own words beside the protocol's messages.

A frame is a length (u32), a kind (u8) and a body.  Lengths are bounded by kind, so that garbage cannot make a
reader allocate.  Control is msgspec and never pickle; only workers unpickle users' values.
"""

from __future__ import annotations

import struct
from typing import TypeAlias

import msgspec

from freehold.core.facts import Account
from freehold.core.messages import Envelope
from freehold.core.node_messages import ChunkReply
from freehold.core.policies import INLINED_BYTES_MAX, Policy
from freehold.core.trace import Step

HEADER = struct.Struct("<IB")
MESSAGES, CHUNK, CONTROL = 1, 2, 3
CONTROL_NBYTES_MAX = 4 * 2**20  # some steps of a ring, with all that they ask for, or a census, are the longest
BODY_NBYTES_MAX = {
    MESSAGES: 2 * INLINED_BYTES_MAX + 2**20,  # one task description, or a batch of smaller messages
    CHUNK: 256 * 2**20,
    CONTROL: CONTROL_NBYTES_MAX,
}
BATCH_NBYTES = 256 * 2**10  # a batch of messages is cut when it is longer


class Logging(msgspec.Struct, frozen=True):
    """How the program logged when it started the cluster."""

    handled: bool = False  # somebody had asked to see it
    form: str = ""  # of a line, "" for Python's own
    date_form: str = ""
    levels: list[tuple[str, int]] = []  # of loggers that have one of their own


class Setup(msgspec.Struct, frozen=True):
    """What every process of a cluster must know, sent to the launcher before anything else."""

    nonce: bytes
    policy: Policy
    path: list[bytes]  # sys.path of the program
    warnings: list[tuple[str, str, str, str, int]]  # its filters: (action, message, category, module, line)
    program: int
    log_to_driver: bool
    checked: bool
    logging: Logging = Logging()
    trace: str = ""  # a folder into which each process writes its events; "" for none


class Control(msgspec.Struct, frozen=True, array_like=True):
    """A word between drivers: about processes, links and output, never about objects."""


class Dial(Control, frozen=True, tag=1):
    """Link me to ``peer``.  Answered by Link at both ends; to a dead peer, by a link that is closed at once."""

    source: int
    peer: int


class Link(Control, frozen=True, tag=2):
    """The descriptor that comes along is ``party``'s end of a link to ``peer``."""

    party: int
    peer: int


class Hello(Control, frozen=True, tag=3):
    """A worker is ready."""

    worker: int
    pid: int


class Fork(Control, frozen=True, tag=4):
    """Template: fork a worker; the descriptor is its end of the link to its node."""

    worker: int


class KillWorker(Control, frozen=True, tag=5):
    """Template: end a worker at once."""

    worker: int


class Exited(Control, frozen=True, tag=6):
    """A worker, or the template's node, has ended; ``status`` as ``waitpid`` gives it."""

    worker: int
    status: int
    lines: tuple[str, ...] = ()  # the last that it wrote to stderr


class StartNode(Control, frozen=True, tag=7):
    """Launcher: start a node.  Descriptors: its link to the head node (or program), and the head node's arena."""

    node: int
    capacity: int
    resources: tuple[tuple[str, float], ...]
    workers: int


class StopNode(Control, frozen=True, tag=8):
    """Launcher: end a node and its workers at once."""

    node: int


class NodeLinked(Control, frozen=True, tag=9):
    """Head node: the descriptor is the link to a new node."""

    node: int
    resources: tuple[tuple[str, float], ...]


class Output(Control, frozen=True, tag=10):
    """Whole lines that a task has printed."""

    worker: int
    pid: int
    name: str
    stream: int  # 1 or 2
    text: str


class PartWanted(Control, frozen=True, tag=11):
    """A question to all: send your part of the answer, and have those behind you send theirs."""

    asker: int
    number: int  # of the asker's question
    about: str  # "steps": those in your ring; "accounts": what you know; "census": what you still know at all
    objects: tuple[int, ...] = ()  # steps, accounts: of these; steps: of all if there are none
    names: tuple[int, ...] = ()  # accounts: of further objects, of which only the call sites are asked for


class Left(msgspec.Struct, frozen=True, array_like=True):
    """One thing that a process still knows."""

    object: int  # which it is about, 0 for none
    words: str


class Census(msgspec.Struct, frozen=True, array_like=True):
    """What one process still knows of users' objects."""

    party: int
    records: dict[str, int]  # "party.table" -> how many, beside tables without any
    left: tuple[Left, ...]
    functions: tuple[int, ...]  # that it has cached
    contents: tuple[tuple[int, tuple[int, ...]], ...]  # objects of its own -> references inside


class PartFound(Control, frozen=True, tag=12):
    """A part of the answer, or a piece of one."""

    asker: int
    number: int
    party: int  # whose part it is; 0 for the word that nobody else will answer
    steps: tuple[Step, ...] = ()
    census: Census | None = None
    account: Account | None = None
    asks: tuple[int, ...] = ()  # whom this party has asked in turn
    last: bool = False  # everybody who could be asked has answered in full


class Begin(Control, frozen=True, tag=13):
    """Launcher: this is the cluster."""

    setup: Setup


class Leave(Control, frozen=True, tag=14):
    """Node: end when no worker of yours is lent any more; passed on by the head node."""

    node: int


class PathWanted(Control, frozen=True, tag=15):
    """Program: a worker has not found a module; where would you look?"""

    number: int


class PathFound(Control, frozen=True, tag=16):
    """What ``sys.path`` of the program is now."""

    number: int
    path: tuple[bytes, ...]


class EndWanted(Control, frozen=True, tag=17):
    """A node: how did a worker of yours end?  Answered when it has."""

    asker: int
    number: int  # of the asker's question
    worker: int


class EndFound(Control, frozen=True, tag=18):
    """How a worker has ended, as in Exited."""

    number: int
    status: int
    lines: tuple[str, ...]


AnyControl: TypeAlias = (
    Dial
    | Link
    | Hello
    | Fork
    | KillWorker
    | Exited
    | StartNode
    | StopNode
    | NodeLinked
    | Output
    | PartWanted
    | PartFound
    | Begin
    | Leave
    | PathWanted
    | PathFound
    | EndWanted
    | EndFound
)


encoder = msgspec.msgpack.Encoder()
messages_decoder = msgspec.msgpack.Decoder(list[Envelope])
chunk_decoder = msgspec.msgpack.Decoder(ChunkReply)
control_decoder = msgspec.msgpack.Decoder(AnyControl)


def control_frame(word: Control) -> bytes:
    """Return a frame that carries one word."""
    body = encoder.encode(word)
    return HEADER.pack(len(body), CONTROL) + body


def messages(batch: list[Envelope]) -> bytes:
    """Return a frame that carries envelopes as one list, or several if it would be long."""
    body = encoder.encode(batch)
    if len(body) > BATCH_NBYTES and len(batch) > 1:
        half = len(batch) // 2
        return messages(batch[:half]) + messages(batch[half:])
    return HEADER.pack(len(body), MESSAGES) + body


def chunk_head(reply: ChunkReply) -> bytes:
    """Return what comes before the bytes of a chunk: the frame's header, and the message that announces it."""
    head = encoder.encode(reply)
    return HEADER.pack(2 + len(head) + reply.nbytes, CHUNK) + len(head).to_bytes(2, "little") + head
