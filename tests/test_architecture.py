"""The rules of the tree: who may import whom, what the core may know, how long things are, what must go.

A rule is a function from sources to complaints.  So each is proved to bite, on bad sources planted here, in
the same way as it is applied to the tree.  A rule passes where the modules it speaks of do not exist yet.
"""

import ast
import inspect
import io
import re
import tokenize
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from types import ModuleType

import pytest

import freehold

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("core", "backends", "simulator", "specs")
FOLDERS = (*PACKAGES, "src", "tests", "examples")

MAY_IMPORT = {  # folder: the parts of freehold that it may import; tests may import all
    "core": {"core"},
    "backends": {"backends", "core"},
    "simulator": {"core", "simulator"}, "simulator/validation": {"core", "facade", "simulator"},  # it has programs
    "specs": {"core", "facade", "specs"},
    "src": {"core", "facade"},
    "examples": {"facade"}, "examples/shuffled": {"core"},  # the latter is a backend, as others may write it
}  # fmt: skip
MACHINES = ("ownership", "promotion", "resolution")
TABLES = (*MACHINES, "execution", "running", "desk", "copy", "request", "leasing", "office", "membership", "room")
HAVE_RECORDS = (*TABLES, "inquest", "witness", "inquiry", "ledger", "handover", "link")
LAYERS = (  # the pure modules of core; each imports only from layers before its own
    ("ids",), ("errors",), ("values",), ("events",), ("task_events", "node_events", "inquest_events"),
    ("node_messages",), ("messages",), ("effects",), ("weights",), ("strides",), ("policies",), ("machine",),
    HAVE_RECORDS, ("borrowing", "dependencies", "directory", "holding", "lineage", "relay"), ("transfer",), ("tables",),
    ("books",), ("borrow_strides",), ("value_strides", "task_strides", "worker_strides"), ("party",),
    ("worker", "node"), ("queries", "trace"), ("facts",), ("account",), ("invariants",),
)  # fmt: skip
READERS = ("queries", "facts", "account")  # pure, and not counted as protocol: they only read it
LAYER_OF = {module: layer for layer, modules in enumerate(LAYERS) for module in modules}
PURE_LIBRARIES = {  # they compute; they ask the machine nothing and keep no hidden state
    "freehold", "immutables", "msgspec",
    "__future__", "abc", "bisect", "collections", "contextlib", "dataclasses", "enum", "functools", "heapq",
    "itertools", "json", "math", "operator", "re", "string", "struct", "textwrap", "types", "typing",
}  # fmt: skip

PARTIES = ("core/party.py", "core/worker.py", "core/node.py")
IDS = {"int", "str", "PartyID", "ObjectID"}
KEYS = {*IDS, "PoolKey", "InquestKey"}
PLUMBING = {  # what a party has beside ids, policies and records; the protocol remembers nothing in it
    "now: float",  # of the event at hand
    "strides: Strides",  # short cuts through several records; they never change
    "tables: dict[str, Records]", "records: tuple[Records, ...]", "routes: dict[type[Event], tuple[Route, ...]]",
    "watch: Watch | None",  # the observer of steps
}  # fmt: skip

FILE_LINES_MAX, FUNCTION_LINES_MAX = 400, 60
MACHINES_LINES_MAX, STRIDES_LINES_MAX, PURE_LINES_MAX = 1_300, 1_100, 8_200


@dataclass(frozen=True)
class Source:
    """One Python file, named by its path from the repository's root."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def folder(self) -> str:
        path = PurePosixPath(self.path)
        return str(path.parent) if str(path.parent) in MAY_IMPORT else path.parts[0]

    @cached_property
    def pure_module(self) -> str:
        """The name of a module of the pure layers; "" for every other file."""
        path = PurePosixPath(self.path)
        return path.stem if path.parts[:-1] == ("core",) and path.stem in LAYER_OF else ""

    @cached_property
    def lines(self) -> int:
        return len(self.text.splitlines())

    @cached_property
    def imports(self) -> list[tuple[int, str]]:
        """The line and the full dotted name of everything imported, at any depth of the code."""
        package = PurePosixPath(self.path).parent.parts
        package = package[1:] if self.folder == "src" else ("freehold", *package)
        found = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found += [(node.lineno, name.name) for name in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = package[: len(package) - node.level + 1] if node.level else ()
                start = (*base, *([node.module] if node.module else []))
                found += [(node.lineno, ".".join([*start, name.name])) for name in node.names]
        return found


Rule = Callable[[Iterable[Source]], Iterator[str]]


# ---------------------------------------------------------------- who may import whom


def arrows_between_packages(sources: Iterable[Source]) -> Iterator[str]:
    for source in sources:
        allowed = MAY_IMPORT.get(source.folder, {*PACKAGES, "facade"})
        for line, name in source.imports:
            top, _, rest = name.partition(".")
            first = rest.partition(".")[0]
            part = first if first in PACKAGES else "facade"
            if top == "freehold" and part not in allowed:
                yield f"{source.path}:{line}: {source.folder} may not import {name}"


def arrows_between_layers(sources: Iterable[Source]) -> Iterator[str]:
    for source in sources:
        for line, name in source.imports if source.pure_module else ():
            target = core_module(name)
            if target and LAYER_OF.get(target, len(LAYERS)) >= LAYER_OF[source.pure_module]:
                yield f"{source.path}:{line}: {target} is not in a layer before {source.pure_module}"


def pure_layers_are_pure(sources: Iterable[Source]) -> Iterator[str]:
    for source in sources:
        for line, name in source.imports if source.pure_module else ():
            if name == "random.Random" and source.pure_module == "policies":
                continue  # a policy may be given a generator; it may not use the hidden one of the module
            if name.partition(".")[0] not in PURE_LIBRARIES:
                yield f"{source.path}:{line}: {name} is not pure"


def protocol_stays_in_core(sources: Iterable[Source]) -> Iterator[str]:
    for source in sources:
        for line, name in source.imports if source.folder in ("backends", "simulator") else ():
            if core_module(name) in TABLES:
                yield f"{source.path}:{line}: {name} is protocol; go through the worker or the node"


def core_module(name: str) -> str:
    """Return the module of core to which an imported name belongs, "" if it belongs to none."""
    return name.split(".")[2] if name.startswith("freehold.core.") else ""


# ---------------------------------------------------------------- what a party may hold


def parties_only_route(sources: Iterable[Source]) -> Iterator[str]:
    """Every attribute is annotated in its class's body, and is an id, a policy or a mapping to records."""
    for source in sources:
        records = {name.rpartition(".")[2] for _, name in source.imports if core_module(name) in HAVE_RECORDS}
        for owner in ast.walk(source.tree) if source.path in PARTIES else ():
            if not isinstance(owner, ast.ClassDef) or owner.name == "Routes":  # which no party changes
                continue
            fields = [node for node in owner.body if isinstance(node, ast.AnnAssign)]
            declared = {ast.unparse(field.target): field.annotation for field in fields}
            for name, annotation in declared.items():
                text = ast.unparse(annotation)
                allowed = text == "Policy" or f"{name}: {text}" in PLUMBING
                if not (allowed or id_or_mapping(annotation, records)):
                    yield f"{source.path}:{annotation.lineno}: {owner.name}.{name} is a {text}"
            for line, name in attributes_used(owner):
                if name not in declared:
                    yield f"{source.path}:{line}: {owner.name}.{name} is not annotated in the class's body"


def id_or_mapping(annotation: ast.expr, records: set[str]) -> bool:
    match annotation:
        case ast.Name(id=name):
            return name in IDS or name == "Members"  # a mapping that knows which of its records count
        case ast.Subscript(ast.Name("dict" | "Map"), ast.Tuple([ast.Name(key), value])):
            inner = isinstance(value, ast.Subscript) and id_or_mapping(value, records)
            return key in KEYS and (inner or ast.unparse(value) in records)
    return False


def attributes_used(owner: ast.ClassDef) -> Iterator[tuple[int, str]]:
    """Yield the attributes that a class names in ``__slots__`` or assigns through ``self``."""
    for node in ast.walk(owner):
        match node:
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.Assign(targets=[ast.Name(id="__slots__")], value=ast.Tuple(elts=names)):
                yield from ((node.lineno, ast.literal_eval(name)) for name in names)


# ---------------------------------------------------------------- how long things may be


def files_and_functions_are_short(sources: Iterable[Source]) -> Iterator[str]:
    for source in sources:
        if source.lines > FILE_LINES_MAX:
            yield f"{source.path}: {source.lines} lines, over {FILE_LINES_MAX}"
        for node in ast.walk(source.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    place = f"{source.path}:{node.lineno}"
                    yield f"{place}: {node.name} has {lines} lines, over {FUNCTION_LINES_MAX}"


def core_is_small(sources: Iterable[Source]) -> Iterator[str]:
    pure = {source.pure_module: source.lines for source in sources if source.pure_module}
    short_cuts = {module for module in pure if module.endswith("strides")}  # they say nothing that the tables do not
    parts = (*MACHINES,), short_cuts, pure.keys() - short_cuts - {*READERS}
    for part, most in zip(parts, (MACHINES_LINES_MAX, STRIDES_LINES_MAX, PURE_LINES_MAX), strict=True):
        if (lines := sum(pure.get(module, 0) for module in part)) > most:
            yield f"core/{'.py, '.join(sorted(part)[:4])} and so on: {lines} lines together, over {most}"


# ---------------------------------------------------------------- what must be said, and what may not stay


def modules_have_docstrings(sources: Iterable[Source]) -> Iterator[str]:
    for source in sources:
        if source.folder in (*PACKAGES, "src") and not ast.get_docstring(source.tree):
            yield f"{source.path}: no docstring says what this file decides"


def nothing_is_left_over(sources: Iterable[Source]) -> Iterator[str]:
    for source in sources:
        for node in ast.walk(source.tree):
            match node:
                case ast.Assert(test=ast.Constant(value=value)) if value:
                    yield f"{source.path}:{node.lineno}: an assert that cannot fail"
                case ast.ExceptHandler(type=None):
                    yield f"{source.path}:{node.lineno}: a bare except"
                case ast.ExceptHandler(ast.expr() as caught, _, [ast.Pass() | ast.Expr(ast.Constant())]):
                    if re.search(r"\b(Base)?Exception\b", ast.unparse(caught)):
                        yield f"{source.path}:{node.lineno}: every exception is caught, and none is told"
        for line, prose in comments_and_docstrings(source):
            if re.search(r"\b(TODO|FIXME)\b", prose):
                yield f"{source.path}:{line}: work left undone: {prose.strip()}"


def comments_and_docstrings(source: Source) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(source.tree):
        match node:
            case ast.Expr(ast.Constant(str(text))):
                yield node.lineno, text


def exports_are_sorted_and_documented(module: ModuleType) -> Iterator[str]:
    names = list(module.__all__)
    if names != sorted(names):
        yield f"__all__ of {module.__name__} is not sorted: {', '.join(sorted(names))}"
    for name in names:
        value = getattr(module, name)
        if not name.startswith("__") and not own_docstring(value):
            yield f"{module.__name__}.{name} has no docstring"


def own_docstring(value: object) -> str | None:
    """Return the docstring of a value itself, not the one that it finds in a base or in its type."""
    if inspect.isclass(value):
        return value.__dict__.get("__doc__")
    return value.__doc__ if value.__doc__ != type(value).__doc__ else None


# ---------------------------------------------------------------- the tree, and the planted sources


IMPURE = ("time", "random", "uuid", "os", "threading", "multiprocessing", "asyncio", "socket", "logging")
RULES: dict[Rule, list[tuple[str, str]]] = {  # each with (path, text) of bad sources; \n is a line
    arrows_between_packages: [
        ("core/session.py", "import freehold.backends.inline"),
        ("core/session.py", "def late():\n    from freehold.simulator import driver"),
        ("core/api.py", "from .. import specs"),
        ("core/api.py", "import freehold"),
        ("backends/local/driver.py", "from ...simulator.network import Link"),
        ("backends/inline.py", "from freehold import ObjectRef"),
        ("simulator/driver.py", "from freehold.backends import local"),
        ("specs/oracle.py", "from freehold.simulator.run import simulate"),
        ("src/freehold/__init__.py", "from .backends.inline import Inline"),
        ("examples/01_put.py", "from freehold.core.api import put"),
    ],
    arrows_between_layers: [
        ("core/ids.py", "from freehold.core.errors import SessionError"),
        ("core/events.py", "from .messages import Message"),
        ("core/ownership.py", "from freehold.core.promotion import Promotion"),
        ("core/resolution.py", "from freehold.core import ownership\nfrom . import membership"),
        ("core/worker.py", "from freehold.core.node import Node"),
        ("core/queries.py", "from freehold.core.account import Fact"),
        ("core/node.py", "from freehold.core.serde import pack"),
        ("core/machine.py", "def late():\n    import freehold.core.hooks"),
    ],
    pure_layers_are_pure: [
        *(("core/worker.py", f"import {name}") for name in (*IMPURE, "simpy", "networkx", "pluggy")),
        ("core/trace.py", "def late():\n    from os.path import join"),
        ("core/policies.py", "from random import random"),
        ("core/events.py", "from random import Random"),
    ],
    protocol_stays_in_core: [
        ("backends/local/driver.py", "from freehold.core.ownership import Ownership"),
        ("backends/inline.py", "import freehold.core.leasing"),
        ("simulator/driver.py", "from freehold.core import copy"),
    ],
    parties_only_route: [
        ("core/worker.py", "class Worker:\n    waiting: list[int]"),
        ("core/worker.py", "class Worker:\n    records: dict[int, Any]"),
        ("core/worker.py", "class Worker:\n    counts: dict[int, int]"),
        ("core/worker.py", "class Worker:\n    later: float"),
        ("core/node.py", "class Node:\n    def handle(self, event):\n        self.busy = True"),
        ("core/node.py", "class Node:\n    __slots__ = ('me', 'busy')\n    me: int"),
    ],
    files_and_functions_are_short: [
        ("tests/test_long.py", "x = 1\n" * (FILE_LINES_MAX + 1)),
        ("core/long.py", "def long():\n" + "    x = 1\n" * FUNCTION_LINES_MAX),
        ("core/long.py", "class Long:\n    async def long():\n" + "        x = 1\n" * FUNCTION_LINES_MAX),
    ],
    core_is_small: [
        ("core/ownership.py", "x = 1\n" * (MACHINES_LINES_MAX + 1)),
        ("core/copy.py", "x = 1\n" * (PURE_LINES_MAX + 1)),
        ("core/value_strides.py", "x = 1\n" * (STRIDES_LINES_MAX + 1)),
    ],
    modules_have_docstrings: [("core/__init__.py", ""), ("src/freehold/more.py", "# a comment\nx = 1")],
    nothing_is_left_over: [
        ("tests/test_nothing.py", "def test_nothing():\n    assert True"),
        ("core/hooks.py", "try:\n    x = 1\nexcept:\n    raise"),
        ("core/hooks.py", "try:\n    x = 1\nexcept Exception:\n    pass"),
        ("core/hooks.py", "try:\n    x = 1\nexcept (OSError, BaseException):\n    ..."),
        ("core/hooks.py", "x = 1  # TODO: two"),
        ("core/hooks.py", "def put():\n    'FIXME: nothing is put.'"),
    ],
}

GOOD = [
    ("core/policies.py", "'Choices.'\nfrom random import Random\nfrom freehold.core.ids import node_of"),
    ("core/copy.py", "'A table.'\nimport collections.abc\nimport msgspec\nfrom .machine import Table"),
    ("core/driver.py", "'Not pure.'\nimport time\nfrom freehold.core.worker import Worker"),
    (
        "core/worker.py",
        "'A party.'\nfrom immutables import Map\nfrom freehold.core.ownership import Ownership\n"
        "from freehold.core.ids import ObjectID\nfrom freehold.core.policies import Policy\n"
        "class Worker:\n    __slots__ = ('me', 'nonce', 'now', 'owned', 'named', 'policy')\n"
        "    me: int\n    nonce: str\n    now: float\n    policy: Policy\n"
        "    owned: Map[ObjectID, Ownership]\n    named: dict[str, dict[int, Ownership]]\n"
        "    def handle(self, event):\n        self.owned[1] = self.me = 1",
    ),
    ("backends/local/pump.py", "'The pump.'\nfrom freehold.core.handover import Handover\nimport threading"),
    ("specs/explore.py", "'Search.'\nfrom freehold.core.ownership import Ownership"),
    ("examples/01_put.py", "import freehold as ray\nfrom freehold.exceptions import GetTimeoutError"),
    ("core/hooks.py", "'Hooks.'\ntry:\n    x = 1\nexcept OSError:\n    pass\nassert x"),
]


@cache
def tree() -> tuple[Source, ...]:
    paths = (path.relative_to(ROOT) for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")))
    return tuple(Source(f"{path}", (ROOT / path).read_text("utf-8")) for path in paths if "build" not in path.parts)


def name_of(rule: object) -> str | None:
    return rule.__name__ if inspect.isfunction(rule) else None


def test_every_package_is_read_once() -> None:
    paths = [source.path for source in tree()]
    assert {source.folder for source in tree()} >= {*PACKAGES, "src", "tests"}
    assert len({(ROOT / path).resolve() for path in paths}) == len(paths)


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_the_tree_keeps(rule: Rule) -> None:
    complaints = list(rule(tree()))
    assert not complaints, "\n" + "\n".join(complaints)


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_the_rule_bites(rule: Rule) -> None:
    unbitten = [bad for bad in RULES[rule] if not list(rule([Source(*bad)]))]
    assert RULES[rule] and not unbitten


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_the_rule_lets_good_sources_pass(rule: Rule) -> None:
    assert not list(rule([Source(path, text) for path, text in GOOD]))


def test_the_public_names_are_sorted_and_documented() -> None:
    assert not list(exports_are_sorted_and_documented(freehold))


def test_unsorted_and_undocumented_names_are_found() -> None:
    module = ModuleType("planted")
    module.__dict__.update(__all__=["put", "Bare", "limit"], put=len, Bare=type("Bare", (), {}), limit=3)
    complaints = list(exports_are_sorted_and_documented(module))
    assert len(complaints) == 3, complaints
