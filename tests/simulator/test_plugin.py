"""How a simulation is started: by argument or by environment, and only then are its libraries imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import freehold
from freehold.core.hooks import Options, check
from freehold.simulator.world.description import Cable, Description, Network


def test_the_environment_names_the_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FREEHOLD_BACKEND", "sim")
    assert freehold.get(freehold.put(1)) == 1
    assert len(freehold.nodes()) == 1
    freehold.shutdown()


def test_nodes_are_there_when_the_program_begins(sim: Any) -> None:
    world = sim(num_nodes=4, num_cpus=3, resources={"disk": 1})
    assert world.now() == 0
    assert [node["Index"] for node in freehold.nodes()] == [0, 1, 2, 3]
    assert freehold.cluster_resources()["CPU"] == 12 and freehold.cluster_resources()["disk"] == 4
    assert len(world.sessions) == 1 + 4 * 3


def test_a_cluster_is_described_in_a_file_or_a_mapping(sim: Any, tmp_path: Path) -> None:
    (tmp_path / "cluster.toml").write_text('nodes = 3\ncpus = 5\nstore = "1 GiB"\n[network]\nlatency = "1 ms"\n')
    world = sim(num_nodes=None, cluster=str(tmp_path / "cluster.toml"))
    assert freehold.cluster_resources()["CPU"] == 15 and world.capacity == 2**30
    freehold.shutdown()
    sim(num_nodes=2, cluster={"nodes": 9, "cpus": 4})  # an argument goes before the description
    assert freehold.cluster_resources()["CPU"] == 8


def test_a_cluster_on_which_others_have_measured_has_a_name(sim: Any) -> None:
    world = sim(num_nodes=3, cluster="m5.8xlarge")
    assert len(freehold.nodes()) == 3 and world.costs.send == pytest.approx(30.4e-6)
    freehold.shutdown()
    with pytest.raises(OSError, match=r"m5\.9xlarge"):
        sim(cluster="m5.9xlarge")


def test_a_bad_description_is_refused_before_anything_runs(sim: Any, tmp_path: Path) -> None:
    (tmp_path / "cluster.toml").write_text('nodes = 3\n[network]\nlatency = "-1 ms"\n')
    with pytest.raises(ValueError, match=r"cluster\.toml:3: Expected `float` >= 0\.0: '-1 ms'"):
        sim(cluster=tmp_path / "cluster.toml")
    with pytest.raises(ValueError, match="cluster: there are 2 nodes, from 0 on, and no 2"):
        sim(cluster={"faults": [{"kind": "crash", "node": 2, "at": "1 s"}]})
    with pytest.raises(TypeError, match="cluster is the path of a TOML file"):
        sim(cluster=7)
    with pytest.raises(ValueError, match="cluster: cables are those of a graph"):
        sim(cluster=Description(network=Network(cables=(Cable(between=("n0", "n1")),))))
    with pytest.raises(ValueError, match="reads no description"):
        freehold.init(backend="inline", cluster={})
    assert not freehold.is_initialized()


@pytest.mark.parametrize("cluster", [None, {"cpus": 4}, Description(), "m5.8xlarge"])
def test_endless_cpus_are_refused(cluster: Any) -> None:
    """As ``freehold run --cpus inf`` asks for."""
    with pytest.raises(ValueError, match="cluster: cpus is inf, and has to be finite"):
        check(Options(backend="sim", num_cpus=float("inf"), cluster=cluster))


def test_more_than_memory_holds_is_refused_before_anything_runs() -> None:
    with pytest.raises(ValueError, match=r"of each of which 1,616,000 processes know, take about 4\.23 TiB"):
        freehold.init(backend="sim", num_nodes=16_000, num_cpus=100)
    assert not freehold.is_initialized()


def test_libraries_are_imported_when_they_are_used() -> None:
    program = "import freehold, sys; assert not {'simpy', 'networkx', 'greenlet'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
