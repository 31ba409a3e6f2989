"""``freehold doctor`` from end to end: as text, as JSON, on a terminal, and where a cluster cannot run."""

import json
import os
import pty
import resource
import subprocess
import sys
from typing import Any

import pytest

from freehold.backends.doctor.checks import CHECKS, Finding
from freehold.backends.doctor.command import line, verdict
from freehold.backends.doctor.trial import Trial, cluster, trial

COMMAND = [sys.executable, "-W", "error", "-m", "freehold", "doctor"]
STEPS = ["init", "put", "task", "get", "shutdown"]


def few_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))


@pytest.mark.local
@pytest.mark.slow
def test_it_says_in_one_line_each_whether_a_cluster_runs_here() -> None:
    run = subprocess.run(COMMAND, capture_output=True, text=True)
    *lines, last = run.stdout.splitlines()
    assert (run.returncode, run.stderr) == (0, ""), run.stdout
    assert [text.split()[1] for text in lines] == [*[check.__name__ for check in CHECKS], "cluster"]
    assert {text.split()[0] for text in lines} <= {"ok", "note"}
    assert all(("; mend: " in text) == text.startswith("note") for text in lines)
    assert last.startswith("verdict: freehold runs here")


@pytest.mark.local
@pytest.mark.slow
def test_it_ends_with_1_and_the_mend_where_no_cluster_runs() -> None:
    run = subprocess.run([*COMMAND, "--json"], capture_output=True, text=True, preexec_fn=few_descriptors)
    assert (run.returncode, run.stderr) == (1, "")
    found = json.loads(run.stdout)
    checks = {one["what"]: one for one in found["checks"]}
    assert checks["descriptors"]["level"] == checks["cluster"]["level"] == "problem"
    assert checks["descriptors"]["mend"].startswith("ulimit -n ")
    assert "open files here, and 'ulimit -n' is 20" in checks["cluster"]["words"]
    assert "descriptors" in found["verdict"]


@pytest.mark.slow
def test_on_a_terminal_it_is_a_table() -> None:
    ours, theirs = pty.openpty()
    run = subprocess.Popen([*COMMAND, "--no-trial"], stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    shown = b""
    while True:
        try:
            shown += os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
    os.close(ours)
    assert run.communicate()[1] == b""
    assert run.returncode in (0, 1)
    assert b"\x1b[" in shown
    assert b"finding and mend" in shown
    assert b"verdict" in shown


@pytest.mark.local
def test_the_trial_takes_each_step_on_a_real_cluster() -> None:
    result = trial(num_cpus=1, object_store_memory=16 << 20)
    assert (result.failure, list(result.seconds)) == ("", STEPS)
    assert all(seconds > 0 for seconds in result.seconds.values())


@pytest.mark.local
def test_a_cluster_that_does_not_begin_is_a_problem_with_its_words() -> None:
    result = trial(num_cpus=-1)
    found = cluster(result)
    assert (found.level, list(result.seconds)) == ("problem", ["init"])
    assert "init failed" in found.words and "ValueError: num_cpus" in found.words


@pytest.mark.local
def test_a_cluster_that_works_wrongly_is_a_problem_and_is_ended() -> None:
    result = trial(num_cpus=1, object_store_memory=4096)
    found = cluster(result)
    assert (found.level, list(result.seconds)) == ("problem", ["init", "put", "shutdown"])
    assert "put failed" in found.words and "ObjectStoreFullError" in found.words


@pytest.mark.parametrize(
    ("levels", "words"),
    [
        ([], "freehold runs here"),
        (["ok", "ok"], "freehold runs here"),
        (["ok", "note"], "freehold runs here; it would do better with b mended"),
        (["problem", "note"], "a cluster does not run here as it should; mend a"),
    ],
)
def test_the_verdict_is_the_worst_of_all(levels: list[Any], words: str) -> None:
    assert verdict([Finding(what, level, "") for what, level in zip("abc", levels, strict=False)]) == words


def test_a_finding_is_one_line() -> None:
    assert line(Finding("memory", "note", "two\n  lines", "ulimit")) == "note     memory       two lines; mend: ulimit"
    assert cluster(Trial({"init": 0.0123, "put": 0.5})).words == "it works: init 12.3 ms, put 500.0 ms"
