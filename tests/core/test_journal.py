"""Traces of runs: on every backend, a folder for each run, whole lines, and the pure core does it all again."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import freehold
from freehold.core import journal
from freehold.core.ids import HEAD, worker_id
from freehold.core.journal import VERSION, Diverged, Journal, read, redo, redo_all, run_folder
from freehold.core.worker import Worker

ME = worker_id(HEAD, 1)


@freehold.remote
def double(number: Any) -> Any:
    return 2 * number


def run(world: Any, **arguments: Any) -> None:
    """Run a small program on a cluster of its own."""
    world.stop()
    with freehold.init(**world.options(**arguments)):
        big = freehold.put(bytes(300_000))
        assert freehold.get([double.remote(number) for number in range(20)]) == [2 * n for n in range(20)]
        assert len(freehold.get(double.remote(big))) == 600_000
        for node in range(world.nodes):  # so that each has begun: init does not wait for the last of them
            assert freehold.get(double.options(node=node).remote(1)) == 2


def test_a_folder_holds_every_party_of_a_run_and_all_it_was_told(world: Any, tmp_path: Path) -> None:
    home = tmp_path / "not" / "there"
    run(world, trace=home)
    run(world, trace=str(home))
    assert sorted(path.name for path in home.iterdir()) == ["run-0001", "run-0002"]
    begun = [path for path in home.glob("*/*.ndjson") if path.stat().st_size]  # a worker may end as it begins
    files = {path.stem: path for path in begun if path.parent.name == "run-0001"}
    assert {f"n{node}" for node in range(world.nodes)} | {"n0w1"} <= {*files}
    parties = redo_all(str(home))
    assert len(parties) == len(begun)
    for name, path in files.items():
        lines = path.read_bytes().split(b"\n")
        assert lines[-1] == b"" and all(json.loads(line) for line in lines[:-1])
        header, _ = read(str(path))
        assert (header.version, header.name) == (VERSION, name) and header.policy.inline_bytes_max > 0
    program = files["n0w1"].read_text()
    assert '"TaskSubmitted"' in program and '"ValuePut"' not in program, "events from outside, not those within"
    assert b"\\u0000" not in files["n0w1"].read_bytes(), "no values"


@pytest.mark.nodes(1)
def test_the_environment_names_the_folder_and_an_argument_goes_before_it(
    world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FREEHOLD_TRACE", str(tmp_path / "a"))
    run(world)
    run(world, trace=tmp_path / "b")
    assert [len([*(tmp_path / name).iterdir()]) for name in "ab"] == [1, 1]
    monkeypatch.delenv("FREEHOLD_TRACE")
    run(world)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


@pytest.mark.nodes(1)
def test_a_bad_folder_is_one_error_and_nothing_has_begun(world: Any, tmp_path: Path) -> None:
    world.stop()
    (tmp_path / "file").write_text("")
    for bad in (tmp_path / "file", tmp_path / "file" / "inside", Path("/proc/no/such")):
        with pytest.raises(ValueError, match=f"trace='{bad}': no files can be made there .*: name a folder"):
            freehold.init(**world.options(trace=bad))
        assert not freehold.is_initialized()
    with pytest.raises(TypeError):
        freehold.init(**world.options(trace=5))


@pytest.mark.nodes(1)
def test_a_start_that_fails_leaves_no_folder(world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from freehold.core import cluster

    def refuse(options: Any) -> Any:
        raise OSError(f"no cluster for {options.trace}")

    world.stop()
    monkeypatch.setattr(cluster, "start", refuse)
    with pytest.raises(OSError, match="run-0001"):
        freehold.init(**world.options(trace=tmp_path))
    assert [*tmp_path.iterdir()] == []


def test_runs_that_begin_together_have_folders_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "run-0002").mkdir()  # as if another had been faster
    (tmp_path / "notes.txt").write_text("mine")
    assert [os.path.basename(run_folder(str(tmp_path))) for _ in range(2)] == ["run-0003", "run-0004"]


def trace_of(folder: Path, events: int) -> Path:
    from freehold.core.events import RefCreated
    from freehold.core.ids import object_id
    from freehold.core.values import Payload

    party = Worker(ME)
    written = Journal.open(str(folder), party)
    for number in range(1, events + 1):
        event = RefCreated(object_id(ME, number), Payload(5, (), b"value"))
        written.write(float(number), 0, event, party.handle(event, float(number)))
    written.abandon()  # as by a kill
    return folder / "n0w1.ndjson"


def test_a_line_that_a_kill_has_cut_is_left_out(tmp_path: Path) -> None:
    path = trace_of(tmp_path, 5)
    whole = path.read_bytes()
    assert b"value" not in whole.split(b"\n", 1)[1]
    path.write_bytes(whole[:-7])
    assert len([*read(str(path))[1]]) == 4
    assert len(redo(str(path)).tables["ownership"]) == 4


def test_what_is_looked_at_amid_a_run_is_each_time_further(tmp_path: Path) -> None:
    seen: list[int] = []
    redo(str(trace_of(tmp_path, 60)), lambda party: seen.append(len(party.tables["ownership"])))
    assert len(seen) >= 3 and seen == sorted(seen) and seen[0] < seen[-1]


def test_another_run_is_not_taken_for_this_one(tmp_path: Path) -> None:
    path = trace_of(tmp_path, 3)
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], lines[1], *lines[3:]]))
    with pytest.raises(Diverged):
        redo(str(path))


def test_what_is_no_trace_or_of_another_version_is_refused(tmp_path: Path) -> None:
    path = trace_of(tmp_path, 1)
    path.write_bytes(path.read_bytes().replace(b'"version":1', b'"version":99'))
    with pytest.raises(ValueError, match="version 99; this freehold reads version 1"):
        read(str(path))
    path.write_bytes(b"hello\n")
    with pytest.raises(ValueError, match="is not a trace of freehold"):
        journal.read(str(path))
