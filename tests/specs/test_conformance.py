"""The conformance kit: who keeps what, what is said of who does not, and a backend of somebody else's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tests.specs.asking import prove

from freehold.specs import scenario
from freehold.specs.conformance import Result, Verdict, judged
from freehold.specs.rules import RULES

ROOT = Path(__file__).resolve().parents[2]
CHAIN = ("--backend", "inline", "--nodes", "1", "--only", "middle_of_a_chain_drops_first")


def test_a_backend_that_keeps_a_scenario() -> None:
    code, output = prove(
        "conformance", "--backend", "inline", "--nodes", "1", "--only", "middle_of_a_chain_drops_first"
    )
    lines = output.splitlines()
    assert code == 0 and lines[-1] == "inline: 2 of 2 scenarios kept"
    assert any(line.split()[:4] == ["kept", "in", "2", "borrow-report"] for line in lines)
    assert any(line.split()[:3] == ["not", "seen", "threads-lead"] for line in lines)
    code, output = prove(
        "conformance", "--backend", "inline", "--nodes", "1", "--only", "middle_of_a_chain_drops_first", "--json"
    )
    said = json.loads(output)
    assert code == 0 and (said["backend"], said["ran"], said["wrong"], said["left_out"]) == ("inline", 2, [], {})
    assert said["rules"]["borrow-report"] == "kept in 2" and said["rules"]["threads-lead"] == "not seen"


def test_a_backend_that_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def body() -> int:
        """One is asked for, and another given."""
        return 2

    wrong = scenario.Scenario("another_number", body, returns=1)
    monkeypatch.setitem(scenario.REGISTRY, "another_number", wrong)
    code, output = prove("conformance", "--backend", "inline", "--nodes", "1", "--only", "another_number")
    assert code == 1
    assert "WRONG: another_number on 1 nodes: AssertionError: another_number returned 2, not 1" in output
    assert "broken       office-hours" in output and output.splitlines()[-1] == "inline: 0 of 1 scenarios kept"


def test_what_hangs_and_what_cannot_be_hosted(monkeypatch: pytest.MonkeyPatch) -> None:
    def body() -> None:
        """Nothing ever comes."""
        while True:
            pass

    monkeypatch.setattr("freehold.specs.conformance.SECONDS", 0.5)
    monkeypatch.setitem(scenario.REGISTRY, "endless", scenario.Scenario("endless", body))
    monkeypatch.setitem(
        scenario.REGISTRY, "endless_kill", scenario.Scenario("endless_kill", body, frozenset({"kills"}))
    )
    late, left = judged("inline", [1], "endless")
    assert isinstance(late, Result) and late.complaint == "TimeoutError: it had not ended after 0 s"
    assert left == "kills not hosted"


def test_a_rule_is_broken_if_one_scenario_is() -> None:
    good, bad = Result("a", 1, "", frozenset({"free"})), Result("b", 1, "lost", frozenset({"free", "stale"}))
    verdict = Verdict([good, bad], Counter())
    assert [verdict.of(rule) for rule in ("free", "stale", "own-create")] == ["broken", "broken", "not seen"]
    assert Verdict([good, good], Counter()).of("free") == "kept in 2"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--backend", "magic"], "there is no backend 'magic'; there are inline, local, sim"),
        (["--backend", "inline", "--only", "unheard_of"], "no scenario has 'unheard_of' in its name"),
        (["--backend", "inline", "--nodes", "0"], "should be greater than or equal to 1"),
    ],
)
def test_bad_input(words: list[str], said: str) -> None:
    code, output = prove("conformance", *words)
    assert code == 2 and said in " ".join(output.replace("│", " ").split())


# ------------------------------------------------------------------ a backend of somebody else's


@pytest.fixture(scope="module")
def shuffled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the example is installed."""
    source, target = tmp_path_factory.mktemp("source") / "shuffled", tmp_path_factory.mktemp("installed")
    shutil.copytree(ROOT / "examples" / "shuffled", source)  # setuptools builds beside the source
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target", str(target)]
    subprocess.run([*pip, str(source)], check=True)
    return target


def kept_by_shuffled(installed: Path, seed: str, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed), "FREEHOLD_SEED": seed}
    command = [sys.executable, "-m", "freehold", "prove", "conformance", "--backend", "shuffled", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_it_is_short() -> None:
    (module,) = (ROOT / "examples" / "shuffled").glob("*.py")
    code = [
        line for line in module.read_text("utf-8").splitlines() if line.strip() and not line.strip().startswith("#")
    ]
    assert len(code) <= 100


@pytest.mark.slow
def test_it_keeps_what_is_about_borrowers(shuffled: Path) -> None:
    done = kept_by_shuffled(shuffled, "3", "--nodes", "3", "--only", "borrow")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_it_keeps_every_rule_that_can_be_seen(shuffled: Path) -> None:
    done = kept_by_shuffled(shuffled, "3", "--nodes", "3")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    seen = {line.split()[3] for line in done.stdout.splitlines() if line.startswith("  kept")}
    for_good, others = {"count-export"}, {"threads-lead", "threads-served", "link-order", "link-again", "resolve-again"}
    assert {rule.id for rule in RULES.values() if rule.cells} - seen <= for_good | others, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("seed", "01234")
def test_a_node_dies_behind_a_hold_and_before_the_owner_hears_of_the_copy(shuffled: Path, seed: str) -> None:
    done = kept_by_shuffled(shuffled, seed, "--nodes", "1", "--only", "node_dies_after_its_object_was_read")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [str(seed) for seed in range(10)])
def test_it_keeps_everything_in_any_order(shuffled: Path, seed: str) -> None:
    done = kept_by_shuffled(shuffled, seed)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
