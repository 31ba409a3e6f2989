"""What the machine itself does: the raw limits beside which the figures of a row are to be read."""

from __future__ import annotations

import mmap
import os
import pickle
import socket
import time
from collections.abc import Callable
from multiprocessing import shared_memory
from typing import Any

import msgspec

from freehold.backends.bench import work
from freehold.backends.bench.contender import Contender, Timed, nothing, repeated, timed
from freehold.backends.bench.rows import LARGE, MIDDLE, REFS, SMALL

WORD = pickle.dumps(1, 5)
LIMITS = Contender("limits", nothing, nothing)
ANY = ("127.0.0.1", 0)
SPINS_MAX = 10_000  # some milliseconds


# ------------------------------------------------------------------ in one process


class Record(msgspec.Struct, frozen=True, gc=False):
    """A record as the tables have them."""

    object: int
    state: int = 0
    attempt: int = 0


class Happened(msgspec.Struct, frozen=True, gc=False):
    """An event as the tables have them."""

    object: int


def changed(record: Record, event: Happened) -> Record:
    """Return the next record."""
    return msgspec.structs.replace(record, state=1, attempt=2)


def step(run: Callable[[Record, Happened], Record]) -> Timed:
    """Find a record and its handler, call it, and keep what it returns."""
    records, rows, event = {1: Record(1)}, {Happened: run}, Happened(1)

    def many(n: int) -> None:
        for _ in range(n):
            record = records[event.object]
            records[event.object] = rows[type(event)](record, event)

    return timed(many)


LIMITS.rate("step-changing", "by hand")(lambda: step(changed))
LIMITS.rate("step-unchanging", "by hand")(lambda: step(lambda record, event: record))


@LIMITS.rate("put-small", "pickle into a dict")
def pickle_into_a_dict() -> Timed:
    """Pickle a zero, keep it in a dict, and drop it."""
    kept: dict[int, bytes] = {}

    def many(n: int) -> None:
        for name in range(n):
            kept[name] = pickle.dumps(0, 5)
            del kept[name]

    return timed(many)


@LIMITS.rate("get-small", "unpickle from a dict")
def unpickle_from_a_dict() -> Timed:
    """Unpickle a zero that a dict holds."""
    kept = {1: pickle.dumps(0, 5)}

    def many(n: int) -> None:
        for _ in range(n):
            pickle.loads(kept[1])

    return timed(many)


@LIMITS.rate("get-large", "unpickle over a buffer")
def unpickle_over_a_buffer() -> Timed:
    """Make an array over memory that is there already."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(work.full(LARGE), 5, buffer_callback=buffers.append)
    view = memoryview(bytes(buffers[0])).toreadonly()
    return repeated(lambda: pickle.loads(head, buffers=[view]))


class Handle:
    """Stands for a reference: one number, remade by a call."""

    def __init__(self, name: int) -> None:
        self.name = name

    def __reduce__(self) -> tuple[Any, ...]:
        return Handle, (self.name,)


@LIMITS.rate("borrowed-refs", "unpickle 10,000 handles")
def unpickle_handles() -> Timed:
    """Unpickle a list of handles."""
    data = pickle.dumps([Handle(name) for name in range(REFS)], 5)
    return repeated(lambda: pickle.loads(data))


# ------------------------------------------------------------------ memory


def memcpy(nbytes: int) -> Timed:
    """Copy an array into another one, both in use already."""
    import numpy

    source = work.full(nbytes)
    target = numpy.zeros_like(source)
    return repeated(lambda: numpy.copyto(target, source))


LIMITS.rate("put-warm", "memcpy")(lambda: memcpy(LARGE))
LIMITS.rate("return", "memcpy")(lambda: memcpy(MIDDLE))


@LIMITS.rate("put-first-touch", "reserve + copy")
def reserve_and_copy() -> Timed:
    """Reserve anonymous shared memory, map it, and copy an array into it."""
    import numpy

    array = work.full(LARGE)

    def operation() -> None:
        fd = os.memfd_create("freehold-bench")
        try:
            os.posix_fallocate(fd, 0, array.nbytes)
            with mmap.mmap(fd, array.nbytes, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE) as memory:
                target = numpy.frombuffer(memory, array.dtype)
                numpy.copyto(target, array)
                del target  # the mapping cannot be closed while a view of it lives
        finally:
            os.close(fd)

    return repeated(operation)


@LIMITS.rate("put-first-touch", "fresh shared_memory")
def fresh_shared_memory() -> Timed:
    """Make a segment of ``multiprocessing.shared_memory``, copy an array into it, and remove it."""
    import numpy

    array = work.full(LARGE)

    def operation() -> None:
        segment = shared_memory.SharedMemory(create=True, size=array.nbytes)
        try:
            assert segment.buf is not None
            target = numpy.frombuffer(segment.buf, array.dtype)
            numpy.copyto(target, array)
            del target
        finally:
            segment.close()
            segment.unlink()

    return repeated(operation)


# ------------------------------------------------------------------ processes and sockets


def forked(body: Callable[[], object]) -> int:
    """Run a function in a forked process that ends with it; return the process."""
    pid = os.fork()
    if not pid:
        try:
            body()
        finally:
            os._exit(0)
    return pid


@LIMITS.whole("life", "fork")
def fork_two(_: int) -> dict[str, float]:
    """Fork two processes and wait until both have said a word; the memory is that of this small process."""
    start = time.perf_counter()
    here, there = socket.socketpair()
    with here, there:
        pids = [forked(lambda: there.send(b"1")) for _ in range(2)]
        heard = 0
        while heard < 2:
            heard += len(here.recv(2))
    seconds = time.perf_counter() - start
    for pid in pids:
        os.waitpid(pid, 0)
    return {"init": seconds}


def heard(link: socket.socket, *, spinning: bool) -> bytes:
    """Return what comes next; the yield lets the other process run where cores are few.

    After a while without a word it blocks all the same: between its windows it must not disturb the others.
    """
    for _ in range(SPINS_MAX if spinning else 0):
        try:
            return link.recv(200, socket.MSG_DONTWAIT)
        except BlockingIOError:
            os.sched_yield()
    return link.recv(200)


def echo(*, spinning: bool) -> Timed:
    """Exchange a pickled number with another process, over a Unix socket."""
    here, there = socket.socketpair()

    def answer() -> None:
        here.close()  # else this process would keep its own link open
        while data := heard(there, spinning=spinning):
            there.send(data)

    forked(answer)
    there.close()

    def many(n: int) -> None:
        for _ in range(n):
            here.send(WORD)
            pickle.loads(heard(here, spinning=spinning))

    return timed(many)


for probe in ("round-trip", "argument"):
    LIMITS.rate(probe, "socket echo, blocking")(lambda: echo(spinning=False))
    LIMITS.rate(probe, "socket echo, spinning")(lambda: echo(spinning=True))


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Return two ends of a TCP connection over the loopback address."""
    with socket.create_server(ANY) as server:
        here = socket.create_connection(server.getsockname())
        there, _ = server.accept()
    for end in (here, there):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return here, there


def stream(pair: Callable[[], tuple[socket.socket, socket.socket]], nbytes: int) -> Timed:
    """Ask another process for so many bytes, and receive them into memory that is in use already."""
    here, there = pair()
    memory = memoryview(bytearray(nbytes))

    def answer() -> None:
        here.close()
        while there.recv(1):
            there.sendall(memory)

    forked(answer)
    there.close()

    def operation() -> None:
        here.send(b"1")
        got = 0
        while got < nbytes:
            got += here.recv_into(memory[got:])

    return repeated(operation)


for row, size in (("nodes-large", LARGE), ("nodes-small", SMALL)):
    LIMITS.rate(row, "loopback TCP")(lambda size=size: stream(tcp_pair, size))  # type: ignore[misc]
    LIMITS.rate(row, "Unix stream")(lambda size=size: stream(socket.socketpair, size))  # type: ignore[misc]
