"""The arena: what each process may do to it, what its views promise, and what is left when it is gone."""

import ctypes
import errno
import faulthandler
import gc
import itertools
import mmap
import os
import pickle
import resource
import signal
import socket
import stat
import threading
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.backends.local import arena as arena_module
from freehold.backends.local.arena import SLAB_NBYTES, SPARE_NBYTES, Arena, default_capacity, memory_left

pytestmark = [
    *(pytest.mark.local, pytest.mark.slow),
    # A child runs one short function and ends, whatever threads the test runner has.
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]

CAPACITY = 3 * SLAB_NBYTES + 4096


def census() -> tuple[list[str], int]:
    """What this process has open and mapped of any arena."""
    gc.collect()
    descriptors = sorted(os.listdir("/proc/self/fd"))
    with open("/proc/self/maps") as maps:
        mappings = sum("memfd:freehold-arena" in line for line in maps)
    return descriptors, mappings


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    before = census()
    yield
    assert census() == before
    assert not [name for name in os.listdir("/dev/shm") if "freehold" in name]


@pytest.fixture
def arena() -> Iterator[Arena]:
    arena = Arena.create(CAPACITY, left=lambda: 1 << 40)
    yield arena
    arena.close()


def in_child(body: Callable[[], object], meanwhile: Callable[[], None] = lambda: None) -> tuple[str, int]:
    """Fork and run `body` there: what it returned or raised, as a string, and the signal that killed it."""
    back, forth = os.pipe()
    child = os.fork()
    if not child:
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        try:
            said = repr(body())
        except BaseException as error:
            said = type(error).__name__
        os.write(forth, said.encode())
        os._exit(0)
    os.close(forth)
    meanwhile()
    with open(back) as answer:
        said = answer.read()
    _, status = os.waitpid(child, 0)
    return said, os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def put(arena: Arena, offset: int, content: bytes) -> None:
    arena.ensure(offset, len(content))
    arena.copy(arena.writable(offset, len(content)), memoryview(content))


def test_child_reads_what_the_parent_writes_before_and_after_the_fork(arena: Arena) -> None:
    put(arena, 64, b"before")
    go = os.eventfd(0)

    def body() -> object:
        os.eventfd_read(go)
        return bytes(arena.readable(64, 6)), bytes(arena.view(128, 5, print, 0))

    def meanwhile() -> None:
        put(arena, 128, b"after")
        os.eventfd_write(go, 1)

    assert in_child(body, meanwhile) == (repr((b"before", b"after")), 0)
    os.close(go)


def test_child_forked_after_the_seal_still_writes_through_what_it_inherits(arena: Arena) -> None:
    arena.seal()
    arena.ensure(0, 5)
    assert in_child(lambda: arena.copy(arena.writable(0, 5), memoryview(b"child"))) == ("None", 0)
    assert bytes(arena.readable(0, 5)) == b"child"


def reopened(arena: Arena) -> int:
    return os.open(f"/proc/self/fd/{arena.fileno()}", os.O_RDWR)


def protect(arena: Arena) -> None:
    other = Arena.attach(os.dup(arena.fileno()), CAPACITY, writable=False)
    mprotect = ctypes.CDLL(None, use_errno=True).mprotect
    if mprotect(ctypes.c_void_p(other.read), 4096, mmap.PROT_READ | mmap.PROT_WRITE):
        raise OSError(ctypes.get_errno(), "mprotect")


@pytest.mark.parametrize(
    "attempt",
    [
        lambda arena: Arena.attach(arena.fileno(), CAPACITY, writable=True),
        lambda arena: os.pwrite(arena.fileno(), b"x", 0),
        lambda arena: os.ftruncate(arena.fileno(), 0),
        lambda arena: os.ftruncate(arena.fileno(), CAPACITY + 4096),
        lambda arena: mmap.mmap(reopened(arena), 4096),
        lambda arena: os.pwrite(reopened(arena), b"x", 0),
        protect,
    ],
    ids=["map", "pwrite", "shrink", "grow", "reopen-and-map", "reopen-and-pwrite", "mprotect"],
)
def test_after_the_seal_there_is_no_way_to_write(arena: Arena, attempt: Callable[[Arena], object]) -> None:
    put(arena, 0, b"kept")
    arena.seal()
    assert in_child(lambda: attempt(arena)) == ("PermissionError", 0)
    assert bytes(arena.readable(0, 4)) == b"kept"


def test_attached_before_the_seal_writes_and_after_it_only_reads(arena: Arena) -> None:
    assert stat.S_IMODE(os.fstat(arena.fileno()).st_mode) == 0o600
    assert not os.get_inheritable(arena.fileno())
    early = Arena.attach(os.dup(arena.fileno()), CAPACITY, writable=True)
    arena.seal()
    late = Arena.attach(os.dup(arena.fileno()), CAPACITY, writable=False)
    arena.ensure(0, 5)
    early.copy(early.writable(0, 5), memoryview(b"early"))
    assert (bytes(late.readable(0, 5)), late.write) == (b"early", None)
    with pytest.raises(PermissionError):
        late.writable(0, 5)
    early.close()
    late.close()


def test_attach_refuses_what_could_kill_its_readers(arena: Arena) -> None:
    with pytest.raises(ValueError, match="not an arena"):
        Arena.attach(arena.fileno(), CAPACITY + 1, writable=False)
    fd = os.memfd_create("shrinks", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, 4096)
    with pytest.raises(ValueError, match="not an arena"):
        Arena.attach(fd, 4096, writable=False)
    os.close(fd)


@pytest.mark.parametrize("where", ["address", "view", "view's own pin"])
def test_stray_write_kills_the_writer_and_changes_nothing(arena: Arena, where: str) -> None:
    put(arena, 0, b"kept" * 1000)

    def body() -> None:
        view = arena.view(0, 4000, print, 0)
        if where == "address":
            ctypes.memset(arena.read, 1, 1)
        elif where == "view":
            ctypes.memset(np.frombuffer(view, "u1").ctypes.data, 1, 1)
        else:
            pin: Any = view.obj
            pin[0] = b"x"

    assert in_child(body) == ("", signal.SIGSEGV)
    assert bytes(arena.readable(0, 4000)) == b"kept" * 1000


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_pin_fires_once_after_the_last_of_all_derived_is_gone(arena: Arena, order: tuple[int, ...]) -> None:
    put(arena, 64, bytes(range(100)))
    dead: deque[int] = deque()
    view = arena.view(64, 100, dead.append, 7)
    array = np.frombuffer(view, "u1")
    derived: list[object] = [view, array, array[10:20], memoryview(array.data)[5:]]
    del view, array
    for i in order:
        assert not dead
        derived[i] = None
    assert list(dead) == [7]


def test_pin_of_a_value_unpickled_over_it_lives_as_long_as_the_value(arena: Arena) -> None:
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps({"x": np.arange(1000)}, protocol=5, buffer_callback=buffers.append)
    put(arena, 0, bytes(buffers[0].raw()))
    dead: deque[int] = deque()
    value = pickle.loads(head, buffers=[arena.view(0, 8000, dead.append, 1)])
    assert value["x"].sum() == 499_500
    with pytest.raises(ValueError, match="WRITEABLE"):
        value["x"].setflags(write=True)
    assert not dead
    del value
    assert list(dead) == [1]


def test_views_are_flat_read_only_bytes_and_may_be_empty(arena: Arena) -> None:
    put(arena, CAPACITY - 3, b"abc")
    dead: deque[int] = deque()
    view = arena.view(CAPACITY - 3, 3, dead.append, 1)
    assert (view.readonly, view.format, view.nbytes, bytes(view)) == (True, "B", 3, b"abc")
    assert arena.readable(0, 3).readonly
    assert bytes(arena.view(CAPACITY, 0, dead.append, 2)) == b""
    assert list(dead) == [2]


def test_views_survive_close_and_the_last_takes_the_mapping_with_it() -> None:
    before = census()
    arena = Arena.create(CAPACITY)
    put(arena, 0, b"lasting")
    dead: deque[int] = deque()
    view, plain, room = arena.view(0, 7, dead.append, 1), arena.readable(0, 7), arena.writable(8, 1)
    arena.close()
    arena.close()
    del arena
    assert census() == (before[0], before[1] + 2)
    assert bytes(view) == bytes(plain) == b"lasting"
    del room
    assert census() == (before[0], before[1] + 1)
    del plain
    assert bytes(view) == b"lasting"
    assert not dead
    del view
    assert list(dead) == [1]
    assert census() == before


def test_closed_arena_says_so(arena: Arena) -> None:
    arena.close()
    ranges = arena.ensure, arena.readable, arena.writable, partial(arena.view, dead=print, id=1)
    for use in (arena.fileno, arena.seal, lambda: arena.read, *[partial(use, 0, 1) for use in ranges]):
        with pytest.raises(ValueError, match="closed"):
            use()


def taken(arena: Arena) -> int:
    return os.fstat(arena.fileno()).st_blocks * 512


def test_pages_are_taken_in_slabs_as_ranges_need_them_and_no_byte_changes(arena: Arena) -> None:
    assert taken(arena) == 0
    last = SLAB_NBYTES - 1
    for offset, nbytes, slabs in ((0, 0, 0), (0, 1, 1), (last, 1, 1), (last, 2, 2), (5, 5, 2)):
        arena.ensure(offset, nbytes)
        assert taken(arena) == arena.reserved == slabs * SLAB_NBYTES
    arena.copy(arena.writable(last - 2, 6), memoryview(b"across"))
    arena.reserved = 0
    arena.ensure(0, CAPACITY)
    assert taken(arena) == arena.reserved == CAPACITY
    assert bytes(arena.readable(last - 3, 8)) == b"\0across\0"


def test_full_machine_is_an_exception_and_takes_nothing() -> None:
    left = [SLAB_NBYTES + SPARE_NBYTES - 1]
    arena = Arena.create(CAPACITY, left=lambda: left[0])
    with pytest.raises(MemoryError, match="no memory left"):
        arena.ensure(0, 1)
    assert taken(arena) == arena.reserved == 0
    left[0] += 1
    put(arena, 0, b"fits")
    left[0] -= 1
    with pytest.raises(MemoryError):
        arena.ensure(SLAB_NBYTES, 1)
    assert (taken(arena), bytes(arena.readable(0, 4))) == (SLAB_NBYTES, b"fits")
    arena.close()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.ENOMEM])
def test_refusal_by_the_kernel_is_one_too(arena: Arena, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(fd: int, offset: int, nbytes: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with pytest.raises(MemoryError, match="the machine refuses"):
        arena.ensure(0, 1)
    assert arena.reserved == 0


def test_range_outside_is_refused(arena: Arena) -> None:
    for span in ((-1, 1), (0, -1), (0, CAPACITY + 1), (CAPACITY, 1), (CAPACITY + 1, 0)):
        for use in (arena.ensure, arena.writable, arena.readable, partial(arena.view, dead=print, id=1)):
            with pytest.raises(ValueError, match="do not lie in"):
                use(*span)


@pytest.mark.parametrize(("capacity", "seen"), [(0, ValueError), (-1, ValueError), (1 << 62, OSError)])
def test_capacity_that_cannot_be_leaves_nothing(capacity: int, seen: type[Exception]) -> None:
    with pytest.raises(seen, match="an arena of"):
        Arena.create(capacity)


def test_kernel_without_the_newer_flag_gets_an_arena_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.memfd_create

    def older(name: str, flags: int) -> int:
        if flags & 0x8:
            raise OSError(errno.EINVAL, "unknown flag")
        return real(name, flags)

    monkeypatch.setattr(os, "memfd_create", older)
    Arena.create(CAPACITY).close()


@given(
    nbytes=st.one_of(st.integers(0, 300), st.integers((256 << 10) - 2, (256 << 10) + 70_000)),
    offset=st.integers(0, 3 << 16),
    seed=st.integers(0, 255),
)
def test_copy_changes_the_range_and_nothing_beside_it(nbytes: int, offset: int, seed: int) -> None:
    arena = Arena.create(CAPACITY, left=lambda: 1 << 40)
    arena.ensure(0, 2 << 20)
    content = bytes((seed + i) % 256 for i in range(256)) * (nbytes // 256 + 1)
    arena.copy(arena.writable(offset, nbytes), memoryview(content)[:nbytes])
    around = bytes(arena.readable(0, 1 << 20))
    assert around == bytes(offset) + content[:nbytes] + bytes((1 << 20) - offset - nbytes)
    arena.close()


@pytest.mark.parametrize("nbytes", [10, 1 << 20])
def test_copy_refuses_other_lengths_and_read_only_targets(arena: Arena, nbytes: int) -> None:
    arena.ensure(0, 2 * nbytes)
    with pytest.raises(ValueError, match="cannot copy"):
        arena.copy(arena.writable(0, nbytes + 1), memoryview(bytes(nbytes)))
    with pytest.raises((TypeError, BufferError)):
        arena.copy(arena.readable(0, nbytes), memoryview(bytes(nbytes)))


def test_transfer_from_arena_to_arena(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arena_module, "_COPY_NBYTES", 100_000)
    monkeypatch.setattr(arena_module, "_TOUCH_NBYTES", 70_000)
    other = Arena.create(CAPACITY, left=lambda: 1 << 40)
    content = os.urandom(1 << 20)
    put(arena, 64, content)
    other.ensure(128, len(content))
    source, target = socket.socketpair()
    sender = threading.Thread(target=source.sendall, args=[arena.readable(64, len(content))])
    sender.start()
    room = other.writable(128, len(content))
    while room:
        room = room[target.recv_into(room) :]
    sender.join()
    source.close()
    target.close()
    assert bytes(other.readable(128, len(content))) == content
    other.close()


def v2(group: str, limit: object, usage: int, cache: int = 0) -> dict[str, str]:
    said = {"memory.max": f"{limit}\n", "memory.current": f"{usage}\n"}
    said["memory.stat"] = f"anon 77\ninactive_file {cache}\n"
    return {f"sys/fs/cgroup{group}/{name}": text for name, text in said.items()}


MEMINFO = {"proc/meminfo": "MemTotal: 9000000 kB\nMemAvailable:   1000000 kB\nHugePages_Total:  0\n"}
NESTED = MEMINFO | {"proc/self/cgroup": "0::/a/b\n"}
DOCKER = MEMINFO | {
    "proc/self/cgroup": "5:cpu:/x\n4:memory,hugetlb:/docker/1\n0::/\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": "9000\n",
    "sys/fs/cgroup/memory/memory.usage_in_bytes": "2000\n",
    "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 1\n",
}


def test_memory_left_is_the_least_that_anybody_grants(tmp_path: Path) -> None:
    cases: list[tuple[dict[str, str], int]] = [
        ({}, 8 << 30),  # a machine that says nothing
        (MEMINFO, 1_024_000_000),
        (NESTED | v2("/a", 5000, 4500, 100) | v2("/a/b", "max", 4000), 600),
        (NESTED | v2("/a/b", 10, 11), 0),
        (DOCKER, 7001),
    ]
    for i, (files, left) in enumerate(cases):
        for name, text in files.items():
            (tmp_path / str(i) / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / str(i) / name).write_text(text)
        assert memory_left(tmp_path / str(i)) == left


def test_default_capacity(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = ((10**10, 1, 3 * 10**9), (10**10, 3, 10**9), (1 << 40, 2, 4 << 30), (0, 1, 75 << 20))
    for left, nodes, capacity in cases:
        monkeypatch.setattr(arena_module, "memory_left", partial(int, left))
        assert default_capacity(nodes) == capacity
