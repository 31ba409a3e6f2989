"""How a simulation is started: by argument or by environment, and only then are its libraries imported."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import freehold
from freehold.exceptions import NotSupported


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


def test_descriptions_of_clusters_come_later(sim: Any) -> None:
    with pytest.raises(NotSupported, match="num_nodes"):
        sim(cluster_file="cluster.toml")
    assert not freehold.is_initialized()


def test_libraries_are_imported_when_they_are_used() -> None:
    program = "import freehold, sys; assert not {'simpy', 'networkx', 'greenlet'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
