"""The worlds in which tests run: every installed backend, with one node and with three.

A test that takes ``world`` runs in each; ``@pytest.mark.nodes(1)`` limits it to worlds of so many nodes.  A test
that takes ``world`` and ``scenario`` runs each scenario in each world that can host it, and the end of the session
lists what was left out.  A backend counts as installed when the module of its plugin is there: one that cannot be
imported or does not start fails its tests.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import freehold
from freehold.core import cluster
from freehold.core.session import Session
from freehold.core.tables import TABLES, compile_tables
from freehold.specs.leftovers import settled
from freehold.specs.rules import RULES
from freehold.specs.scenario import Scenario, hosts, scenarios
from freehold.specs.traces import insist_on

signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background of a script starts without
compile_tables(checked=True)  # every step of a table is checked to end where its row may end
NODES = (1, 3)
LEFT_OUT: dict[str, dict[str, list[str]]] = {}  # world -> obstacle -> scenarios
NO_CALL = SimpleNamespace(params={})  # of a test that has no parameters
SLOWEST: dict[str, tuple[float, str]] = {}  # world -> seconds until nothing was left over, and after what


class World:
    """A backend and a number of nodes; at most one cluster of it runs, and is kept while it suits.

    Args:
        backend: a name that ``freehold.init`` knows.
        nodes: of each cluster.
    """

    def __init__(self, backend: str, nodes: int) -> None:
        self.backend = backend
        self.nodes = nodes
        self.arguments: Mapping[str, Any] | None = None  # of the running cluster
        self.records: Path | None = None  # a folder for the traces of its runs
        self.kept: set[Path] = set()  # those of runs in which something failed
        self.failed = False  # whether a test of the cluster that runs has failed
        self.redone = 0  # parties whose events the pure core has done again

    def __str__(self) -> str:
        return f"{self.backend}-{self.nodes}"

    @property
    def session(self) -> Session:
        """The program's session."""
        assert cluster.active is not None
        return cluster.active

    def start(self, **arguments: Any) -> None:
        """Start a cluster, unless one runs that was started with the same arguments."""
        if freehold.is_initialized() and self.arguments == arguments:
            return
        self.stop()
        freehold.init(**self.options(**arguments))
        self.arguments = arguments

    def options(self, **arguments: Any) -> dict[str, Any]:
        """Return what ``freehold.init`` takes for a cluster of this world."""
        usual = {"num_nodes": self.nodes, "num_cpus": 2, "object_store_memory": 256 * 2**20}
        return {"backend": self.backend, **usual, **arguments}

    def stop(self) -> None:
        """End the cluster, if one runs; what its processes have written down is done again by the pure core.

        Where that fails, or a test of this cluster has, it is kept.
        """
        failed, self.failed, self.arguments = self.failed, False, None
        freehold.shutdown()
        for folder in set(self.records.iterdir()) - self.kept if self.records is not None else ():
            self.kept.add(folder)
            self.redone += insist_on(folder)
            if not failed:
                shutil.rmtree(folder)
                self.kept.remove(folder)

    def assert_clean(self, after: str, seconds: float = 10.0) -> None:
        """Fail if the cluster still knows anything of user objects; it gets some seconds to forget."""
        found, waited = settled(self.session, seconds)
        SLOWEST[str(self)] = max(SLOWEST.get(str(self), (0.0, "")), (waited, after))
        if found:
            self.failed = True
            self.stop()  # the next test starts afresh
            text = "\n".join(line[:300] for line in found[:20])
            pytest.fail(f"{after}: {len(found)} left over in {self}:\n{text}", pytrace=False)


def backends() -> list[str]:
    """Return the names of the backends that are installed, sorted."""
    return sorted(entry.name for entry in entry_points(group="freehold") if is_there(entry.module))


def is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # its package is not there either
        return False


WORLDS = [World(backend, nodes) for backend in backends() for nodes in NODES]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite", action="store_true", help="write the golden outputs again; read the difference")


HOMES = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR")


def pytest_configure(config: pytest.Config) -> None:
    home = tempfile.TemporaryDirectory(prefix="freehold-home-")  # where libraries write may be closed to this user
    config.add_cleanup(home.cleanup)
    for name in HOMES:
        os.environ.setdefault(name, os.path.join(home.name, name.lower()))
    config.addinivalue_line("markers", "nodes(count): run only in worlds with so many nodes")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of a file world by world, so that clusters can be kept."""
    files: dict[Path, int] = {}

    def place(item: pytest.Item) -> tuple[int, int]:
        world = getattr(item, "callspec", NO_CALL).params.get("world")
        return files.setdefault(item.path, len(files)), WORLDS.index(world) if isinstance(world, World) else -1

    items.sort(key=place)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "world" not in metafunc.fixturenames:
        return
    limit = metafunc.definition.get_closest_marker("nodes")
    worlds = [world for world in WORLDS if limit is None or world.nodes in limit.args]
    if "scenario" not in metafunc.fixturenames:
        metafunc.parametrize("world", [in_world(world, world) for world in worlds], indirect=True)
        return
    pairs = []
    for world in worlds:
        hosted = hosts(world.backend)
        for scenario in scenarios():
            obstacle = scenario.obstacle(hosted, world.nodes)
            if obstacle:
                LEFT_OUT.setdefault(str(world), {}).setdefault(obstacle, []).append(scenario.name)
            else:
                pairs.append(in_world(world, world, scenario))
    metafunc.parametrize(("world", "scenario"), pairs, indirect=["world"])


def in_world(world: World, *values: World | Scenario) -> Any:
    """Return the values as a parameter, marked by what the world is."""
    marks = [pytest.mark.local] if world.backend == "local" else []
    marks += [] if world.nodes == 1 and world.backend != "local" else [pytest.mark.slow]
    return pytest.param(*values, id="-".join(map(str, values)), marks=marks)


@pytest.fixture
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """A world; after a test that failed its cluster is ended.

    On real processes every step is checked, and every process writes its events down.
    """
    chosen: World = request.param
    for other in WORLDS:
        if other is not chosen and other.arguments is not None:
            other.stop()
    if chosen.backend == "local":
        chosen.records = chosen.records or tmp_path_factory.mktemp("records")
        monkeypatch.setenv("FREEHOLD_TRACE", str(chosen.records))
        monkeypatch.setenv("FREEHOLD_CHECK", "step")
    yield chosen
    chosen.failed = chosen.failed or request.node.stash.get(FAILED, False)
    if chosen.failed or not freehold.is_initialized():
        chosen.stop()


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


@pytest.fixture(autouse=True)
def evidence(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that cites a rule takes one of the rule's rows."""
    cited = [RULES[mark.kwargs["id"]] for mark in request.node.iter_markers("rule")]
    if not cited:
        yield
        return
    before = {table.name: set(table.taken) for table in TABLES}
    for table in TABLES:
        table.taken.clear()
    yield
    taken = {(table.name, event.__name__) for table in TABLES for _, event, _ in table.taken}
    for table in TABLES:
        table.taken |= before[table.name]
    idle = [rule.id for rule in cited if rule.cells and not taken & rule.rows]
    assert not idle, f"this test takes no row of {', '.join(idle)}"


@pytest.fixture(scope="module", autouse=True)
def no_cluster_outlives_its_module() -> Iterator[None]:
    gc.collect()
    gc.freeze()  # what is there by now, after hundreds of imports, would be gone through with each test's collections
    yield
    for world in WORLDS:
        if world.arguments is not None:
            world.stop()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which rows and arrows no test has taken; of the worlds, how soon they were clean, and what they left out."""
    report_rows(terminalreporter)
    if SLOWEST:
        report_worlds(terminalreporter)


def report_rows(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much of the tables was taken; once most of it was, name the rest."""
    missed = {table: table.untaken() for table in TABLES}
    cells = sum(not row.never for table in TABLES for row in table.rows.values())
    bare, ends = [sum(len(found[kind]) for found in missed.values()) for kind in (0, 1)]
    if bare == cells:
        return
    terminalreporter.section("rows and arrows of the tables")
    terminalreporter.line(f"{cells - bare} of {cells} rows were taken; of these, {ends} arrows were not")
    if bare < cells // 10:  # else these were some of the tests
        for table, (rows, arrows) in missed.items():
            lines = [f"{state.name} on {event.__name__}" for state, event in rows]
            lines += [f"{state.name} on {event.__name__} -> {end.name}" for state, event, end in arrows]
            for line in lines:
                terminalreporter.line(f"never: {table.name}: {line}")


def report_worlds(terminalreporter: pytest.TerminalReporter) -> None:
    """Say, of the worlds that ran, how soon they were clean, and which scenarios they left out."""
    terminalreporter.section(f"conformance: {len(scenarios())} scenarios")
    redone = sum(world.redone for world in WORLDS)
    if redone:
        terminalreporter.line(f"the events of {redone} parties were done again by the pure core")
    where: dict[tuple[str, str], list[str]] = {}  # obstacle and scenarios -> worlds
    for world, (seconds, after) in sorted(SLOWEST.items()):
        terminalreporter.line(f"{world}: nothing left over within {seconds:.2f} s (longest after {after})")
        for obstacle, names in LEFT_OUT.get(world, {}).items():
            where.setdefault((obstacle, ", ".join(sorted(names))), []).append(world)
    for (obstacle, listed), worlds in sorted(where.items()):
        terminalreporter.line(f"left out in {', '.join(worlds)}: {obstacle}: {listed}")
