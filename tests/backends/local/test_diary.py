"""A recorded run tells in what order its processes ended, and at whose word."""

import os
import signal

import pytest

import freehold
from freehold.backends.local.diary import FILE, Diary


@freehold.remote
def double(number: int) -> int:
    """Say what twice a number is."""
    return 2 * number


def lines_of(run) -> list[str]:
    """Return what is told, without the time."""
    return [line.partition(" ")[2] for line in (run / FILE).read_text().splitlines()] if (run / FILE).exists() else []


@pytest.mark.local
def test_who_killed_the_cluster(watch, eventually, tmp_path) -> None:
    freehold.init(num_cpus=1, trace=tmp_path)
    roles = eventually(lambda: len(roles := watch.roles()) == 4 and roles)
    run, template = tmp_path / "run-0001", f"template of n0 ({roles['template 0']})"
    os.kill(roles["worker 0.0"], signal.SIGKILL)
    assert eventually(lambda: f"{template}: n0w2 ({roles['worker 0.0']}) has ended: -9" in lines_of(run))
    os.kill(roles["node 0"], signal.SIGKILL)
    assert eventually(lambda: not freehold.is_initialized())
    freehold.shutdown()
    said = "\n".join(lines_of(run))  # of several processes: who is sooner to write is not known
    assert ": n0 ended, and the cluster with it" in said and f"{template} has ended: " in said


@pytest.mark.local
def test_a_node_that_is_removed_and_a_good_end(watch, eventually, tmp_path) -> None:
    cluster = freehold.Cluster(num_cpus=1, trace=tmp_path)
    node = cluster.add_node(num_cpus=1)
    assert freehold.get(double.options(node=node).remote(2)) == 4  # so it has begun
    cluster.remove_node(node, graceful=False)
    freehold.shutdown()
    said = "\n".join(lines_of(tmp_path / "run-0001"))
    assert -1 < said.find("is to stop n1") < said.find("ends all: it was told to")  # the one is the other's cause
    assert "ends all: its link was closed" in said


def test_what_is_not_recorded_leaves_no_file(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Diary("", "program").note("ends the cluster")
    Diary(str(tmp_path / "gone"), "program").note("ends the cluster")
    assert not [*tmp_path.iterdir()]
