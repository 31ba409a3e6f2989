"""Machines: as many processes run at a time as there are cores, first come, first served."""

from __future__ import annotations

from freehold.simulator.world.hosts import Host


def test_there_are_always_enough_cores_unless_it_is_said_how_many() -> None:
    host = Host("h")
    assert [host.run(1.0, 2.0) for _ in range(3)] == [3.0, 3.0, 3.0]


def test_processes_wait_for_a_core() -> None:
    host = Host("h", cores=2)
    assert [host.run(0.0, 3.0), host.run(0.0, 5.0)] == [3.0, 5.0]
    assert host.run(1.0, 1.0) == 4.0  # the first core is free at 3
    assert host.run(1.0, 1.0) == 5.0
    assert host.run(9.0, 1.0) == 10.0
    assert host.run(9.0, 0.0) == 9.0  # who does nothing needs none
