"""How much can be simulated: loads that take no time."""

from __future__ import annotations

from concurrent.futures.process import BrokenProcessPool
from random import Random

import pytest
from msgspec.structs import replace

from freehold.simulator import commands, scale
from freehold.simulator.scale import HEAD, ROWS, Load, cells, choose, measure, simulate


@pytest.mark.parametrize("borrow", ["copy", "promote"])
def test_each_resolution_takes_the_messages_of_the_protocol(borrow: str) -> None:
    """A borrow is introduced, asked and ended, and the value asked for; promoted, it is put and pulled, too."""
    found = simulate(Load(nodes=20, resolutions=400, borrow=borrow))  # type: ignore[arg-type]
    assert 6 <= found.events < (7 if borrow == "copy" else 20)
    assert 0 < found.median <= found.p99 < found.simulated
    assert found.nbytes > 2**20 and found.alone > 0


def test_the_same_seed_the_same_times() -> None:
    load = Load(nodes=50, resolutions=100, racks=True, least=2**10, most=2**22, hot=0.5)
    one, other, another = (simulate(replace(load, seed=seed)) for seed in (1, 1, 2))
    assert one.simulated == other.simulated != another.simulated
    assert one.carried == other.carried


def test_nobody_reads_what_is_his_own_and_some_read_what_is_hot() -> None:
    load, objects = Load(nodes=4, hot=0.5), [[node] * 10 for node in range(4)]
    chosen = [*choose(2, objects, 1000, load, Random(1))]
    assert set(chosen) == {0, 1, 3}
    assert 550 < chosen.count(0) < 800


def test_a_load_is_measured_in_a_process_of_its_own() -> None:
    load = Load(nodes=3, resolutions=9)
    found, here = measure(load), simulate(load)
    assert (found.load, found.simulated, found.carried) == (load, here.simulated, here.carried)


def test_a_process_that_is_killed_ends_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "refuse", refused)
    monkeypatch.setattr(scale, "measure", killed)
    with pytest.raises(LookupError, match="the process that simulated the next row was killed"):
        commands.scale("small")


def refused(said: str) -> None:
    raise LookupError(said)


def killed(load: Load) -> None:
    raise BrokenProcessPool


def test_a_line_for_each_load() -> None:
    found = simulate(Load(nodes=3, resolutions=9))
    assert len(cells(found)) == len(HEAD)
    assert {load.nodes for some in ROWS.values() for load in some} == {100, 1_000, 10_000}
