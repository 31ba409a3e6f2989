"""Values to bytes and back: layout, references, what travels by value, and what is said when it cannot."""

import enum
import functools
import os
import pickle
import subprocess
import sys
import threading
import types
import weakref
from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable
from dataclasses import make_dataclass
from pathlib import Path
from typing import Any

import cloudpickle
import greenlet
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import freehold
from freehold.core import serde

LOCK = threading.Lock()


def packed(value: object) -> bytes:
    """Pack a value in both ways, and check that they agree."""
    serialized = serde.serialize(value)
    place = bytearray(b"\xff" * (serialized.nbytes + 3))
    serde.pack_into(serialized, memoryview(place), lambda target, source: target.__setitem__(slice(None), source))
    data = serde.pack(serialized)
    assert place == data + b"\xff" * 3
    return data


def round_trip(value: Any) -> Any:
    return serde.deserialize(packed(value))


def raised(run: Callable[[], object]) -> BaseException:
    try:
        run()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


class By:
    """Pickles as what a call returns."""

    def __init__(self, reduce: Callable[[], Any]) -> None:
        self.reduce = reduce

    def __reduce__(self) -> Any:
        return self.reduce()


class Ref:
    """Does what ObjectRef does."""

    def __init__(self, id: int) -> None:
        self.id = id

    def __reduce__(self) -> Any:
        assert serde.note(self.id), "outside freehold"
        return adopted, (self.id,)


def adopted(id: int) -> Any:
    adopt = serde.adopter()
    return f"nobody adopts {id}" if adopt is None else adopt(id)


atoms = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
others = st.binary().map(bytearray) | st.sets(st.integers(), max_size=1) | st.frozensets(st.text(), max_size=1)


@given(st.recursive(atoms | others, lambda s: st.lists(s) | st.tuples(s, s) | st.dictionaries(atoms, s)))
def test_builtin_values_come_back_equal_in_value_and_type(value: Any) -> None:
    copied = round_trip(value)
    assert copied == value
    assert repr(copied) == repr(value)  # equal alone would take True for 1


Pair = namedtuple("Pair", ["left", "right"])
GLOBAL = Ref(4)
Color = enum.Enum("Color", ["RED"], module=__name__)
OTHERS = [OrderedDict(b=1, a=2), defaultdict(list, a=[1]), deque([1, 2], maxlen=3), Pair(1, [2]), Color.RED]
OTHERS += [type(None), type(...), type(NotImplemented), int, types.FunctionType, len, os.path.join, Pair, np]
OTHERS += [1 << 5000, "\ud800", float("inf"), 1j, range(3), slice(1, 2), b"x" * 200_000, "é" * 200_000, ...]


@pytest.mark.parametrize("value", OTHERS, ids=lambda value: type(value).__name__)
def test_other_values_come_back_equal(value: Any) -> None:
    copied = round_trip(value)
    assert (copied, type(copied)) == (value, type(value))


def test_small_values_are_plain_pickles_and_each_get_has_its_own_copy() -> None:
    inner = [1]
    data = packed((inner, inner, 2.5))
    assert data == pickle.dumps((inner, inner, 2.5), 5)
    first = serde.deserialize(data)
    first[0].append(3)
    assert first == ([1, 3], [1, 3], 2.5)
    assert serde.deserialize(data) == ([1], [1], 2.5)


@pytest.mark.parametrize("wrap", [lambda data: data, lambda data: {"a": [1, data, "end"]}])
def test_large_bytes_are_not_copied_on_the_way_in(wrap: Any) -> None:
    data = os.urandom(300_000)
    assert any(piece is data for piece in serde.serialize(wrap(data)).head)
    assert serde.deserialize(memoryview(packed(wrap(data)))) == wrap(data)
    assert type(serde.serialize(wrap(bytearray(data))).head[1]) is memoryview
    assert round_trip(wrap(bytearray(data))) == wrap(bytearray(data))


RECORDS = np.array([(1, 2.0), (3, 4.0)], dtype=[("a", "i1"), ("b", "f8")])
ARRAYS = [np.arange(1000.0), np.asfortranarray(np.arange(12).reshape(3, 4)), np.arange(100)[::-3], RECORDS]
ARRAYS += [np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2), np.zeros((0, 3)), np.array(3.5), np.array(["a", "b"])]
ARRAYS += [RECORDS.view(np.recarray), RECORDS.view(np.recarray)[::-1], np.array(["2020-01-01"], "M8[D]")]
ARRAYS += [np.arange(3, dtype=">i4"), np.arange(8).astype("m8[s]").reshape(2, 4).T]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{type(array).__name__}{array.shape}{array.dtype.kind}")
def test_arrays_are_read_in_place_aligned_and_read_only(array: Any) -> None:
    data = packed([np.ones(3, "i1"), array])
    copied = serde.deserialize(memoryview(data))[1]
    assert (type(copied), copied.dtype, copied.shape) == (type(array), array.dtype, array.shape)
    assert np.array_equal(copied, array)
    assert copied.flags.f_contiguous or not array.flags.f_contiguous
    with pytest.raises(ValueError, match="WRITEABLE"):
        copied.flags.writeable = True
    if array.size:
        start = np.frombuffer(data, "u1").__array_interface__["data"][0]
        offset = copied.__array_interface__["data"][0] - start
        assert (0 < offset < len(data), offset % 64) == (True, 0)


def test_arrays_of_other_kinds_and_from_writable_bytes(tmp_path: Path) -> None:
    serialized = serde.serialize(np.array([1, [2], Ref(7)], dtype=object))
    assert (serialized.buffers, serialized.refs) == ((), (7,))
    assert serde.deserialize(serde.pack(serialized), str).tolist() == [1, [2], "7"]
    assert round_trip(np.ma.array([1, 2], mask=[False, True])).tolist() == [1, None]
    mapped = round_trip(np.memmap(tmp_path / "file", "i4", "w+", shape=(5,)))
    assert (mapped.tolist(), mapped.flags.writeable) == ([0] * 5, False)
    private = memoryview(bytearray(packed(np.zeros(10))))
    serde.deserialize(private)[:] = 1
    assert serde.deserialize(private).sum() == 10


def test_many_buffers_and_bytes_that_follow() -> None:
    arrays = [np.full(i % 7, i) for i in range(3000)]
    assert [a.tolist() for a in serde.deserialize(packed(arrays) + b"more")] == [a.tolist() for a in arrays]
    assert [bytes(buffer) for buffer in serde.serialize(pickle.PickleBuffer(b"abc")).buffers] == [b"abc"]
    assert serde.serialize([1]).buffers == ()


def test_large_parts_go_by_the_given_copy_and_a_small_target_is_refused() -> None:
    serialized = serde.serialize([np.zeros(100_000, "u1"), np.zeros(10), b"x" * 70_000])
    place, lengths = memoryview(bytearray(serialized.nbytes)), []
    serde.pack_into(serialized, place, lambda target, source: lengths.append((len(target), len(source))))
    assert lengths == [(70_000, 70_000), (100_000, 100_000)]
    with pytest.raises(ValueError, match=f"^{len(place)} bytes do not fit into {len(place) - 1}$"):
        serde.pack_into(serialized, place[:-1], print)


@pytest.mark.parametrize("length", [0, 1, 5, 17, 30, 100, 871])
def test_bytes_that_are_no_whole_value_are_refused(length: int) -> None:
    cut = f"^a packed value was cut off after {length} bytes$"
    with pytest.raises(ValueError, match=cut if length > 15 else f"^{length} bytes that .* are not a packed value$"):
        serde.deserialize(packed(np.zeros(100))[:length])


def test_references_are_noted_once_in_order_and_adopted() -> None:
    again = Ref(5)
    serialized = serde.serialize([Ref(9), {"a": again, "b": (again, Ref(5))}, Ref(2), lambda: again])
    assert serialized.refs == (9, 5, 2)
    assert serde.deserialize(serde.pack(serialized), str)[:3] == ["9", {"a": "5", "b": ("5", "5")}, "2"]
    assert serde.serialize_function(lambda: (again, GLOBAL)).refs in ((4, 5), (5, 4))


def test_outside_freehold_nothing_is_noted_or_adopted() -> None:
    assert (serde.note(1), serde.adopter()) == (False, None)
    assert round_trip(Ref(1)) == "nobody adopts 1"
    assert str(raised(lambda: cloudpickle.dumps(Ref(1)))).startswith("outside freehold")


def test_nested_serializations_keep_their_references_apart() -> None:
    def nested() -> Any:
        inner = serde.serialize([Ref(2), Ref(3)])
        assert inner.refs == (2, 3)
        return serde.deserialize, (serde.pack(inner), repr)

    serialized = serde.serialize([Ref(1), By(nested), Ref(4)])
    assert serialized.refs == (1, 4)
    assert serde.deserialize(serde.pack(serialized), str) == ["1", ["2", "3"], "4"]


def test_neither_success_nor_failure_leaves_anything_behind() -> None:
    def fail() -> Any:
        return list, (raised(lambda: serde.serialize([Ref(8), LOCK])).args,)

    assert serde.serialize([Ref(1), By(fail), Ref(2)]).refs == (1, 2)
    thing = functools.partial(lambda *_: None, np.zeros(3), Pair(1, []))
    gone = weakref.ref(thing)
    serde.serialize([thing])
    del thing
    assert (gone(), [pickler for pickler in serde._IDLE if pickler.globals_ref]) == (None, [])
    divided = serde.pack(serde.serialize([Ref(1), By(lambda: (divmod, (1, 0)))]))
    assert isinstance(raised(lambda: serde.deserialize(divided, str)), ZeroDivisionError)
    assert (serde.note(1), serde.adopter()) == (False, None)


def test_threads_and_greenlets_do_not_see_each_other() -> None:
    found: dict[int, tuple[int, ...]] = {}

    def work(number: int, block: Callable[[], object]) -> None:
        by = By(lambda: (list, ((), block())[:1]))
        found[number] = serde.serialize([Ref(number), by, Ref(number + 10)]).refs

    barrier, main = threading.Barrier(3), greenlet.getcurrent()
    threads = [threading.Thread(target=work, args=(i, lambda: barrier.wait(30))) for i in range(3)]
    greenlets = [greenlet.greenlet(functools.partial(work, i, main.switch)) for i in range(3, 6)]
    for start in [t.start for t in threads] + [g.switch for g in greenlets * 2] + [t.join for t in threads]:
        start()
    assert found == {i: (i, i + 10) for i in range(6)}


READER = """
import sys
from freehold.core import serde
assert "numpy" not in sys.modules
values = [serde.deserialize(bytes.fromhex(line)) for line in sys.stdin]
print(*(value() if callable(value) else value for value in values), sep="\\n")
print(type(values[0][0]) is values[0][3][values[0][2]] is type(values[1].__self__))
"""
MAKER = """
import dataclasses, enum
from freehold.core import serde
@dataclasses.dataclass(slots=True)
class Base: x: int
class Point(Base):
    unit = "m"
    def scaled(self): return f"{type(self).__name__} {self.x * SCALE} {self.unit} {super().__repr__()}"
class Level(enum.Enum): HIGH = 3
def send(value, how=serde.serialize): print(serde.pack(how(value)).hex())
def closed(y): return lambda: [Point(y).scaled(), Level(3), Level.HIGH.value]
def deep(n=3): return "deep" if n == 0 else deep(n - 1)
method, SCALE = Point.scaled, 20
send([Point(1), Point(2), Level.HIGH, {Level.HIGH: Point}])
send(Point(3).scaled)
for function in (closed(4), deep): send(function, serde.serialize_function)
Point.unit = "km"  # noticed, and sent again
send(Point(5).scaled)
for value in (Point(6), closed(7), deep): serde.deserialize(serde.pack(serde.serialize_function(value)))
SCALE = 30
assert Point.scaled is method and Point(8).scaled() == "Point 240 km Point(x=8)"  # our class was left alone
"""
READ = """\
[Point(x=1), Point(x=2), <Level.HIGH: 3>, {<Level.HIGH: 3>: <class '__main__.Point'>}]
Point 60 km Point(x=3)
['Point 80 km Point(x=4)', <Level.HIGH: 3>, 3]
deep
Point 100 km Point(x=5)
True
"""


def test_main_travels_by_value_to_a_process_that_cannot_import_it(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(freehold.__file__).parents[1])}
    run = functools.partial(subprocess.run, env=environment, capture_output=True, text=True, cwd=tmp_path)
    (tmp_path / "maker.py").write_text(MAKER)
    made = run([sys.executable, "maker.py"])
    read = run([sys.executable, "-c", READER], input=made.stdout)
    assert (made.stderr, read.stderr, read.stdout) == ("", "", READ)


def main_class(name: str, **attributes: Any) -> Any:
    return type(name, (), {"__module__": "__main__", **attributes})


def test_importable_things_travel_by_name_unless_registered() -> None:
    assert len(packed(Pair)) < 100 < len(packed(lambda: None))
    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    assert len(packed(Pair)) > 100
    cloudpickle.unregister_pickle_by_value(module)
    assert serde.deserialize(serde.pack(serde.serialize_function(packed))) is packed


def test_a_class_with_references_is_noted_each_time_and_one_with_much_is_not_copied_into_a_blob() -> None:
    for attributes, refs, buffers in [({"ref": Ref(6)}, (6,), 0), ({"array": np.zeros(3)}, (), 1)]:
        cls = main_class("Holding", **attributes)  # type: ignore[arg-type]
        for _ in range(2):
            serialized = serde.serialize([cls(), cls()])
            assert (serialized.refs, len(serialized.buffers)) == (refs, buffers)
        assert type(serde.deserialize(serde.pack(serialized), str)[0]) is cls


def test_a_class_that_changes_all_the_time_leaves_one_blob() -> None:
    cls, before = main_class("Counting"), len(serde._CLASSES)
    for cls.count in range(50):
        assert type(round_trip(cls())) is cls
    assert len(serde._CLASSES) == before + 1


def holding(thing: Any) -> Callable[[], Any]:
    return lambda: [thing for _ in range(2)]


Slotted = make_dataclass("Slotted", ["lock"], slots=True)
deep = functools.reduce(lambda inner, _: [inner], range(100_000), [0])  # type: ignore[list-item]
zero = By(lambda: 1 // 0)
is_lock, raised_by = "is a _thread.lock", "(pickling it raised ZeroDivisionError: integer division or modulo by zero)"
COMPLAINTS = [
    ({"model": main_class("Model", lock=LOCK)()}, f"(the class of root['model']).lock {is_lock}"),
    ([types.SimpleNamespace(model=[LOCK])], f"root[0].model[0] {is_lock}"),
    ({Pair(1, []).left: {LOCK}}, f"an element of root[1] {is_lock}"),
    ({Color.RED: LOCK}, f"root[a {__name__}.Color] {is_lock}"),
    (functools.partial(int, LOCK), f"root.args[0] {is_lock}"),
    (holding(holding(LOCK)), f"closure variable 'thing' of closure variable 'thing' of root {is_lock}"),
    ([holding([LOCK])], f"(closure variable 'thing' of root[0])[0] {is_lock}"),
    (lambda x=LOCK: x, f"a default of root {is_lock}"),
    (lambda: [LOCK for _ in ()], f"global variable 'LOCK' of root {is_lock}"),
    ({"a": [zero]}, f"root['a'][0] is a {__name__}.By {raised_by}"),
    ([Slotted(LOCK)], f"root[0].lock {is_lock}"),
    (By(lambda: (list, ([threading.Lock()],))), f"something inside root {is_lock}"),
    ((i for i in ""), "root is a generator"),
    (deep, f"it is nested too deeply (the recursion limit is {sys.getrecursionlimit()})"),
]


@pytest.mark.parametrize(("value", "complaint"), COMPLAINTS, ids=[text for _, text in COMPLAINTS])
def test_what_cannot_be_pickled_is_named(value: Any, complaint: str) -> None:
    error = raised(lambda: serde.serialize(value))
    assert (type(error), str(error)) == (TypeError, f"cannot pickle value: {complaint}")
    assert isinstance(error.__cause__, ZeroDivisionError if raised_by in complaint else Exception)
    if isinstance(value, types.FunctionType):
        error, name = raised(lambda: serde.serialize_function(value)), value.__name__
        assert str(error) == f"cannot pickle {name}: {complaint}".replace("of root", f"of {name}")


class Wanting(OSError):
    def __init__(self, code: int, *, who: Any) -> None:
        super().__init__(f"{who} wants {code}")
        self.code, self.who = code, who


Silent = type("Silent", (Exception,), {"__str__": lambda self: 1 // 0, "__module__": __name__})


def sent(error: BaseException) -> tuple[Any, str, str, str]:
    return serde.unpack_exception(serde.pack_exception(error, "f"))


ERRORS = [KeyError("a"), OSError(2, "no", "file"), SystemExit(3), StopIteration(4), Wanting(5, who="she")]
ERRORS += [UnicodeDecodeError("utf8", b"x", 0, 1, "why"), ExceptionGroup("g", [KeyError(1)]), Exception("\ud800")]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_exceptions_come_back_as_they_were(error: Any) -> None:
    error.add_note("a note")
    copied, name, message, _ = sent(error)
    assert (type(copied), str(copied), repr(copied)) == (type(error), str(error), repr(error))
    assert vars(copied) == vars(error)
    assert name == (f"{__name__}.Wanting" if isinstance(error, Wanting) else type(error).__name__)
    assert message == str(error).encode(errors="backslashreplace").decode()


def test_exceptions_that_cannot_travel_leave_their_text(monkeypatch: pytest.MonkeyPatch) -> None:
    who = "x" * (2 << 20)
    error, name, message, text = sent(Wanting(5, who=who))
    assert (error, name, message) == (None, f"{__name__}.Wanting", f"{who} wants 5"[: 64 << 10])
    assert (text[:11], text[-12:]) == ("in task f:\n", f"{who} wants 5\n"[-12:])
    assert sent(Silent())[:3] == (None, f"{__name__}.Silent", "<exception str() failed>")
    data = serde.pack_exception(Wanting(5, who="she"), "f")
    monkeypatch.delattr(sys.modules[__name__], "Wanting")
    assert serde.unpack_exception(data)[:3] == (None, f"{__name__}.Wanting", "she wants 5")


def test_the_traceback_begins_in_the_task_and_tells_the_chain() -> None:
    def task() -> None:
        try:
            [][1]
        except IndexError as error:
            raise Wanting(5, who="she") from error

    runner: dict[str, Any] = {"__name__": "freehold.core.runner", "raised": raised, "task": task}
    exec("try:\n  task()\nexcept Exception as error:\n  caught = error", runner)
    lines = sent(runner["caught"])[3].splitlines()
    assert (lines[0], lines[1]) == ("in task f:", "Traceback (most recent call last):")
    assert "IndexError: list index out of range" in lines
    assert sum("in task" in line for line in lines) == 3 and "<string>" not in "".join(lines)
    assert lines[-1].endswith("Wanting: she wants 5")
