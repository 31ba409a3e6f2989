"""Descriptions of clusters: what can be written, and what is said of what cannot, with file, line and value."""

from __future__ import annotations

import re
import time
from pathlib import Path

import networkx as nx
import pytest

import freehold
from freehold.simulator.world.costs import Costs
from freehold.simulator.world.description import Crash, Description, Slow, described, graph_of, read

TEXT = """\
# A hundred servers.
nodes = 100
cpus = 4
store = "2 GiB"

[network]
topology = "racks"
per_rack = 20
oversubscription = 4
bandwidth = "10 Gbit/s"

[costs]
receive = "3 us"

[[faults]]
kind = "crash"
node = 3
at = "2 s"

[[faults]]
kind = "slow"
node = 5
factor = 2
at = "1 ms"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cluster.toml"


def test_what_is_written_is_what_is_described(file: Path) -> None:
    file.write_text(TEXT)
    found = read(file)
    assert (found.nodes, found.cpus, found.store) == (100, 4.0, 2.0 * 2**30)
    assert found.network.bandwidth == 1.25e9 and found.network.oversubscription == 4.0
    assert found.costs == Costs(receive=3e-6)
    assert found.faults == (Crash(node=3, at=2.0), Slow(node=5, factor=2.0, at=1e-3))


def test_everything_has_a_default() -> None:
    assert described({}) == Description()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"10 Gbit/s"', '"10 Gbits"', "cluster.toml:10: '10 Gbits' is not a quantity in one of B/s, "),
        ('"10 Gbit/s"', "0", "cluster.toml:10: Expected `float` > 0.0: 0"),
        ('"2 GiB"', '"-2 GiB"', "cluster.toml:4: Expected `float` >= 1.0: '-2 GiB'"),
        ('"2 GiB"', '"0.5 B"', "cluster.toml:4: Expected `float` >= 1.0: '0.5 B'"),
        ('"2 GiB"', "inf", "cluster.toml:4: store is inf, and has to be finite; leave it out if it has no limit"),
        ('"10 Gbit/s"', "inf", "cluster.toml:10: bandwidth is inf, and has to be finite"),
        ('"3 us"', "nan", "cluster.toml:13: receive is nan, and has to be finite"),
        ('"2 s"', "inf", "cluster.toml:18: at is inf, and has to be finite"),
        ("cpus = 4", "cpus = inf", "cluster.toml:3: cpus is inf, and has to be finite"),
        (
            "[costs]",
            "[machine]\ncores = 2.5\n[costs]",
            "cluster.toml:13: Expected `float` that's a multiple of 1.0: 2.5",
        ),
        ("[costs]", "[machine]\ncores = 0\n[costs]", "cluster.toml:13: Expected `float` >= 1.0: 0"),
        ("[costs]", "[machine]\ncores = 1_000_000\n[costs]", "cluster.toml:13: Expected `float` <= 4096.0: 1000000"),
        ("per_rack = 20", "spines = 1_000_000", "cluster.toml:8: Expected `int` <= 1024: 1000000"),
        ('kind = "crash"', 'kind = ["crash"]', "cluster.toml:16: Expected `str`, got `list`: ['crash']"),
        ("nodes = 100", f"nodes = 1{'0' * 400}", "cluster.toml:2: Expected `int` <= 1000000"),
        ("per_rack", "per_rac", "cluster.toml:8: there is no 'per_rac': 20"),
        ("cpus = 4", "cpus = 4\nfoo = 1", "cluster.toml:4: there is no 'foo': 1"),
        ("[costs]", "[cost]", "cluster.toml:12: there is no 'cost'"),
        ("nodes = 100", "nodes = 1.5", "cluster.toml:2: Expected `int`, got `float`: 1.5"),
        ("nodes = 100", "nodes = 0", "cluster.toml:2: Expected `int` >= 1: 0"),
        ('"racks"', '"ring"', "cluster.toml:7: Invalid enum value 'ring'"),
        ('"3 us"', '"3 m"', "cluster.toml:13: '3 m' is not a quantity in one of ns"),
        ('"crash"', '"crush"', "cluster.toml:16: Invalid value 'crush'"),
        ("node = 3", "node = 0", "cluster.toml:17: Expected `int` >= 1: 0"),
        ("factor = 2", "factor = 1", "cluster.toml:23: Expected `float` > 1.0: 1"),
        ("factor = 2", "facto = 2", "cluster.toml:23: there is no 'facto': 2"),
        ('"1 ms"', '"-1 ms"', "cluster.toml:24: Expected `float` >= 0.0: '-1 ms'"),
        ('receive = "3 us"', "batch = 32", "cluster.toml:13: messages wait until their sender has nothing else to do"),
        ("cpus = 4", "cpus = = 4", "cluster.toml: Invalid value (at line 3, column 8)"),
    ],
)
def test_what_is_wrong_is_told_with_file_line_and_value(file: Path, old: str, new: str, said: str) -> None:
    file.write_text(TEXT.replace(old, new))
    with pytest.raises(ValueError, match=re.escape(said)) as raised:
        read(file)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("topology", "switches"), [("star", 1), ("racks", 4), ("fat-tree", 31)])
def test_topologies(topology: str, switches: int) -> None:
    graph = graph_of(described({"nodes": 30, "network": {"topology": topology, "per_rack": 10, "spines": 1}}))
    assert len(graph) - 30 == switches and nx.is_connected(graph)


def test_a_graph_is_made_of_cables(file: Path) -> None:
    cables = '[[network.cables]]\nbetween = ["n0", "s"]\n[[network.cables]]\nbetween = ["s", "n1"]\nlatency = "1 ms"\n'
    file.write_text('nodes = 2\n[network]\ntopology = "graph"\nlatency = "2 ms"\n' + cables)
    graph = graph_of(read(file))
    assert graph["n0"]["s"] == {"bandwidth": 1.25e9, "latency": 2e-3} and graph["s"]["n1"]["latency"] == 1e-3
    file.write_text(file.read_text().replace('latency = "1 ms"', 'latency = "1 mss"'))
    with pytest.raises(ValueError, match=r"cluster\.toml:9: '1 mss' is not"):
        read(file)


@pytest.mark.parametrize(
    ("cables", "said"),
    [
        (["n0 s", "s n1", "n1 s"], ":9: a cable between 'n1' and 's' is there already"),
        (["n0 s", "s n1", "n0 n0"], ":9: both ends of this cable are 'n0'"),
        (["n0 s", "s n1", "s n2"], ":9: the graph has n2, but the cluster has 2 nodes, n0 to n1"),
        (["n0 s", "n01 s", "s n1"], ":7: n01 is no name of a switch, and as a node it is n1"),
        (["n0 s"], ":5: the graph has no node n1; nodes of the cluster are named n0 to n1"),
        (["n0 s", "n1 t"], ":5: no way leads from n0 to n1: the graph is not connected"),
        ([], ":2: the graph has no node n0, n1; nodes"),
    ],
)
def test_cables_of_which_there_can_be_no_cluster_are_told_with_their_line(
    file: Path, cables: list[str], said: str
) -> None:
    tables = [f"[[network.cables]]\nbetween = {cable.split()}\n" for cable in cables]
    file.write_text('nodes = 2\n[network]\ntopology = "graph"\n\n' + "".join(tables))
    with pytest.raises(ValueError, match=re.escape(f"{file}{said}")):
        read(file)
    inline = ", ".join(f"{{between = {cable.split()}}}" for cable in cables)
    file.write_text(f'nodes = 2\n[network]\ntopology = "graph"\ncables = [{inline}]\n')
    with pytest.raises(ValueError, match=re.escape(f"{file}:4: {said.partition(': ')[2]}")):
        read(file)


def test_cables_are_those_of_a_graph(file: Path) -> None:
    file.write_text("nodes = 2\n[[network.cables]]\nbetween = ['n0', 'n1']\n")
    with pytest.raises(ValueError, match=r"cluster\.toml:2: cables are those of a graph, and the topology is 'star'"):
        read(file)


def test_a_switch_may_have_any_other_name() -> None:
    names = ("n", "N1", "n1a", "n²", "node1", "")
    cables = [{"between": [node, name]} for name in names for node in ("n0", "n1")]
    graph = graph_of(described({"nodes": 2, "network": {"topology": "graph", "cables": cables}}))
    assert {*graph} == {"n0", "n1", *names}


def test_nothing_is_between_a_node_and_itself(file: Path) -> None:
    file.write_text(TEXT + "[[faults]]\nkind = 'partition'\nbetween = [7, 7]\nat = 1\n")
    with pytest.raises(ValueError, match=r"cluster\.toml:27: nothing is between node 7 and itself; name two nodes"):
        read(file)


def test_a_file_that_is_no_text_is_named(file: Path) -> None:
    file.write_bytes(b"nodes = 2 # \xff")
    with pytest.raises(ValueError, match=r"cluster\.toml: 'utf-8' codec can't decode byte 0xff"):
        read(file)


MANUAL = Path(__file__).parents[3] / "docs" / "simulator.md"


@pytest.mark.parametrize("text", re.findall(r"```toml\n(?!study)(.*?)```", MANUAL.read_text("utf-8"), re.DOTALL))
def test_what_the_manual_describes_can_be_read(file: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(text)
    monkeypatch.chdir(file.parent)
    if "traces/run-0001" in text:
        with freehold.init(backend="inline", trace="traces"):
            freehold.get(freehold.remote(time.time).remote())
    assert len(graph_of(read(file))) >= 4


def test_time_between_interruptions_is_not_nothing() -> None:
    with pytest.raises(ValueError, match="Expected `float` > 0"):
        described({"costs": {"calm": "0 s", "interruption": "1 ms"}})
