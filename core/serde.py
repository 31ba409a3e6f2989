"""Value <-> bytes, and the references found inside.

Decides how a value is laid out: a plain pickle (protocol 5), or a header, the pickle and its buffers, 64-byte
aligned.  Refuses to know what a reference is, where bytes lie and who sends them.  Keep in mind: what workers
cannot import (functions and classes of ``__main__``, of cells, of function bodies) travels by value, and no
process takes back a class that it has made.
"""

from __future__ import annotations

import struct
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import suppress
from contextvars import ContextVar
from pickle import PickleBuffer, Pickler, dumps, loads
from types import CodeType, FunctionType, SimpleNamespace
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary, ref

import cloudpickle
import msgspec

from freehold.core.complaints import PLAIN, complaint, importable, type_name
from freehold.core.errors import FreeholdError
from freehold.core.freshness import Uses, uses_of
from freehold.core.missing import say_where

Adopt = Callable[..., object]  # makes a reference of this process from what another one noted
Copy = Callable[[memoryview, memoryview], None]  # (target, source), of equal length
COPY_BYTES_MIN = 32 << 10  # from here on a copy is worth a call that frees the interpreter lock
PICKLER_BYTES_MAX = 16 << 10  # a pickler that wrote more has a memo that is slow to clear: it is dropped
CAUSE_BYTES_MAX = 1 << 20  # an exception travels inside a reply
CLASS_BYTES_MAX = TEXT_CHARACTERS_MAX = 64 << 10  # a larger class is pickled in place, a longer text cut
MAGIC = b"fh5\0"  # never the start of a pickle, which is 0x80
HEADER = struct.Struct("<4sIQ")  # magic, number of buffers, bytes of the pickle; then each buffer's length
ATOMS = frozenset({type(None), bool, int, float, str})
# Not thread-locals: a simulated program that blocks in a pickle hook lets other greenlets run on its thread.
_noting: ContextVar[dict[int, object] | None] = ContextVar("freehold_noting", default=None)
_adopting: ContextVar[Adopt | None] = ContextVar("freehold_adopting", default=None)
adopter = _adopting.get  # returns what makes references here; None when it is not freehold that unpickles


class Serialized(msgspec.Struct, frozen=True):
    """A value on its way into bytes.  It shares memory with the value: pack it before the value changes."""

    head: tuple[bytes | memoryview, ...]  # the pickle in pieces; large bytes are a piece that was not copied
    buffers: tuple[memoryview, ...]  # what is not in the pickle, raw and contiguous
    refs: tuple[int, ...]  # ids of the references inside, each once, in order of appearance
    nbytes: int  # of the packed value: the serialized size
    holders: tuple[object, ...] = ()  # those references themselves: one made while pickling must not die yet


def note(id: int, ref: object = None) -> bool:
    """Tell the serialization that runs here of a reference inside its value; False if none runs."""
    noted = _noting.get()
    if noted is not None:
        noted.setdefault(id, ref)
    return noted is not None


def serialize(value: object) -> Serialized:
    """Pickle a value.  Raises a TypeError that names the part of it that cannot be pickled."""
    if type(value) in ATOMS:
        data = dumps(value, 5)
        return Serialized((data,), (), (), len(data))
    return _serialize(value, "root", False)


def serialize_function(function: Callable[..., object]) -> Serialized:
    """Pickle a function; unless workers can import it, with its closure and the globals that it uses."""
    return _serialize(function, getattr(function, "__name__", "function"), True)


def pack(serialized: Serialized) -> bytes:
    """Return the packed value."""
    return b"".join(_parts(serialized))  # one bytes object is not copied


def pack_into(serialized: Serialized, target: memoryview, copy: Copy) -> None:
    """Write the packed value to the start of ``target``; large parts go by ``copy``."""
    if target.nbytes < serialized.nbytes:
        raise ValueError(f"{serialized.nbytes} bytes do not fit into {target.nbytes}")
    start = 0
    for part in _parts(serialized):
        end = start + len(part)
        if len(part) < COPY_BYTES_MIN:
            target[start:end] = part
        else:
            copy(target[start:end], memoryview(part))
        start = end


def deserialize(data: bytes | memoryview, adopt: Adopt | None = None, writable: bool = False) -> Any:
    """Return a fresh value, its buffers slices of ``data`` or private copies.  ``adopter()`` is ``adopt`` meanwhile."""
    if adopt is None:
        return _load(data, writable)
    outer = _adopting.get()
    _adopting.set(adopt)
    try:
        return _load(data, writable)
    finally:
        _adopting.set(outer)


def _places(end: int, lengths: Iterable[int]) -> list[tuple[int, int]]:
    """Return where each buffer begins and ends, if the header and the pickle end at ``end``."""
    places = []
    for length in lengths:
        start = end + -end % 64
        end = start + length
        places.append((start, end))
    return places


def _parts(serialized: Serialized) -> Sequence[bytes | memoryview]:
    """Return what the packed value consists of, from its first byte to its last."""
    if not serialized.buffers:
        return serialized.head
    lengths = [len(buffer) for buffer in serialized.buffers]
    head_bytes = sum(map(len, serialized.head))
    header = HEADER.pack(MAGIC, len(lengths), head_bytes) + struct.pack(f"<{len(lengths)}Q", *lengths)
    parts = [header, *serialized.head]
    end = len(header) + head_bytes
    for buffer, (start, after) in zip(serialized.buffers, _places(end, lengths), strict=True):
        parts += (bytes(start - end), buffer)
        end = after
    return parts


def _load(data: bytes | memoryview, writable: bool) -> Any:
    try:
        return loads(data) if data and data[0] == 0x80 else _load_parts(data, writable)
    except ModuleNotFoundError as error:
        say_where(error)
        raise


def _load_parts(data: bytes | memoryview, writable: bool) -> Any:
    view = memoryview(data)
    if len(view) < HEADER.size or view[:4] != MAGIC:
        raise ValueError(f"{len(view)} bytes that begin with {bytes(view[:4])!r} are not a packed value")
    _, count, head_bytes = HEADER.unpack_from(view)
    start = HEADER.size + 8 * count
    end = start + head_bytes
    places = _places(end, struct.unpack_from(f"<{count}Q", view, HEADER.size) if start <= len(view) else (0,))
    if places[-1][1] > len(view):
        raise ValueError(f"a packed value was cut off after {len(view)} bytes")
    buffers: list[Any] = [view[first:last] for first, last in places]
    return loads(view[start:end], buffers=map(bytearray, buffers) if writable else buffers)


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """The C pickler; used again and again, since making one costs more than pickling a small value."""

    dump = Pickler.dump
    dispatch_table = property()  # none: so C uses copyreg's, not cloudpickle's slow ChainMap per object

    def __init__(self) -> None:
        self.in_place = False  # no blobs: in a blob, and in a function, which shares globals with methods
        self.last: object = None  # what was looked at last; None until something is no plain builtin value
        self.outer: dict[int, object] | None = None  # where references were noted before
        self.refs: dict[int, object] = {}
        self.pieces: list[Any] = []  # bytes or bytearrays, what the pickler writes to its "file"
        self.buffers: list[PickleBuffer] = []
        super().__init__(SimpleNamespace(write=self.pieces.append), 5, self.buffers.append)

    def reducer_override(self, obj: Any) -> Any:
        """Say how to pickle what is no plain builtin value; NotImplemented leaves it to pickle."""
        if self.last is None:
            self.outer = _noting.get()
            _noting.set(self.refs)
        self.last = obj
        kind = type(obj)
        if kind is FunctionType:
            return NotImplemented if importable(obj) else super().reducer_override(obj)
        if issubclass(kind, type):
            return NotImplemented if importable(obj) else self._reduce_class(obj)
        if kind in _REDUCERS:
            return _REDUCERS[kind](obj)
        if kind.__module__ in ("numpy", "numpy.rec") and kind.__name__ in ("ndarray", "recarray", "memmap"):
            return _reduce_array(obj, kind)
        return NotImplemented

    def _reduce_class(self, cls: type) -> Any:
        """Send a class as a blob, made and loaded once, unless an attribute has been bound anew."""
        marks, blob, home = _KNOWN.get(cls, (None, b"", True))
        now = _marks(cls)
        same = marks == now and (cls not in _USES or _USES[cls].same())
        if blob and same and not self.in_place:
            return _load_class, (blob,)
        reduced = super().reducer_override(cls)
        if reduced is NotImplemented or len(reduced) < 6:
            return reduced
        if self.in_place:
            _KNOWN.setdefault(cls, (None, b"", home))
        elif not same:
            _USES[cls] = uses_of(cls)
            blob = _blob(cls)  # takes long enough for another thread to have come first
            _CLASSES.pop(_KNOWN.get(cls, (None, b""))[1], None)
            _KNOWN[cls] = (now, blob, home)
            if blob:
                _CLASSES[blob] = cls
                return _load_class, (blob,)
        make, arguments, attributes, _, _, fill = reduced
        return make, arguments, (fill, attributes), None, None, _fill_class

    def run(self, value: object) -> Serialized:
        """Pickle one value, then be ready for the next."""
        try:
            self.dump(value)
        finally:
            if self.last is not None:
                _noting.set(self.outer)
        if self.last is None and len(self.pieces) == 1 and not self.buffers:
            data = self.pieces.pop()
            serialized = Serialized((data,), (), (), len(data))
        else:
            serialized = self._collect()
        if len(serialized.head) == 1 and len(serialized.head[0]) <= PICKLER_BYTES_MAX:
            self.clear_memo()
            _IDLE.append(self)
        return serialized

    def _collect(self) -> Serialized:
        head = tuple([piece if type(piece) is bytes else memoryview(piece) for piece in self.pieces])
        buffers = tuple([buffer.raw() for buffer in self.buffers])
        nbytes = sum(map(len, head))
        if buffers:
            nbytes = _places(HEADER.size + 8 * len(buffers) + nbytes, map(len, buffers))[-1][1]
        serialized = Serialized(head, buffers, tuple(self.refs), nbytes, tuple(self.refs.values()))
        self.last = None
        for used in (self.pieces, self.buffers, self.refs, self.globals_ref):
            used.clear()
        return serialized


_IDLE: list[_Pickler] = []  # pop and append are atomic, and whoever has popped a pickler owns it
_REDUCERS: dict[type, Callable[[Any], Any]] = dict(cloudpickle.Pickler._dispatch_table)


def _reduce_code(code: CodeType) -> Any:
    """Keep the name of the file, which cloudpickle hides: tracebacks and call sites in workers name it."""
    make, arguments = _reduce_code_without_file(code)
    return make, tuple([code.co_filename if argument == "<dynamic-code>" else argument for argument in arguments])


_reduce_code_without_file = _REDUCERS[CodeType]
_REDUCERS[CodeType] = _reduce_code


def _serialize(value: object, name: str, in_place: bool) -> Serialized:
    try:
        pickler = _IDLE.pop()
    except IndexError:
        pickler = _Pickler()
    pickler.in_place = in_place
    try:
        return pickler.run(value)
    except (FreeholdError, MemoryError):
        raise
    except Exception as error:
        raise TypeError(complaint(value, name, pickler.last, error)) from error


def _reduce_array(array: Any, kind: type) -> Any:
    """Keep out of band what numpy would not: arrays that are not contiguous, recarray, memmap, dates."""
    if array.dtype.hasobject:
        return NotImplemented
    if kind.__name__ != "ndarray":
        return array.view(kind.__mro__[1]).view, (kind,)
    if array.dtype.kind in "mM":
        return array.view("i8").view, (array.dtype,)
    return NotImplemented if array.flags.forc else array.copy().__reduce_ex__(5)


# class -> (marks when its blob was made, its blob or b"" if it is pickled in place, whether it was made here)
_KNOWN: WeakKeyDictionary[type, tuple[list[object] | None, bytes, bool]] = WeakKeyDictionary()
_USES: WeakKeyDictionary[type, Uses] = WeakKeyDictionary()  # what its methods looked up when its blob was made
_CLASSES: WeakValueDictionary[bytes, type] = WeakValueDictionary()  # by blob


def _marks(cls: type) -> list[object]:
    """Return what differs when an attribute of the class has been bound anew, and keeps nothing alive."""
    return [
        value if type(value) in PLAIN else ref(value) if type(value) is FunctionType else id(value)
        for base in cls.__mro__
        if base.__module__ == cls.__module__
        for value in vars(base).values()
    ]


def _blob(cls: type) -> bytes:
    """Pack a class; b"" if it holds references, buffers or much else, or cannot be pickled."""
    try:
        serialized = serialize_function(cls)
    except TypeError:
        return b""  # pickled in place it fails again, and there the complaint has the whole path
    large = serialized.nbytes > CLASS_BYTES_MAX
    return b"" if serialized.refs or serialized.buffers or large else pack(serialized)


def _load_class(blob: bytes) -> type:
    cls: type | None = _CLASSES.get(blob)
    if cls is None:
        cls = loads(blob)
        _, old, home = _KNOWN[cls]
        if not home:
            _CLASSES.pop(old, None)
            _CLASSES[blob] = cls
            _KNOWN[cls] = (_marks(cls), blob, False)
    return cls


def _fill_class(cls: type, state: tuple[Callable[[type, object], object], object]) -> None:
    """Set the attributes of a class that has come, unless this process made it."""
    if not _KNOWN.get(cls, (None, b"", False))[2]:
        state[0](cls, state[1])
        _KNOWN[cls] = (None, b"", False)


def pack_exception(error: BaseException, function_name: str) -> bytes:
    """Pack what a task raised: the exception, if it survives a round trip, and what there is to read."""
    frames = error.__traceback__
    while frames and str(frames.tb_frame.f_globals.get("__name__")).startswith("freehold."):
        frames = frames.tb_next  # freehold's own, which ran the task
    report = traceback.TracebackException(type(error), error, frames or error.__traceback__, compact=True)
    text = f"in task {function_name}:\n{''.join(report.format())[-TEXT_CHARACTERS_MAX:]}"
    texts = [type_name(type(error)), str(report)[:TEXT_CHARACTERS_MAX], text]  # which may hold surrogates
    valid = (text.encode(errors="backslashreplace").decode() for text in texts)
    return msgspec.msgpack.encode((_pack_cause(error), *valid))


def unpack_exception(data: bytes) -> tuple[BaseException | None, str, str, str]:
    """Return the exception, or None if it cannot be had here, its type's name, message and traceback."""
    cause, *texts = msgspec.msgpack.decode(data)
    error = None
    with suppress(Exception):  # perhaps its class cannot be imported here; the texts still say what happened
        error = _unpack_cause(cause) if cause else None
    return error, *texts


def _pack_cause(error: BaseException) -> bytes | None:
    """Try the exception, then its parts, since many have an ``__init__`` that ``args`` do not fit."""
    for form, names in _forms(error):
        with suppress(Exception):
            serialized = serialize(form)
            if not serialized.refs and serialized.nbytes <= CAUSE_BYTES_MAX:
                data = pack(serialized)
                back = _unpack_cause(data)
                if (type(back), str(back), vars(back).keys()) == (type(error), str(error), names):
                    return data
    return None


def _forms(error: BaseException) -> Iterator[tuple[object, Set[str]]]:
    """Yield what may be pickled in an exception's stead, and the attributes that it then has, most of them first."""
    yield error, vars(error).keys()
    yield (type(error), error.args, vars(error)), vars(error).keys()
    kept = {}
    for name, value in vars(error).items():
        with suppress(Exception):
            serialized = serialize(value)
            if not serialized.refs:
                kept[name] = deserialize(pack(serialized))
    yield (type(error), error.args, kept), kept.keys()


def _unpack_cause(data: bytes) -> BaseException:
    cause = deserialize(data)
    if isinstance(cause, BaseException):
        return cause
    kind, arguments, attributes = cause
    base = next(base for base in kind.__mro__ if base.__module__ == "builtins")
    error: BaseException = base.__new__(kind, *arguments)
    base.__init__(error, *arguments)
    vars(error).update(attributes)
    return error
