"""A function or class that is defined again, as by a cell that is run again: the new one runs from then on."""

from __future__ import annotations

import gc
import json
import sys
import weakref
from types import ModuleType
from typing import Any

import pytest

import freehold
from freehold.core.freshness import uses_of

CELLS = [
    """
import freehold
from dataclasses import dataclass
def helper(): return "helper 1"
K = 1
class Base:
    def name(self): return helper()
@dataclass
class Point(Base):
    x: int = 0
    def where(self): return "point 1", self.x
@freehold.remote
def inner(): return helper(), K, Point(1).where()
@freehold.remote
def outer(): return freehold.get(inner.remote())
@freehold.remote
def use(point): return point.where()[0], point.name(), isinstance(point, Point)
old = Point(3)
""",
    """
def helper(): return "helper 2"
K = 2
""",
    """
@dataclass
class Point(Base):
    x: int = 0
    y: int = 0
    def where(self): return "point 2", self.y
""",
    """
@freehold.remote
def inner(): return "inner 2"
""",
    """
Point.where = lambda self: ("point 3", 0)
""",
    """
del helper, K
def inner(): return "plain"
outer = freehold.remote(lambda: inner())
""",
]
ASK = "freehold.get([inner.remote(), outer.remote(), use.remote(Point(3)), use.remote(old)])"
BOOK = """
    import json, sys
    import nbclient, nbformat

    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in json.load(sys.stdin)])
    nbclient.NotebookClient(book, timeout=60, kernel_name="python3").execute()
    print(json.dumps([cell.outputs for cell in book.cells]))
"""
POINT_1, POINT_2 = ("point 1", 1), ("point 2", 0)
EXPECTED = [
    [("helper 1", 1, POINT_1)] * 2 + [("point 1", "helper 1", True)] * 2,
    [("helper 2", 2, POINT_1)] * 2 + [("point 1", "helper 2", True)] * 2,
    [("helper 2", 2, POINT_2)] * 2 + [("point 2", "helper 2", True), ("point 1", "helper 2", False)],
    ["inner 2"] * 2 + [("point 2", "helper 2", True), ("point 1", "helper 2", False)],
    ["inner 2"] * 2 + [("point 3", "helper 2", True), ("point 1", "helper 2", False)],
]


def test_cells(desk) -> None:
    lines = desk.program(f"""
        import sys
        cells, ask = {CELLS!r}, {ASK!r}
        for cell in cells[:-1]:
            exec(cell)
            print(eval(ask))
        exec(cells[-1])
        print(freehold.get(outer.remote()))
    """)
    assert lines == [*map(repr, EXPECTED), "plain"]


@pytest.mark.slow
@pytest.mark.parametrize("backend", [pytest.param("local", marks=pytest.mark.local), "sim"], indirect=True)
def test_a_notebook(desk) -> None:
    """The new one runs; ``await`` works; prints appear in the cell that waits, and nothing else does."""
    talk = """
import asyncio, logging, time
@freehold.remote
def talk(word):
    print(word, end=" "); print("is said")
    logging.getLogger("mine").warning("logged")
    return word
ref = talk.remote("early")
time.sleep(0.5)
"""
    cells = [*[f"{cell}\n{ASK}" for cell in CELLS[:-1]], talk]
    cells += ["freehold.get(ref)", "await asyncio.gather(talk.remote('a'), talk.remote('b'))", "freehold.shutdown()"]
    desk.write(book=BOOK)
    desk.environment.update(IPYTHONDIR=str(desk.folder), PYTHONWARNINGS="ignore")
    done = desk.run("book.py", stdin=json.dumps(cells))
    assert done.returncode == 0, done.stderr
    outputs = json.loads(done.stdout)
    texts = [eval(cell[0]["data"]["text/plain"]) for cell in outputs[: len(EXPECTED)]]
    assert texts == EXPECTED
    assert [len(cell) for cell in outputs[: len(EXPECTED)]] == [1] * len(EXPECTED)
    said = [lines_of(cell) for cell in outputs[len(EXPECTED) :]]
    assert said[0] + said[1] == ["early is said", "logged"]
    assert said[2] == sorted(["a is said", "b is said", "logged", "logged"])
    assert said[3] == []


def lines_of(cell: list[Any]) -> list[str]:
    """Return the sorted lines that a cell shows, without the prefix of a task."""
    lines = "".join(output["text"] for output in cell if output["output_type"] == "stream").splitlines()
    return sorted(line.partition("node=0) ")[2] or line for line in lines)


def test_what_is_not_used_does_not_matter() -> None:
    with freehold.init(backend="inline"):
        unused, used, f = 1, 1, freehold.remote(lambda: used)
        assert freehold.get(f.remote()) == 1
        first = f._exported.ref
        unused = 2
        assert (freehold.get(f.remote()), unused, f._exported.ref is first) == (1, 2, True)
        used = 2
        assert (freehold.get(f.remote()), f._exported.ref is first) == (2, False)


def test_what_a_function_uses() -> None:
    """Names are compared through functions, classes, properties and wrappers, and nothing is kept alive for it."""
    space = ModuleType("cells")
    space.__name__ = "__main__"
    exec(
        "def deep(): return shallow\n"
        "class A:\n"
        "    @property\n"
        "    def p(self): return deep()\n"
        "    @staticmethod\n"
        "    def s(): return number\n"
        "def f(): return A\n",
        vars(space),
    )
    space.shallow, space.number = [1], 1  # type: ignore[attr-defined]
    f = vars(space)["f"]
    for name in ("shallow", "number", "deep", "A"):
        uses = uses_of(f)
        before, there = vars(space)[name], weakref.ref(vars(space)[name]) if name in ("deep", "A") else None
        assert uses.same()
        setattr(space, name, object())
        assert not uses.same()
        setattr(space, name, before)
        assert uses.same()
        delattr(space, name)
        assert not uses.same()
        if there is not None and name == "A":
            del before
            gc.collect()
            assert there() is None
        else:
            setattr(space, name, before)


def test_a_function_that_uses_itself_is_let_go() -> None:
    @freehold.remote
    def down(number: int) -> int:
        return number and freehold.get(down.remote(number - 1))

    with freehold.init(backend="inline"):
        assert freehold.get(down.remote(3)) == 0
        assert sys.getrefcount(down._exported) < 10
