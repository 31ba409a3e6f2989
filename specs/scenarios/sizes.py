"""Sizes: what is inlined, what goes to the object store, and the bounds of one message."""

from __future__ import annotations

from typing import Any

import freehold
from freehold.core import serde
from freehold.specs.scenario import scenario

LIMIT = 102_400  # bytes of the serialized value: the default of inline_bytes_max
EDGES = (LIMIT - 1, LIMIT, LIMIT + 1)


def sized(nbytes: int) -> bytes:
    """Return a value whose serialized size is exactly ``nbytes``."""
    value = bytes(nbytes - serde.serialize(bytes(nbytes)).nbytes + nbytes)
    assert serde.serialize(value).nbytes == nbytes
    return value


def placed(ref: Any) -> bool:
    """Tell whether an object's owner has seen it go to an object store."""
    steps = freehold.story(ref).steps
    return any(step.table == "promotion" and step.after == "PLACED" for step in steps)


@scenario(returns=[False, False, True])
def put_at_the_limit() -> Any:
    """Three puts, one byte below, at and above the limit: only the last leaves the in-process store."""
    refs = [freehold.put(sized(nbytes)) for nbytes in EDGES]
    assert freehold.get(refs) == [sized(nbytes) for nbytes in EDGES]
    return [placed(ref) for ref in refs]


@scenario(returns=[False, False, True])
def return_at_the_limit() -> Any:
    """Three returns around the limit: the first two travel in the reply, the last is placed by the executor."""

    @freehold.remote
    def make(nbytes: int) -> bytes:
        return sized(nbytes)

    refs = [make.remote(nbytes) for nbytes in EDGES]
    assert freehold.get(refs) == [sized(nbytes) for nbytes in EDGES]
    return [placed(ref) for ref in refs]


@scenario(returns=[102_399, 102_400, 102_401] * 2)
def argument_at_the_limit() -> Any:
    """Arguments around the limit, by value and as references: inlined, or passed by reference."""

    @freehold.remote
    def measure(value: bytes) -> int:
        return serde.serialize(value).nbytes

    by_value = [measure.remote(sized(nbytes)) for nbytes in EDGES]
    by_reference = [measure.remote(freehold.put(sized(nbytes))) for nbytes in EDGES]
    return freehold.get(by_value + by_reference)


@scenario(returns=(120, 12_000_000))
def many_inlined_references() -> Any:
    """120 references to 100 kB each are arguments of one task: more than 10 MiB, so some stay references."""

    @freehold.remote
    def measure(*values: bytes) -> tuple[int, int]:
        return len(values), sum(map(len, values))

    refs = [freehold.put(bytes([i]) * 100_000) for i in range(120)]
    result = measure.remote(*refs)
    del refs
    return freehold.get(result)


@scenario(returns=(120, 12_000_000, 119))
def many_inlined_values() -> Any:
    """120 values of 100 kB each are arguments of one task: more than 10 MiB, so some become objects."""

    @freehold.remote
    def measure(*values: bytes) -> tuple[int, int, int]:
        return len(values), sum(map(len, values)), values[-1][0]

    return freehold.get(measure.remote(*[bytes([i]) * 100_000 for i in range(120)]))


@scenario(returns=(120, 12_000_000, [0, 60, 119]))
def many_inlined_returns() -> Any:
    """A task returns 120 values of 100 kB each: more than 10 MiB, so the last ones are placed."""

    @freehold.remote(num_returns=120)
    def make() -> list[bytes]:
        return [bytes([i]) * 100_000 for i in range(120)]

    refs = make.remote()
    values = freehold.get(refs)
    assert not placed(refs[0]) and placed(refs[-1])
    return len(values), sum(map(len, values)), [values[i][0] for i in (0, 60, 119)]


@scenario(returns=(3, 300_000, 300_001, 2))
def large_arguments_by_value() -> Any:
    """Large values are given by position and by keyword, mixed with references and small ones."""

    @freehold.remote
    def measure(small: int, large: bytes, *, named: bytes, ref: int) -> Any:
        return small, len(large), len(named), ref

    ref: Any = freehold.put(2)  # a reference by name is beyond the types
    return freehold.get(measure.remote(3, b"x" * 300_000, named=b"y" * 300_001, ref=ref))


@scenario(returns=(1_000, "inner", 300_000))
def large_value_with_references() -> Any:
    """A value that is large and holds references is put, and returned by a task; both are read by a task."""

    @freehold.remote
    def make(refs: list[Any]) -> Any:
        return {"fill": b"x" * 300_000, "refs": refs}

    @freehold.remote
    def read(value: Any) -> Any:
        return len(value["refs"]), freehold.get(value["refs"][0]), len(value["fill"])

    inner = freehold.put("inner")
    made = make.remote([inner] * 1_000)
    del inner
    put = freehold.put(freehold.get(made))
    del made
    return freehold.get(read.remote(put))


@scenario(init={"inline_bytes_max": 0}, returns=([1, 2], "x", 3))
def nothing_is_small() -> Any:
    """With a limit of zero bytes every value, argument and result goes through the object store."""

    @freehold.remote
    def add(a: int, b: int) -> int:
        return a + b

    @freehold.remote
    def read(refs: list[Any]) -> Any:
        return freehold.get(refs[0])

    return (
        freehold.get(freehold.put([1, 2])),
        freehold.get(read.remote([freehold.put("x")])),
        freehold.get(add.remote(1, 2)),
    )


@scenario(init={"inline_bytes_max": 10 * 2**20}, returns=[5_000_000, 5_000_000])
def everything_is_small() -> Any:
    """With a limit above every value nothing leaves the in-process store, but for borrowers."""

    @freehold.remote
    def size(value: bytes) -> int:
        return len(value)

    @freehold.remote
    def borrowed_size(refs: list[Any]) -> int:
        return len(freehold.get(refs[0]))

    ref = freehold.put(b"x" * 5_000_000)
    assert not placed(ref)
    return freehold.get([size.remote(ref), borrowed_size.remote([ref])])


@scenario(nodes=3, init={"chunk_bytes": 65_536, "chunks_in_flight": 2}, returns=[1_000_000, 65_536, 65_537, 131_072])
def transfers_in_many_chunks() -> Any:
    """Objects of one chunk, one and a bit, two, and many are pulled from another node."""

    @freehold.remote(node=2)
    def make(length: int) -> bytes:
        return bytes(range(256)) * (length // 256 + 1)

    lengths = (1_000_000, 65_536, 65_537, 131_072)
    refs = [make.remote(length) for length in lengths]
    for length, ref in zip(lengths, refs, strict=True):
        assert freehold.get(ref) == bytes(range(256)) * (length // 256 + 1)
    return list(lengths)
