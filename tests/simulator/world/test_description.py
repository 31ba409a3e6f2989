"""Descriptions of clusters: what can be written, and what is said of what cannot, with file, line and value."""

from __future__ import annotations

import re
from pathlib import Path

import networkx as nx
import pytest

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
        ('"2 GiB"', '"-2 GiB"', "cluster.toml:4: Expected `float` > 0.0: '-2 GiB'"),
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


MANUAL = Path(__file__).parents[3] / "docs" / "simulator.md"


@pytest.mark.parametrize("text", re.findall(r"```toml\n(?!study)(.*?)```", MANUAL.read_text("utf-8"), re.DOTALL))
def test_what_the_manual_describes_can_be_read(file: Path, text: str) -> None:
    file.write_text(text)
    assert len(graph_of(read(file))) >= 4


def test_time_between_interruptions_is_not_nothing() -> None:
    with pytest.raises(ValueError, match="Expected `float` > 0"):
        described({"costs": {"calm": "0 s", "interruption": "1 ms"}})
