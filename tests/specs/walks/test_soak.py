"""Walks without end: what is wrong on one can be seen again by its seed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.specs.asking import prove

from freehold.core.machine import unchanged
from freehold.core.messages import ReleaseReply
from freehold.core.ownership import OWNED
from freehold.specs.walks.walk import WORLDS


def test_so_many_walks_are_taken() -> None:
    code, output = prove("soak", "--kind", "deaths", "--walks", "3", "--steps", "100")
    assert code == 0 and output.startswith("3 walks of 100 steps in ") and output.endswith(": nothing wrong\n")
    said = json.loads(prove("soak", "--walks", "1", "--steps", "50", "--json")[1])
    assert said["walks"] == len(WORLDS) and said["wrong"] == []
    assert prove("soak", "--seconds", "0")[1].startswith("0 walks")


def test_what_is_wrong_can_be_seen_again(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: dict[Any, Any] = OWNED.rows
    monkeypatch.setitem(rows, ReleaseReply, unchanged)
    code, output = prove("soak", "--kind", "calm", "--walks", "4", "--seed", "2")
    wrong, again, *_ = output.splitlines()
    assert code == 1 and wrong.startswith("WRONG: calm, seed ")
    assert again.startswith("To see it again: freehold prove soak --kind 'calm' --seed ")
    seed = again.split("--seed ")[1].split()[0]
    assert prove("soak", "--kind", "calm", "--seed", seed, "--walks", "1")[1].splitlines()[:2] == [wrong, again]


def test_an_unknown_kind_is_refused() -> None:
    code, output = prove("soak", "--kind", "merry")
    assert code == 2 and "there are calm, " in output and output.count("\n") == 1
