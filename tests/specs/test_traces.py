"""Traces of runs are read back as one, and what is wrong in them is found."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.specs.asking import prove

import freehold
from freehold.core.events import RefCreated, RefHeld
from freehold.core.ids import HEAD, node_id, object_id, worker_id
from freehold.core.node import Node
from freehold.core.node_messages import DeathNotice
from freehold.core.party import Party
from freehold.core.values import Payload
from freehold.core.worker import Worker
from freehold.specs.properties import object_agrees
from freehold.specs.traces import Check, Trace, insist_on, led_to, runs_below
from freehold.specs.walks.world import Violation


@freehold.remote
def total(holder: list[Any]) -> int:
    return len(freehold.get(holder[0]))


@pytest.fixture
def run(world: Any, tmp_path: Path) -> Path:
    """Record a run in which references are lent, and values are copied and fetched."""
    world.stop()
    with freehold.init(**world.options(trace=tmp_path)):
        large = freehold.put(bytes(300_000))
        elsewhere = {"node": world.nodes - 1}
        refs = [total.options(**elsewhere).remote([ref]) for ref in (large, freehold.put(b"small"), large)]
        assert freehold.get(refs) == [300_000, 5, 300_000]
    return tmp_path / "run-0001"


def changed(path: Path, number: int, field: int, change: Any) -> None:
    """Change one field of one line of a journal."""
    lines = path.read_text().splitlines()
    entry = json.loads(lines[number])
    entry[field] = change(entry[field])
    lines[number] = json.dumps(entry)
    path.write_text("\n".join(lines) + "\n")


def test_nothing_is_wrong_in_a_run(run: Path) -> None:
    trace = Trace(run)
    times = [(moment.party.me, moment.cause) for moment in trace.moments()]
    assert len(times) > 50 and {OWNER, NODE} <= {me for me, _ in times} <= {*trace.journals}
    assert Check(Trace(run)).complaint() == ""
    assert insist_on(run.parent) == len(trace.journals)
    code, output = prove("check", run.parent)
    extent, digest = f"{run}: {len(times):,} events of {len(trace.journals)} parties", trace.digest()
    assert code == 0 and output == f"{extent}: nothing is wrong; hash {digest[:16]}\n"
    said = json.loads(prove("check", run, "--json")[1])
    parties = len(trace.journals)
    assert said == {"run": str(run), "events": len(times), "parties": parties, "wrong": "", "hash": digest}


@pytest.mark.nodes(1)
def test_a_message_that_nobody_has_sent_is_found(run: Path) -> None:
    lines = (run / "n0.ndjson").read_text().splitlines()
    number = next(index for index, line in enumerate(lines) if '"CreateQuery"' in line)
    changed(run / "n0.ndjson", number, 1, lambda cause: cause - 1)
    code, output = prove("check", run)
    assert code == 1 and f"n0.ndjson:{number + 1}: n0 is told ('CreateQuery'" in output
    changed(run / "n0.ndjson", number, 1, lambda cause: cause + 10**6)
    with pytest.raises(Violation, match=r"nothing comes first: .*n0.ndjson:\d+"):
        insist_on(run)


@pytest.mark.nodes(1)
def test_another_run_than_the_cores_is_found(run: Path) -> None:
    changed(run / "n0w1.ndjson", 1, 5, lambda total: total + 1)
    code, output = prove("check", run / "n0w1.ndjson")
    assert code == 1 and "n0w1.ndjson:2: effects of" in output and "recorded" in output
    code, output = prove("replay", run / "n0w1.ndjson", "--to", "n0w1.9")
    assert code == 1 and output.startswith("WRONG: ") and "n0w1.ndjson:2: effects of" in output


@pytest.mark.nodes(1)
def test_what_led_to_a_step(run: Path) -> None:
    told = led_to(Trace(run), "n0w1.9").splitlines()
    assert told[0] == "what led to n0w1.9" and told[1].startswith("at ms") and "user" in told[2]
    assert any(line.startswith("n0w1 has then of n0w1.") for line in told)
    assert prove("replay", run, "--to", "n0w1.9") == (0, "\n".join([*told, ""]))
    said = json.loads(prove("replay", run, "--to", "n0w1.9", "--json")[1])
    assert said == {"step": "n0w1.9", "wrong": False, "told": told}


@pytest.mark.nodes(1)
def test_bad_input_is_one_line_and_ends_with_2(run: Path, tmp_path: Path) -> None:
    whole = (run / "n0.ndjson").read_bytes()
    (tmp_path / "cut.ndjson").write_bytes(whole[:-9])
    (tmp_path / "old.ndjson").write_bytes(whole.replace(b'"version":1', b'"version":0', 1))
    (tmp_path / "bad.ndjson").write_bytes(whole.replace(b'"NodeNotice"', b'"NoNotice"', 1))
    (tmp_path / "half.ndjson").write_bytes(whole.replace(b"\n[", b"\n", 1))
    (tmp_path / "text.ndjson").write_text("once upon a time\n")
    (tmp_path / "none.ndjson").write_bytes(b"".join([whole.splitlines(True)[0], b"[3605184944]\n"]))
    (tmp_path / "empty").mkdir()
    for name, says in (
        ("cut.ndjson", "the line is cut off"),
        ("old.ndjson", "version 0; this freehold reads version 1"),
        ("bad.ndjson", "is not an event: NoNotice"),
        ("half.ndjson", "half.ndjson:2 is not a line of a trace"),
        ("text.ndjson", "is not a trace of freehold"),
        ("none.ndjson", "the events are missing"),
        ("empty", "has no trace of a run"),
        ("nothing", "cannot be read: No such file or directory"),
    ):
        code, output = prove("check", tmp_path / name)
        assert (code, output.count("\n")) == (2, 1) and says in output, output
    for name, lost in (("n0w1.ndjson", ""), ("n0.ndjson", "the end of ")):
        shutil.copytree(run, part := tmp_path / f"without {name}")
        lines = (part / name).read_bytes().splitlines(True)
        (part / name).write_bytes(b"".join(lines[: len(lines) // 2]) if lost else b"")
        code, output = prove("check", part)
        says = f"was heard of, but {lost}the journal of {name[:-7]} is missing"
        assert (code, output.count("\n")) == (2, 1) and says in output, output
    for step, says in (
        ("n7w1.5", "is not a step, such as n0w1.57"),
        ("five", "is not a step"),
        ("n0.0", "is not a step"),
        ("n0.99999999", "was not reached"),
        ("n0.99999999999999999999", "is not a step"),
    ):
        code, output = prove("replay", run, "--to", step)
        assert (code, output.count("\n")) == (2, 1) and says in output, output
    (tmp_path / "other.ndjson").write_bytes(whole.replace(b'"NodeNotice"', b'"Event"'))
    code, output = prove("replay", tmp_path / "other.ndjson", "--to", "n0.99")
    assert code == 1 and output.startswith("WRONG: ")
    assert runs_below(tmp_path / "nothing") == [tmp_path / "nothing"]


# ------------------------------------------------------------------ what all know of one object

OWNER, READER, NODE, OTHER = worker_id(HEAD, 1), worker_id(HEAD, 2), HEAD, node_id(1)
OBJECT = object_id(OWNER, 1)


def parties() -> dict[int, Party]:
    found: dict[int, Party] = {me: Worker(me) for me in (OWNER, READER)}
    found.update({me: Node(me, 1 << 20, ()) for me in (NODE, OTHER)})
    found[OWNER].handle(RefCreated(OBJECT, Payload(1)))
    found[READER].handle(RefHeld(OBJECT))
    return found


def test_what_somebody_has_is_not_released() -> None:
    known = parties()
    assert [*object_agrees(known, OBJECT)] == []
    owner = known[OWNER]
    assert isinstance(owner, Worker)
    owner.ownership.clear()
    assert [*object_agrees(known, OBJECT)] == ["n0w1.1 is released while n0w2 has a reference to it"]
    owner.handle(DeathNotice(READER))
    assert [*object_agrees(known, OBJECT)] == []


def test_who_reads_holds_and_one_copy_is_the_primary() -> None:
    from freehold.core.copy import PRIMARY, SECONDARY, Copy
    from freehold.core.resolution import LOCAL, Resolution

    known = parties()
    reader, node, other = known[READER], known[NODE], known[OTHER]
    assert isinstance(reader, Worker) and isinstance(node, Node) and isinstance(other, Node)
    reader.resolution[OBJECT] = Resolution(OBJECT, LOCAL, place=7)
    assert [*object_agrees(known, OBJECT)] == ["n0w2 reads n0w1.1 where its node has None"]
    held = Copy(OBJECT, PRIMARY, place=7)
    node.copies[OBJECT] = held
    assert "n0w2 reads n0w1.1 where its node has Copy" in next(object_agrees(known, OBJECT))
    node.copies[OBJECT] = Copy(OBJECT, PRIMARY, place=7, holds=held.holds.set(READER, 1))
    assert [*object_agrees(known, OBJECT)] == []
    other.copies[OBJECT] = Copy(OBJECT, SECONDARY, place=1)
    assert [*object_agrees(known, OBJECT)] == []
    other.copies[OBJECT] = Copy(OBJECT, PRIMARY, place=1)
    assert [*object_agrees(known, OBJECT)] == ["n0w1.1 has primary copies on n0, n1"]
