"""The same seed does the same, step for step, whatever the hashes of strings are and whether anything is recorded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from freehold.specs.traces import Trace

WALK = """
import hashlib, sys
from freehold.core.trace import Ring
from freehold.specs.walks.walk import Walk, walk

class Recorded(Walk):
    def handle(self, party, event, cause):
        party.watch = party.watch or Ring()
        return super().handle(party, event, cause)

kind = Recorded if sys.argv[1:] else Walk
digest = hashlib.sha256()
for seed in range(6):
    world = walk(seed, 300, kind, deaths=2, cuts=1, cancels=True)
    digest.update(repr([(me, party.step, party.members) for me, party in world.parties.items()]).encode())
    digest.update(repr([world.values, world.reads, world.dead]).encode())
print(digest.hexdigest())
"""
RUN = """
import sys
import freehold

freehold.init(backend="sim", num_nodes=2, trace=sys.argv[1], seed=int(sys.argv[2]))
double = freehold.remote(lambda value: value * 2)
assert len(freehold.get(double.remote(double.remote(bytes(100_000))))) == 400_000
freehold.shutdown()
"""
EXPLORE = ["-m", "freehold", "prove", "explore", "--acts", "4", "--calls", "2", "--deaths", "1", "--json"]


def said(hash_seed: str, *words: str) -> str:
    """Return what a Python program prints, whose strings have hashes of their own."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout


def test_a_walk() -> None:
    assert said("1", "-c", WALK) == said("2", "-c", WALK) == said("3", "-c", WALK, "recorded") != ""


def test_a_recorded_run(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "123"]
    for seed, folder in zip("121", folders, strict=True):
        said(seed, "-c", RUN, str(folder), "7" if folder.name == "3" else "0")
    first, second, other = [Trace(folder / "run-0001").digest() for folder in folders]
    assert first == second != other


def test_a_search_and_the_way_it_finds() -> None:
    ray = [json.loads(said(seed, *EXPLORE, "--borrower-death", "ray")) for seed in "12"]
    for found in ray:
        del found["seconds"], found["seconds_of_last_search"]
    assert ray[0] == ray[1] and ray[0]["violations"]
