"""Progress bars: on a terminal there is one, it ends cleanly, and elsewhere there is none, nor is rich imported."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import textwrap
from typing import Any

import pytest

import freehold
from freehold.core import progress
from freehold.core.progress import Bar

HEAD = """
    import os, sys, time
    import freehold
    freehold.init(num_cpus=2)

    @freehold.remote
    def nap(seconds, value=0):
        time.sleep(seconds)
        return value

    @freehold.remote
    def fail():
        raise KeyError("missing")
"""
RUNS: dict[str, tuple[str, str, int]] = {  # program, what is seen on the terminal at the end, what it exits with
    "get": (
        "assert freehold.get([nap.remote(0.01, n) for n in range(5)], progress=True) == [*range(5)]",
        "get.*5/5",
        0,
    ),
    "one": ("assert freehold.get(nap.remote(0.01, 7), progress=True) == 7", "get.*1/1", 0),
    "wait": ("freehold.wait([nap.remote(0.01) for _ in range(4)], num_returns=4, progress=True)", "wait.*4/4", 0),
    "wait that is over early": (
        """
    late = nap.remote(0.5)
    ready, rest = freehold.wait([late, freehold.put(1)], num_returns=2, timeout=0.05, progress=True)
    assert {*ready, *rest} >= {late} and len(ready) + len(rest) == 2
    """,
        "wait.*1/2",
        0,
    ),
    "as_completed": (
        "for ref in freehold.as_completed([nap.remote(0.01) for _ in range(3)], progress=True): freehold.get(ref)",
        "complete.*3/3",
        0,
    ),
    "error in the body": (
        """
    for ref in freehold.as_completed([nap.remote(0.01), nap.remote(0.5)], progress=True):
        raise OSError("in the body")
    """,
        "OSError: in the body",
        1,
    ),
    "error": ("freehold.get([nap.remote(0.01), fail.remote(), nap.remote(0.01)], progress=True)", "KeyError", 1),
    "end of time": ("freehold.get([nap.remote(0.5)], timeout=0.05, progress=True)", "GetTimeoutError: 1 of 1", 1),
    "interrupt": (
        """
    import signal, threading
    threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    freehold.get([nap.remote(0.01), nap.remote(60)], progress=True)
    """,
        "KeyboardInterrupt",
        1,
    ),
}
THERE = """
    ref = freehold.put(1)
    assert freehold.get(ref, progress=True) == 1
    freehold.get([ref, ref], progress=True)
"""
CHECK = """
    import sys
    print("rich" in sys.modules)
"""


def script(body: str, tail: str = "") -> str:
    return textwrap.dedent(f"{HEAD}\n    {body}\n{tail}")


def on_terminal(program: str, backend: str) -> tuple[int, str]:
    """Run a program whose stderr is a terminal; return how it ended and what the terminal was sent."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "FREEHOLD_BACKEND": backend, "TERM": "xterm", "COLUMNS": "100"}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program], stderr=theirs, stdout=theirs, env=environment
    ) as process:
        os.close(theirs)
        sent = bytearray()
        while True:
            try:
                some = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not some:
                break
            sent += some
        os.close(ours)
        return process.wait(60), sent.decode()


@pytest.mark.parametrize("backend", [pytest.param("local", marks=pytest.mark.local), "sim", "inline"])
@pytest.mark.parametrize("name", RUNS)
def test_on_a_terminal(name: str, backend: str) -> None:
    if name == "interrupt" and backend != "local":
        pytest.skip("one thread: there is nobody to send the signal")
    body, seen, code = RUNS[name]
    status, sent = on_terminal(script(body), backend)
    plain = re.sub(r"\x1b\[[?\d;]*[a-zA-Z]", "", sent)
    assert (status != 0) == (code != 0), plain
    assert re.search(seen, plain), plain
    assert sent.rfind("\x1b[?25l") < sent.rfind("\x1b[?25h"), "the cursor is left hidden"


@pytest.mark.local
def test_what_is_there_needs_no_bar() -> None:
    status, sent = on_terminal(script(THERE, CHECK), "local")
    assert (status, sent.strip()) == (0, "False")


@pytest.mark.local
def test_elsewhere_there_is_none() -> None:
    body, _, _ = RUNS["get"]
    run = subprocess.run([sys.executable, "-W", "error", "-c", script(body, CHECK)], capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "False\n", "")


@pytest.mark.nodes(1)
def test_what_is_asked_of_the_cluster_is_what_is_asked_without(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the values are the same, with duplicates, failures and nothing at all."""
    world.start()
    value = freehold.put([1])
    assert freehold.get([value, value], progress=True) == [[1], [1]]
    assert freehold.get([], progress=True) == []
    assert freehold.wait([], progress=True) == ([], [])
    double = freehold.remote(lambda number: 2 * number)
    refs = [double.remote(number) for number in range(5)]
    assert freehold.get([*refs, *refs], progress=True) == [0, 2, 4, 6, 8] * 2
    fail: Any = freehold.remote(refuse)
    with pytest.raises(KeyError, match="missing"):
        freehold.get([fail.remote(), double.remote(1)], progress=True)
    ready, rest = freehold.wait([fail.remote(), double.remote(1)], num_returns=2, progress=True)
    assert len(ready) == 2 and not rest


def refuse() -> None:
    raise KeyError("missing")


class Drawn(Bar):
    """A bar that counts its drawings, for a terminal that is not there."""

    def begin(self) -> bool:
        self.progress = self
        self.drawings: list[int] = []
        return True

    def draw(self) -> None:
        self.drawings.append(self.done)


def test_drawn_ten_times_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10**9))
    monkeypatch.setattr(progress, "monotonic", lambda: 1 + next(clock) / 1000)  # a thousand looks a second
    bar = Drawn(1000, "get")
    for done in range(1001):
        bar.show(done)
    assert 10 <= len(bar.drawings) <= 12 and bar.drawings[-1] == 1000


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of the notebook's client
def test_in_a_notebook(tmp_path: Any) -> None:
    """The bar is HTML of the cell, made anew in its place; nothing is written to stderr."""
    import nbformat
    from nbclient import NotebookClient

    body, _, _ = RUNS["get"]
    cells = [nbformat.v4.new_code_cell(textwrap.dedent(f"{HEAD}\n    {body}"))]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=100, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    outputs = notebook.cells[0].outputs
    assert [output.output_type for output in outputs] == ["display_data"], json.dumps(outputs)
    text = re.sub(r"<[^>]*>", "", outputs[0].data["text/html"])
    assert re.search(r"get.*5/5.*/s", text), text
