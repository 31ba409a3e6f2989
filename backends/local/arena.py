"""Decides how a node's object store lies in memory: its file, mappings and pages, and how bytes are copied.

It refuses to know owners, references, workers, messages, and what lies in which range (`allocator.py` does).

The invariant to hold in mind: the file never shrinks, and a mapping lives as long as any view of it, so no
address that was ever handed out can fault, except by a write through a read-only mapping; that fault is the
wall that keeps a sealed value as it was.  The file is anonymous: it has no name to leave behind, and is gone
with its last holder.

Pages are taken in two steps.  The file gets them once, zeroed, from the node process (`ensure`), which so
learns by an exception that the machine is full.  Each process then maps them when it first touches them, at
the price of a fault per page if the touch is a write, but per 16 pages if it is a read; hence `_touch`.
"""

import ctypes
import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from mmap import MAP_SHARED, PROT_READ, PROT_WRITE
from pathlib import Path
from typing import Any

from freehold.backends.local.limits import address_space_left, control_groups, enclosing

SLAB_NBYTES = 16 << 20  # taken at a time, in 5 ms; by 64 MiB, a first put of 100 MB would pay for 134 MB
SMALL_SLAB_NBYTES = 1 << 20  # the same, for small ranges at the other end
SPARE_NBYTES = 64 << 20  # left to everybody else: the kernel kills at zero, and asks nobody
CAPACITY_MIN = 75 << 20
CAPACITY_MAX = 8 << 30

_TOUCH_STRIDE = 64 << 10  # what Linux maps around a read fault
_TOUCH_NBYTES = 8 << 20  # under half a millisecond, and the interpreter lock may pass on
_SHORT_NBYTES = 256 << 10  # under 30 us: cheaper to copy than to ask for addresses
_COPY_NBYTES = 64 << 20  # between two such pieces a signal is seen

_F_ADD_SEALS, _F_GET_SEALS = 1033, 1034
_F_SEAL_SHRINK, _F_SEAL_GROW, _F_SEAL_FUTURE_WRITE = 0x2, 0x4, 0x10  # the last has no name in `fcntl`
_MFD_NOEXEC_SEAL = 0x8  # Linux 6.3; some machines refuse a memfd without it

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


class _Mapping:
    """One mapping of the file, gone with the last reference to it: the arena holds one, and every view does.

    Not `mmap.mmap`: that duplicates the descriptor and gives no address of read-only memory.
    """

    __slots__ = ("base", "nbytes")

    def __init__(self, base: int, nbytes: int) -> None:
        self.base = base
        self.nbytes = nbytes

    @classmethod
    def of(cls, fd: int, nbytes: int, protection: int) -> "_Mapping":
        base = _libc.mmap(None, nbytes, protection, MAP_SHARED, fd, 0)
        if base == ctypes.c_void_p(-1).value:
            number = ctypes.get_errno()
            raise OSError(
                number,
                f"cannot map an arena of {nbytes} bytes ({os.strerror(number)}): "
                "give init a smaller object_store_memory=, or run 'ulimit -v unlimited' in this shell first",
            )
        return cls(base, nbytes)

    def __del__(self, munmap: Callable[[int, int], int] = _libc.munmap) -> None:
        munmap(self.base, self.nbytes)  # a default, since at exit the module may be gone before the last view


class Arena:
    """The memory of one node's object store, as one process sees it.

    The node process creates it, and calls `ensure` before it gives a range away.  Whoever inherits it by a
    fork, before or after the seal, has both mappings; whoever attaches after the seal can only read.
    """

    __slots__ = ("_fd", "_left", "_pin", "_read", "_reader", "_write", "_writer", "capacity", "ceiling", "reserved")

    def __init__(self, fd: int, capacity: int, *, writable: bool, left: Callable[[], int]) -> None:
        self._read: _Mapping | None = _Mapping.of(fd, capacity, PROT_READ)
        self._write: _Mapping | None = _Mapping.of(fd, capacity, PROT_READ | PROT_WRITE) if writable else None
        self.capacity = capacity
        self.reserved = 0  # all below has its pages; grows in `ensure`, in the one process that calls it
        self.ceiling = capacity  # all from here on has its pages as well
        self._fd = fd  # -1 once closed
        self._left = left
        self._reader = _whole(self._read).toreadonly()  # whatever is sliced from it keeps the mapping
        self._writer = _whole(self._write) if self._write else None
        self._pin = _pin_type(capacity)

    @classmethod
    def create(cls, capacity: int, *, left: Callable[[], int] | None = None) -> "Arena":
        """Make an arena whose pages are not yet taken, with both mappings.

        Args:
            capacity: length of the file; it costs address space only.
            left: says how many bytes the machine has left, for `ensure`; by default `memory_left`.
        """
        if capacity <= 0:
            raise ValueError(f"an arena of {capacity} bytes")
        fd = _memfd()
        try:
            os.fchmod(fd, 0o600)  # a memfd is born 0777
            os.ftruncate(fd, capacity)
            fcntl.fcntl(fd, _F_ADD_SEALS, _F_SEAL_SHRINK | _F_SEAL_GROW)
            return cls(fd, capacity, writable=True, left=left or memory_left)
        except BaseException:
            os.close(fd)
            raise

    @classmethod
    def attach(cls, fd: int, capacity: int, *, writable: bool) -> "Arena":
        """Map an arena that another process made.  On success the descriptor is this arena's to close.

        Raises:
            PermissionError: `writable` was asked, and the arena is sealed.
            ValueError: the file is too short, or could become so: either would kill its readers.
        """
        if os.fstat(fd).st_size < capacity or not fcntl.fcntl(fd, _F_GET_SEALS) & _F_SEAL_SHRINK:
            raise ValueError(f"descriptor {fd} is not an arena of {capacity} bytes")
        return cls(fd, capacity, writable=writable, left=memory_left)

    def seal(self) -> None:
        """Refuse, to all, later writable mappings and every `write`; the mappings that exist still write."""
        fcntl.fcntl(self.fileno(), _F_ADD_SEALS, _F_SEAL_FUTURE_WRITE)

    def fileno(self) -> int:
        """The descriptor to pass to a process that is to attach."""
        if self._fd < 0:
            raise ValueError("this arena is closed")
        return self._fd

    def close(self) -> None:
        """Let go of file and mappings.  A mapping that has views stays until the last of them dies."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1
        self._read = self._write = self._writer = None
        self._reader = memoryview(b"")

    @property
    def read(self) -> int:
        """The address of the read-only mapping."""
        return self._mapped().base

    @property
    def write(self) -> int | None:
        """The address of the writable mapping, or None if this process has none."""
        return self._write.base if self._write else None

    def ensure(self, offset: int, nbytes: int) -> None:
        """Take from the machine every page up to the end of a range.  To be called by the node process alone.

        Raises:
            MemoryError: the machine or a control group is full.  Slabs taken before that stay taken.
        """
        end = self._end(offset, nbytes)
        if end <= self.reserved or offset >= self.ceiling:
            return
        if self.ceiling - offset < end - self.reserved:  # small ranges come from the top
            start = max(self.reserved, offset // SMALL_SLAB_NBYTES * SMALL_SLAB_NBYTES)
            self._take(start, self.ceiling - start)
            self.ceiling = start
            return
        end = min(self.ceiling, -(-end // SLAB_NBYTES) * SLAB_NBYTES)
        self._ask(end - self.reserved)
        while self.reserved < end:
            slab = min(SLAB_NBYTES, end - self.reserved)
            self._take(self.reserved, slab)
            self.reserved += slab

    def _ask(self, nbytes: int) -> None:
        """Raise a MemoryError unless the machine has so many bytes to spare."""
        if self._left() < nbytes + SPARE_NBYTES:
            raise MemoryError(f"no memory left for the arena to grow from {self.reserved} by {nbytes} bytes")

    def _take(self, start: int, nbytes: int) -> None:
        """Take pages: the first call leaves it to faults to zero them, the second does it at a third of the price."""
        try:
            os.posix_fallocate(self._fd, start, nbytes)
            os.posix_fallocate(self._fd, start, nbytes)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.ENOMEM):
                raise
            raise MemoryError(f"the machine refuses the arena {nbytes} bytes more at {start}") from error

    def writable(self, offset: int, nbytes: int) -> memoryview:
        """A range to copy or receive into, with its pages mapped.  The node process must have ensured it."""
        end = self._end(offset, nbytes)
        base, whole = self.write, self._writer
        if base is None or whole is None:
            raise PermissionError("this process maps the arena read-only")
        _touch(whole, base, offset, end)
        return whole[offset:end]

    def readable(self, offset: int, nbytes: int) -> memoryview:
        """A range to send from.  Whoever asks answers for it that the range is not freed meanwhile."""
        return self._reader[offset : self._end(offset, nbytes)]

    def view(self, offset: int, nbytes: int, dead: Callable[[int], object], id: int) -> memoryview:
        """A range for a user, read-only in hardware, that says when its last view is gone.

        Args:
            dead: called once with `id` when nothing derived from the view is left, in whichever thread and
                between whichever two lines that happens: it must be `append` of a deque, or as harmless.
        """
        self._end(offset, nbytes)
        mapping = self._mapped()  # held from here on, whoever closes the arena meanwhile
        pin = self._pin.from_address(mapping.base + offset)
        pin.mapping, pin.dead, pin.id = mapping, dead, id
        # The pin may reach past the mapping; the slice never does.
        return memoryview(pin).cast("B")[:nbytes].toreadonly()

    @staticmethod
    def copy(target: memoryview, source: memoryview) -> None:
        """Copy bytes, without the interpreter lock if they are many.  Both are flat bytes of one length.

        `target[:] = source` would hold the lock for 7 ms per 100 MB.
        """
        nbytes = source.nbytes
        if target.nbytes != nbytes:
            raise ValueError(f"cannot copy {nbytes} bytes into {target.nbytes}")
        if nbytes <= _SHORT_NBYTES:
            target[:] = source
            return
        with _address(target, _PyBUF_WRITABLE) as to, _address(source, _PyBUF_SIMPLE) as come:
            for start in range(0, nbytes, _COPY_NBYTES):
                ctypes.memmove(to + start, come + start, min(_COPY_NBYTES, nbytes - start))

    def _mapped(self) -> _Mapping:
        if self._read is None:
            raise ValueError("this arena is closed")
        return self._read

    def _end(self, offset: int, nbytes: int) -> int:
        """The end of a range, if the arena is open and has it."""
        end = offset + nbytes
        if self._fd < 0:
            raise ValueError("this arena is closed")
        if offset < 0 or nbytes < 0 or end > self.capacity:
            raise ValueError(f"{nbytes} bytes at {offset} do not lie in an arena of {self.capacity}")
        return end


def _memfd() -> int:
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        return os.memfd_create("freehold-arena", flags | _MFD_NOEXEC_SEAL)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a kernel that does not know the flag
            raise
        return os.memfd_create("freehold-arena", flags)


def _whole(mapping: _Mapping) -> memoryview:
    """All of a mapping, which every slice of it keeps alive."""
    kind: Any = type("Span", (ctypes.c_char * mapping.nbytes,), {"__slots__": ("mapping",)})
    span = kind.from_address(mapping.base)
    span.mapping = mapping
    return memoryview(span).cast("B")


def _pin_type(capacity: int) -> Any:
    """One type for views of all lengths: a new one costs 8 us.  A weakref on a memoryview fires too early."""

    def __del__(pin: Any) -> None:  # by this name it is known that nothing is to be raised in it
        pin.dead(pin.id)

    names = {"freehold_object": property(lambda pin: pin.id), "__del__": __del__}
    body = {"__slots__": ("mapping", "dead", "id"), **names}
    return type("Pin", (ctypes.c_char * capacity,), body)


def _touch(whole: memoryview, base: int, offset: int, end: int) -> None:
    """Map the pages of a range into this process by reading one byte in 64 KiB, which makes them writable.

    Shared memory needs no fault to become dirty: a page that came with a read is written without another.
    A first copy of 100 MB into pages that exist takes 11 ms so, 13 after MADV_POPULATE_READ, 23 after
    MADV_POPULATE_WRITE, 31 after nothing.  A second touch costs 0.02, so nobody lists what is mapped.
    Readers need none of this: their own reads are of the cheap kind.
    """
    first = max(0, offset - (base + offset) % _TOUCH_STRIDE)
    for start in range(first, end, _TOUCH_NBYTES):
        bytes(whole[start : min(end, start + _TOUCH_NBYTES) : _TOUCH_STRIDE])


class _Buffer(ctypes.Structure):
    """`Py_buffer`: ctypes has no other way to the address of read-only memory."""

    _fields_ = [
        *[("buf", ctypes.c_void_p), ("obj", ctypes.c_void_p)],
        *[("len", ctypes.c_ssize_t), ("itemsize", ctypes.c_ssize_t)],
        *[("readonly", ctypes.c_int), ("ndim", ctypes.c_int)],
        *[(name, ctypes.c_void_p) for name in ("format", "shape", "strides", "suboffsets", "internal")],
    ]


_PyBUF_SIMPLE, _PyBUF_WRITABLE = 0, 1
_get_buffer = ctypes.pythonapi.PyObject_GetBuffer
_get_buffer.argtypes = [ctypes.py_object, ctypes.POINTER(_Buffer), ctypes.c_int]
_release_buffer = ctypes.pythonapi.PyBuffer_Release
_release_buffer.argtypes = [ctypes.POINTER(_Buffer)]
_release_buffer.restype = None


@contextmanager
def _address(view: memoryview, flags: int) -> Iterator[int]:
    """The address of a contiguous buffer, which cannot be released meanwhile."""
    buffer = _Buffer()
    _get_buffer(view, ctypes.byref(buffer), flags)
    try:
        yield buffer.buf
    finally:
        _release_buffer(ctypes.byref(buffer))


def default_capacity(nodes: int) -> int:
    """The capacity of each of a machine's arenas: together 30 % of what is left, 75 MiB to 8 GiB.

    Each process maps its arena twice, so where addresses are limited (``ulimit -v``) it takes half of them at most.
    """
    wanted = max(CAPACITY_MIN, min(CAPACITY_MAX, memory_left() * 3 // 10)) // nodes
    return min(wanted, address_space_left() // 4)


def memory_left(root: Path = Path("/")) -> int:
    """The bytes that the machine and every enclosing control group still grant, by files below `root`."""
    machine = _numbers(root / "proc/meminfo").get("MemAvailable:", CAPACITY_MAX // 1024) * 1024
    return max(0, min(machine, group_memory_left(root)))


def group_memory_left(root: Path = Path("/")) -> int:
    """The bytes that every enclosing control group still grants; very many if none has a limit."""
    left = [CAPACITY_MAX << 10]
    for controllers, path in control_groups(root):
        if controllers == "":
            mount, names = root / "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            mount = root / "sys/fs/cgroup/memory"
            names = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
        else:
            continue
        left += [_group_left(folder, *names) for folder in enclosing(mount, path)]
    return min(left)


def _group_left(folder: Path, limit: str, usage: str, cache: str) -> int:
    """What one control group grants; page cache that nobody uses counts as free."""
    try:
        granted = int((folder / limit).read_text()) - int((folder / usage).read_text())
    except (OSError, ValueError):  # not such a group here, or "max": no limit
        return CAPACITY_MAX << 10
    return granted + _numbers(folder / "memory.stat").get(cache, 0)


def _numbers(path: Path) -> dict[str, int]:
    """The lines of a file that are a name and a number."""
    try:
        rows = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return {}
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdecimal()}
