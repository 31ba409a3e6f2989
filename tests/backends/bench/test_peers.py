"""Where peers are looked for, and what is said when they are not there."""

import sys
from pathlib import Path

import pytest

from freehold.backends.bench import peers
from freehold.backends.bench.contenders import PEERS, Entry
from freehold.backends.bench.problems import BenchError


def test_an_unknown_peer() -> None:
    with pytest.raises(BenchError, match=r"there is no peer 'spark'; there are ray, pool, dask, loky"):
        peers.chosen_peers(["pool", "spark"], None)


def test_pools_need_no_environment() -> None:
    found = peers.chosen_peers(["pool"], None)
    assert [(entry.title, python) for entry, python in found.entries] == [
        ("Pool", sys.executable),
        ("ProcessPool", sys.executable),
    ]


def test_a_peer_that_is_named_twice_takes_part_once() -> None:
    assert len(peers.chosen_peers(["pool", "pool"], None).entries) == len(PEERS["pool"])


def test_a_library_that_is_not_installed() -> None:
    missing = Entry("Nobody", "nobody:NOBODY", "surely-not-installed")
    with pytest.raises(BenchError, match="Nobody is not installed beside freehold: run 'make bench' once") as caught:
        peers.interpreter_for(missing, [sys.executable])
    assert "\n" not in str(caught.value)


def test_a_library_that_is_installed() -> None:
    python, version = peers.interpreter_for(Entry("numpy", "", "numpy"), [sys.executable])
    assert python == sys.executable and version


@pytest.mark.parametrize("place", ["no-such-folder", "."])
def test_a_place_without_an_interpreter(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BenchError, match="there is no interpreter"):
        peers.interpreters(place)


def test_a_place_that_is_an_environment_or_its_interpreter(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    assert peers.interpreters(str(tmp_path)) == [str(tmp_path / "bin" / "python")]
    assert peers.interpreters(sys.executable) == [sys.executable]


def test_an_interpreter_that_is_none() -> None:
    with pytest.raises(BenchError, match="does not run"):
        peers.versions_of("/bin/false", "numpy")
