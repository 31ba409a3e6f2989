"""One end of a link: a connected socket that carries frames both ways and never blocks.

Outgoing messages wait in a batch until ``flush``.  Incoming bytes are cut into frames; the bytes of a chunk go
straight to where the store has reserved room for them.  A channel does not know what messages mean.
"""

from __future__ import annotations

import array
import os
import socket
from collections import deque
from collections.abc import Callable

from freehold.backends.local import wire
from freehold.core.messages import AnyMessage, Envelope
from freehold.core.node_messages import ChunkReply

RECEIVE_NBYTES = 256 * 2**10
SEND_NBYTES = 2**20  # that the kernel keeps for a slow reader, if its limits allow: a sender is woken less often
FDS_MAX = 16
FDS_WAITING_MAX = 256  # that have come without the words that tell what they are
Sink = Callable[[ChunkReply], memoryview | None]


class LinkError(Exception):
    """A peer sent what no freehold process sends; the link is closed."""


class Channel:
    """One end of the link to ``peer``.

    Args:
        sock: a connected stream socket; it belongs to the channel from now on.
        peer: the party at the other end, 0 if it is none (a template, the launcher).
        carries_fds: descriptors may come along with words.
    """

    __slots__ = (
        "_body",
        "_carries_fds",
        "_chunk",
        "_in",
        "_into",
        "_out",
        "_sock",
        "awaiting",
        "batch",
        "fd",
        "fds",
        "peer",
        "writing",
    )
    _buffer = memoryview(bytearray(RECEIVE_NBYTES))  # shared by all channels of a process: one thread reads at a time

    def __init__(self, sock: socket.socket, peer: int, *, carries_fds: bool = False) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_NBYTES)
        self._sock = sock
        self.fd = sock.fileno()
        self.peer = peer
        self._carries_fds = carries_fds
        self.batch: list[Envelope] = []  # messages that wait to be sent
        self._out: deque[tuple[memoryview, tuple[int, ...]]] = deque()  # bytes, and descriptors that go with them
        self._in = bytearray()  # a frame that has not arrived in full
        self._chunk: ChunkReply | None = None  # the chunk whose bytes are arriving
        self._into: memoryview | None = None  # where the rest of them goes; None: nowhere
        self._body = 0  # how many are still to come
        self.fds: deque[int] = deque()  # descriptors that have arrived and were not asked for yet
        self.awaiting = False  # something was sent, and nothing has come since: an answer is due
        self.writing = False  # the socket's buffer is full

    def fileno(self) -> int:
        """Return the socket's descriptor; that of a closed one is -1."""
        return self._sock.fileno()

    def close(self) -> None:
        """Close the socket, and descriptors that nobody asked for, or that were still to be sent."""
        self._sock.close()
        for fd in (*self.fds, *[fd for _, fds in self._out for fd in fds]):
            os.close(fd)
        self.fds.clear()
        self._out.clear()

    def descriptor(self) -> int:
        """Return the descriptor that came with a word."""
        if not self.fds:
            raise LinkError("a word without its descriptor")
        return self.fds.popleft()

    # ------------------------------------------------------------------ out

    def post(self, cause: int, message: AnyMessage) -> None:
        """Add a message to the batch."""
        self.batch.append(Envelope(cause, message))

    def say(self, word: wire.Control, *fds: int) -> None:
        """Send a word after the messages posted so far; the channel closes its descriptors when they are sent."""
        self._seal_batch()
        self._out.append((memoryview(wire.control_frame(word)), fds))

    def send_chunk(self, reply: ChunkReply, body: memoryview) -> None:
        """Send bytes of a copy, from where they are."""
        self._seal_batch()
        self._out.append((memoryview(wire.chunk_head(reply)), ()))
        self._out.append((body, ()))

    def _seal_batch(self) -> None:
        if self.batch:
            self._out.append((memoryview(wire.messages(self.batch)), ()))
            self.batch = []

    def divert(self, object: int) -> None:
        """Throw away what is still to come of a chunk of this object: its room is given back."""
        if self._chunk is not None and self._chunk.object == object:
            self._into = None

    def flush(self) -> bool:
        """Send what the socket takes; return whether it took all.  Raises OSError if the link is broken."""
        if self.batch and not self._out:
            data = wire.messages(self.batch)
            self.batch = []
            self.awaiting = True
            sent = self._send(data, ())
            if sent == len(data):
                return True
            self._out.append((memoryview(data)[sent:], ()))
            return False
        self._seal_batch()
        while self._out:
            data_view, fds = self._out[0]
            self.awaiting = True
            sent = self._send(data_view, fds)
            if sent and fds:
                for fd in fds:
                    os.close(fd)
            if sent < len(data_view):
                if sent:
                    self._out[0] = (data_view[sent:], ())
                return False
            self._out.popleft()
        return True

    def _send(self, data: bytes | memoryview, fds: tuple[int, ...]) -> int:
        try:
            if fds:
                ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
                return self._sock.sendmsg([data], ancillary)
            return self._sock.send(data)
        except BlockingIOError:
            return 0

    # ------------------------------------------------------------------ in

    def receive(self, sink: Sink) -> list[Envelope | ChunkReply | wire.Control] | None:
        """Read what has come; return it in order, None if the peer is gone.

        Args:
            sink: says where the bytes of a chunk go; None throws them away.

        Raises:
            LinkError: the peer sent garbage.
        """
        self.awaiting = False
        if self._chunk is not None and self._into is not None:
            return self._receive_body()
        try:
            count = self._receive_into()
        except (BlockingIOError, InterruptedError):
            return []
        except OSError:
            return None
        if count == 0:
            return None
        try:
            if not self._in and self._chunk is None and count > wire.HEADER.size:  # most often: one whole frame
                length, kind = wire.HEADER.unpack_from(self._buffer)
                if kind == wire.MESSAGES and length == count - wire.HEADER.size:
                    return [*wire.messages_decoder.decode(self._buffer[wire.HEADER.size : count])]
            self._in += self._buffer[:count]
            return self._cut(sink)
        except LinkError:
            raise
        except Exception as error:  # whatever a decoder makes of garbage
            raise LinkError(f"{type(error).__name__}: {error}") from error

    def _receive_into(self) -> int:
        if not self._carries_fds:
            return self._sock.recv_into(self._buffer)
        space = socket.CMSG_SPACE(FDS_MAX * 4)
        count, ancillary, _, _ = self._sock.recvmsg_into([self._buffer], space, socket.MSG_CMSG_CLOEXEC)
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds = array.array("i")
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
                self.fds.extend(fds)
        if len(self.fds) > FDS_WAITING_MAX:
            raise LinkError(f"{len(self.fds)} descriptors that nobody asked for")
        return count

    def _receive_body(self) -> list[Envelope | ChunkReply | wire.Control] | None:
        """Read bytes of a chunk straight to their place."""
        assert self._into is not None and self._chunk is not None
        try:
            count = self._sock.recv_into(self._into[: self._body])
        except (BlockingIOError, InterruptedError):
            return []
        except OSError:
            return None
        if count == 0:
            return None
        self._into = self._into[count:]
        self._body -= count
        if self._body:
            return []
        chunk, self._chunk, self._into = self._chunk, None, None
        return [chunk]

    def _cut(self, sink: Sink) -> list[Envelope | ChunkReply | wire.Control]:
        """Cut the bytes that have arrived into frames."""
        found: list[Envelope | ChunkReply | wire.Control] = []
        data, at = self._in, 0
        while True:
            if self._chunk is not None:
                at = self._discard(data, at, found)
                if self._chunk is not None:
                    break
            if len(data) - at < wire.HEADER.size:
                break
            length, kind = wire.HEADER.unpack_from(data, at)
            if length > wire.BODY_NBYTES_MAX.get(kind, -1):
                raise LinkError(f"a frame of kind {kind} with {length} bytes")
            start = at + wire.HEADER.size
            if kind == wire.CHUNK:
                after = self._begin_chunk(data, start, length, sink)
                if after is None:
                    break
                at = after
                if self._chunk is not None and self._into is not None and not self._body:
                    found.append(self._chunk)
                    self._chunk = self._into = None
                elif self._into is not None:
                    break
                continue
            if len(data) - start < length:
                break
            with memoryview(data)[start : start + length] as body:
                if kind == wire.MESSAGES:
                    found += wire.messages_decoder.decode(body)
                else:
                    found.append(wire.control_decoder.decode(body))
            at = start + length
        del data[:at]
        return found

    def _begin_chunk(self, data: bytearray, start: int, length: int, sink: Sink) -> int | None:
        """Decode a chunk's head and place the bytes that came with it; return where the next frame may begin."""
        if len(data) < start + 2:
            return None
        head = start + 2 + int.from_bytes(data[start : start + 2], "little")
        if len(data) < head:
            return None
        chunk = wire.chunk_decoder.decode(bytes(data[start + 2 : head]))
        if chunk.nbytes != length - (head - start) or chunk.nbytes < 0 or chunk.offset < 0:
            raise LinkError(f"a chunk that announces {chunk.nbytes} bytes in a frame of {length}")
        self._chunk, self._into, self._body = chunk, sink(chunk), chunk.nbytes
        here = min(chunk.nbytes, len(data) - head)
        if self._into is not None:
            self._into[:here] = data[head : head + here]
            self._into = self._into[here:]
        self._body -= here
        if self._into is None and not self._body:
            self._chunk = None
        return head + here

    def _discard(self, data: bytearray, at: int, found: list[Envelope | ChunkReply | wire.Control]) -> int:
        """Throw the bytes of a chunk away that nobody has room for; it is not told either."""
        here = min(self._body, len(data) - at)
        self._body -= here
        if not self._body:
            self._chunk = None
        return at + here
