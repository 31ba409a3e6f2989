"""Chunks that are sent on, in a simulated cluster: what becomes of a broadcast when some who take part die amid it."""

from __future__ import annotations

from functools import partial

import pytest

from freehold.core.policies import Policy
from freehold.simulator.scripts import Script
from freehold.simulator.studies.broadcast import own, read
from freehold.simulator.users import User, Users
from freehold.simulator.world.description import Description

READERS = 12
NBYTES_SENT = (1 << 30) / Description().network.bandwidth  # seconds of one cable for one copy


def ends(relay: bool, *deaths: tuple[float, int]) -> dict[int, float]:
    """Return when each reader has the object; nodes die at a part of the time that one copy takes."""
    world = Users(Description(nodes=1 + READERS), Policy(seed=1, relay=relay))
    owner, *readers = world.populate()
    objects: list[int] = []
    world.start(owner, own(owner, objects))
    world.run_all()
    began, found = world.clock.now, dict[int, float]()

    def take(number: int, reader: User) -> Script:
        yield from read(reader, objects[0])
        found[number] = world.clock.now - began

    for number, reader in enumerate(readers, 1):
        world.start(reader, take(number, reader))
    for part, node in deaths:
        world.clock.call_at(began + part * NBYTES_SENT, partial(world.crash, node))
    world.run_all()
    return found


@pytest.mark.parametrize(
    "deaths",
    [
        [(0.5, 1)],
        [(0.5, 6)],
        [(0.5, READERS)],
        [(0.0, 3)],
        [(0.1, 3), (0.9, 8)],
        [(0.9, 2), (0.3, 5), (0.6, 9)],
        [(0.5, node) for node in (2, 3, 4, 7)],
    ],
    ids=str,
)
def test_who_lives_gets_it_whoever_dies(deaths: list[tuple[float, int]]) -> None:
    """Those behind a node that dies begin again, which costs them one more copy at the most for each death."""
    found = ends(True, *deaths)
    assert sorted(found) == [node for node in range(1, READERS + 1) if node not in {node for _, node in deaths}]
    assert max(found.values()) < (1.2 + len(deaths)) * 1.3 * NBYTES_SENT


def test_nobody_waits_as_long_as_for_one_source() -> None:
    calm, lost, classic = ends(True), ends(True, (0.5, 1)), ends(False)
    assert max(calm.values()) < max(lost.values()) < max(classic.values()) / 4
