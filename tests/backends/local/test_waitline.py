"""The line that a long wait shows: on a terminal, in its place, gone in the end; elsewhere and beside a bar, none."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

from freehold.backends.local import waitline
from freehold.backends.local.waitline import ERASE, WaitLine
from freehold.core.progress import Bar

HEAD = """
    import os, signal, sys, threading, time
    import freehold
    freehold.init(num_cpus=1)

    @freehold.remote
    def train(path, *others):
        while not os.path.exists(path):
            time.sleep(0.02)
        return len(path)

    def later(path):
        "Let the task end when the line has been shown for long enough to be renewed."
        threading.Timer(2.6, lambda: open(path, "w").close()).start()

    path = sys.argv[1]
"""
GET = """
    later(path)
    freehold.get(train.remote(path))
    print("done")
"""
PROGRAMS: dict[str, tuple[str, str]] = {  # program, what the line says
    "get": (GET, r"waiting \d s for n0w1\.2: its task train was sent to n0w2, which has had it for \d"),
    "wait": (GET.replace("freehold.get(train.remote(path))", "freehold.wait([train.remote(path)])"), "its task train"),
    "as_completed": (
        GET.replace("freehold.get(train.remote(path))", "[*freehold.as_completed([train.remote(path)])]"),
        "its task train was sent",
    ),
    "many": (
        GET.replace("train.remote(path)", "[freehold.put(1), train.remote(path), train.remote(path)]"),
        r"waiting \d s for 2 of 2 objects, first n0w1\.",
    ),
    "argument": (
        GET.replace("train.remote(path)", "train.remote(path, train.remote(path))"),
        "its task train awaits its argument",
    ),
    "thread": (
        """
    later(path)
    thread = threading.Thread(target=lambda: freehold.get(train.remote(path)))
    thread.start()
    thread.join()
    print("done")
    """,
        "its task train",
    ),
    "interrupt": (
        """
    threading.Timer(2.6, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    try:
        freehold.get(train.remote(path))
    except KeyboardInterrupt:
        print("done")
    """,
        "its task train",
    ),
    "end of time": (
        """
    try:
        freehold.get(train.remote(path), timeout=2.5)
    except freehold.exceptions.GetTimeoutError:
        print("done")
    """,
        "its task train",
    ),
}
SILENT: dict[str, tuple[str, dict[str, str]]] = {  # where nothing is shown: program, environment
    "turned off": (GET, {"FREEHOLD_WAIT_LINE": "0"}),
    "turned off by init": (
        "freehold.shutdown(); freehold.init(num_cpus=1, wait_line=False)\n" + textwrap.dedent(GET),
        {},
    ),
    "short": ("open(path, 'w').close()\nfreehold.get(train.remote(path))\nprint('done')", {}),
    "sim": (
        "nap = freehold.remote(time.sleep)\nfreehold.get(nap.remote(1000))\nprint('done')",
        {"FREEHOLD_BACKEND": "sim"},
    ),
    "inline": (
        "open(path, 'w').close()\nnap = freehold.remote(time.sleep)\nfreehold.get(nap.remote(1.5))\nprint('done')",
        {"FREEHOLD_BACKEND": "inline"},
    ),
}


def on_terminal(body: str, folder: Path, **environment: str) -> str:
    """Run a program on a terminal of its own; return what that was sent."""
    program = textwrap.dedent(HEAD) + textwrap.dedent(body)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-W", "error", "-c", program, str(folder / "end")]
    chosen = {**os.environ, "FREEHOLD_BACKEND": "local", "TERM": "xterm", **environment}
    with subprocess.Popen(command, stderr=theirs, stdout=theirs, env=chosen) as process:
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
        assert process.wait(60) == 0, sent.decode()
    return sent.decode()


@pytest.mark.local
@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_it_says_why_is_renewed_and_goes(name: str, tmp_path: Path) -> None:
    body, seen = PROGRAMS[name]
    sent = on_terminal(body, tmp_path)
    shown = sent.split(ERASE)
    assert re.search(seen, sent), sent
    assert len(shown) >= 3, sent
    assert shown[0] == "" and shown[-1].strip() == "done", sent
    assert all("\n" not in line and len(line) < 80 for line in shown[1:-1]), sent


@pytest.mark.local
@pytest.mark.slow
@pytest.mark.parametrize("name", SILENT)
def test_it_is_not_shown(name: str, tmp_path: Path) -> None:
    body, environment = SILENT[name]
    assert on_terminal(body, tmp_path, **environment).strip() == "done"


@pytest.mark.local
@pytest.mark.slow
def test_a_bar_is_not_disturbed(tmp_path: Path) -> None:
    body = GET.replace("train.remote(path)", "[train.remote(path)], progress=True")
    sent = on_terminal(body, tmp_path)
    assert "waiting" not in sent and "1/1" in sent, sent


@pytest.mark.local
@pytest.mark.slow
def test_what_a_task_prints_has_lines_of_its_own(tmp_path: Path) -> None:
    body = """
    @freehold.remote
    def talk():
        time.sleep(1.5)
        print("said")
        time.sleep(1.5)

    freehold.get(talk.remote())
    print("done")
    """
    sent = on_terminal(body, tmp_path)
    (said,) = [line for line in sent.split("\n") if "said" in line]
    assert said.rpartition(ERASE)[2].startswith("(talk pid="), sent


@pytest.mark.local
@pytest.mark.slow
def test_elsewhere_stderr_stays_empty(watch: Any, tmp_path: Path) -> None:
    run = watch.run(textwrap.dedent(HEAD) + textwrap.dedent(GET), str(tmp_path / "end"))
    assert (run.returncode, run.stdout, run.stderr) == (0, "done\n", "")


@pytest.mark.local
@pytest.mark.slow
def test_a_notebook_shows_nothing(watch: Any) -> None:
    """Run by a process of its own, since the client of a notebook keeps descriptors."""
    program = """
        import nbformat
        from nbclient import NotebookClient

        wait = "freehold.get(freehold.remote(time.sleep).remote(2.2))"
        texts = "import time, freehold\\nfreehold.init(num_cpus=1)\\n" + wait, "freehold.shutdown()"
        cells = [nbformat.v4.new_code_cell(source=text) for text in texts]
        notebook = nbformat.v4.new_notebook(cells=cells)
        NotebookClient(notebook, timeout=100, kernel_name="python3").execute()
        print([cell.outputs for cell in notebook.cells])
    """
    run = watch.run(program)
    assert (run.returncode, run.stdout) == (0, "[[], []]\n"), run.stderr


def test_one_thread_at_a_time_and_none_beside_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waitline, "on_terminal", lambda: True)
    monkeypatch.setattr(Bar, "shown", 0)  # a loop that failed may still be in a traceback, and its bar on the screen
    line = WaitLine()
    monkeypatch.setattr(threading, "get_ident", lambda: 1)
    assert line.begins()
    monkeypatch.setattr(threading, "get_ident", lambda: 2)
    assert not line.begins()
    line.end()  # it has no line to end
    monkeypatch.setattr(threading, "get_ident", lambda: 1)
    line.end()
    monkeypatch.setattr(Bar, "shown", 1)
    assert not line.begins()
    monkeypatch.setattr(Bar, "shown", 0)
    monkeypatch.setattr(threading, "get_ident", lambda: 2)
    assert line.begins()


def test_a_terminal_that_is_gone_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    line = WaitLine()
    for stream in (None, open(os.devnull)):  # noqa: SIM115  (to be closed amid the test)
        monkeypatch.setattr(sys, "stderr", stream)
        line.show("why")
        line.erase()
        assert not waitline.on_terminal()
        if stream is not None:
            stream.close()
            assert not waitline.on_terminal()
            line.show("why")
