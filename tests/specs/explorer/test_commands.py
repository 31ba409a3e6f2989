"""The commands of the search say what they have found, and that can be seen again."""

from __future__ import annotations

import json

import pytest
from tests.specs.asking import prove
from tests.specs.explorer.test_explore import HOLE

from freehold.specs.explorer import beside, models
from freehold.specs.explorer.bounds import Bounds

RAY = ("--deaths", "1", "--calls", "2", "--borrower-death", "ray")


def ask(*words: str, command: str = "explore") -> tuple[int, str]:
    return prove(command, *words)


def test_the_command_says_what_it_found() -> None:
    code, output = ask("--processes", "2")
    assert code == 0 and "that is all there are" in output and output.endswith("nothing is wrong in any of them\n")
    code, output = ask(*RAY)
    assert code == 1 and all(line in output.splitlines() for line in HOLE)


HOLE_DRAWN = """\
  n0w1                      n1w1                      n2w1                       n0
    * x = put(...)            |                         |                         |
    * f.remote([x])  # runs on n1w1                     |                         |
    |------ TaskQuery ------->|                         |                         |
    |                         * f.remote([x])  # runs on n2w1                     |
    |                         X                         |                         |
    |                          -------------------- PeerLost -------------------->|
    * del x                                             |                         |
    |                          ------ TaskQuery ------->|                         |
    |<------------------------------- DeathNotice --------------------------------|
"""


def test_what_is_found_is_drawn_and_can_be_seen_again() -> None:
    output = ask(*RAY)[1]
    assert HOLE_DRAWN in output
    replay = output.splitlines()[-1].partition("--replay ")[2]
    code, again = ask(*RAY, "--replay", replay)
    assert code == 0 and again in output.replace("\n\nTo see", "\nTo see")
    assert "WRONG" not in ask(*RAY[:4], "--replay", replay)[1]  # by the true rule, the same way


@pytest.mark.parametrize(
    ("replay", "said"), [("1.x", "numbers with full stops"), ("7.0", "first state 7"), ("1.0.99", "step 2")]
)
def test_a_replay_that_is_none(replay: str, said: str) -> None:
    code, output = ask("--deaths", "1", "--replay", replay)
    assert code == 2 and said in output


def test_the_command_prints_a_row_for_each_model(monkeypatch: pytest.MonkeyPatch) -> None:
    small = (Bounds("lend", processes=2), Bounds("lend and die", acts=4, calls=2, deaths=1))
    monkeypatch.setattr(models, "QUICK", small)
    monkeypatch.setattr(beside, "QUICK", {"hand-over": beside.HandOver(2), "link": beside.Lossy(1)})
    code, output = ask("--quick", "--borrower-death", "ray", command="models")
    head, *known = output.splitlines()
    lend, die, *others = known[4:]
    assert [line[45:58].strip() for line in known[:4]] == ["288", "8,832", "80", "314"]
    assert [line[:45].strip() for line in others] == ["hand-over", "link"]
    assert code == 1 and head.split()[:3] == ["model", "procs", "objects"]
    assert lend.split()[:5] == ["lend", "2", "1", "0", "4"]
    assert "3 of 4" in die and die.endswith("WRONG: n0w1.2 is released while n2w1 has a reference")


def test_one_model_may_be_searched_alone() -> None:
    code, output = ask("--quick", "--model", "return", "--model", "relay", command="models")
    _, *rows = output.splitlines()
    assert code == 0 and [row.split()[0] for row in rows] == ["return", "relay"]
    code, output = ask("--model", "chair", command="models")
    assert code == 2 and "'chair' is none of the models" in output and "lend and lose" in output


@pytest.mark.parametrize("words", [("--deaths", "4"), ("--borrower-death", "wishes"), ("--processes", "1")])
def test_what_cannot_be_searched_is_refused(words: tuple[str, ...]) -> None:
    code, output = ask(*words)
    assert code == 2 and (words[1] in output or words[0] in output)


def test_the_command_speaks_json() -> None:
    code, output = ask(*RAY, "--json")
    found = json.loads(output)
    assert code == 1 and not found["exhausted"] and "released" in found["violations"][0]["what"]
