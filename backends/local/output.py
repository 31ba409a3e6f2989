"""What tasks print, brought to the program as whole lines.

Lines travel on the worker's own link to the program, so they arrive before the reply of the task that printed
them.  What code beneath Python writes to descriptors 1 and 2 goes to the program's own, without a prefix.
"""

from __future__ import annotations

import codecs
import io
import logging
import os
import sys
import threading
from typing import TYPE_CHECKING, Any, NoReturn

from freehold.backends.local import wire

if TYPE_CHECKING:
    from freehold.backends.local.lastwords import LastWords
    from freehold.backends.local.worker import WorkerDriver


PIECE_CHARACTERS = 2**18  # of what is printed at once, in one frame
LINE_CHARACTERS_MAX = 2**20  # a longer line is broken


class TaskOutput(io.TextIOBase):
    """A worker's ``sys.stdout`` or ``sys.stderr``.

    Any thread may print, and has a line of its own; a finalizer too, so nothing here takes a lock.
    """

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, driver: WorkerDriver, stream: int, words: LastWords | None = None) -> None:
        self._driver = driver
        self._stream = stream
        self._words = words
        self._lines: dict[int, tuple[object, str, str]] = {}  # thread -> (its token, task, the beginning of a line)
        self._local = threading.local()  # a token for each thread, since a number is given again
        self._pid = os.getpid()
        self.name = ("<stdout>", "<stderr>")[stream - 1]
        self.buffer = TaskBytes(self)

    def fileno(self) -> int:
        """Return the descriptor beneath, for code that writes to it directly."""
        return self._stream

    def writable(self) -> bool:
        """Return True."""
        return True

    def reconfigure(self, **_: Any) -> None:
        """Change nothing: the text travels as text."""

    def write(self, text: str) -> int:
        """Send the whole lines in the text, keep the rest."""
        if self._words is not None:
            self._words.write(text)
        if not self._driver.setup.log_to_driver:
            return len(text)
        if os.getpid() != self._pid:  # a child that a task has forked: it has no link to the program
            os.write(self._stream, text.encode("utf-8", "backslashreplace"))
            return len(text)
        thread, token = threading.get_ident(), self._token()
        before, name, line = self._lines.pop(thread, (token, self._driver.session.task_name, ""))
        if before is not token:  # of a thread that has ended
            self._send(name, line)
            name, line = self._driver.session.task_name, ""
        whole, end, rest = (line + text).rpartition("\n")
        if end:
            self._send(name, whole)
            name = self._driver.session.task_name
        while len(rest) >= LINE_CHARACTERS_MAX:
            self._send(name, rest[:LINE_CHARACTERS_MAX])
            rest = rest[LINE_CHARACTERS_MAX:]
        if rest:
            *_, inside = self._lines.get(thread, ("",))  # a finalizer has printed meanwhile
            self._lines[thread] = token, name, forgotten(rest) + str(inside)
        return len(text)

    def flush(self) -> None:
        """Keep what is not a whole line until it is, or until the task ends."""

    def end_lines(self) -> None:
        """Send what this thread, and threads that have ended, have left without an end of line."""
        if self._lines:
            alive = sys._current_frames().keys() - {threading.get_ident()}
            for thread in self._lines.keys() - alive:
                _, name, line = self._lines.pop(thread)
                self._send(name, line)

    def _token(self) -> object:
        """Return what only this thread has."""
        if not hasattr(self._local, "token"):
            self._local.token = object()
        return self._local.token

    def _send(self, name: str, lines: str) -> None:
        if "\r" in lines:
            lines = "\n".join([shown(line) for line in lines.split("\n")])
        text = lines.encode("utf-8", "backslashreplace").decode() + "\n"  # half a surrogate pair cannot travel
        driver = self._driver
        for start in range(0, len(text), PIECE_CHARACTERS):
            piece = text[start : start + PIECE_CHARACTERS]
            driver.printed.append(wire.Output(driver.party.me, self._pid, name, self._stream, piece))
        driver.pump.remind()


class TaskBytes(io.BufferedIOBase):
    """The ``buffer`` of a worker's output, for programs that write bytes."""

    def __init__(self, output: TaskOutput) -> None:
        self._output = output
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def fileno(self) -> int:
        """Return the descriptor beneath."""
        return self._output.fileno()

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Send the whole lines in the data, which is UTF-8, keep the rest."""
        view = memoryview(data).cast("B")
        self._output.write(self._decoder.decode(view))
        return view.nbytes


def shown(line: str) -> str:
    """Return what a terminal shows of a line that goes back to its beginning, as progress bars do."""
    return next((part for part in reversed(line.split("\r")) if part), "")


def forgotten(rest: str) -> str:
    """Return the beginning of a line without what has been written over: a progress bar runs for hours."""
    line = rest.rstrip("\r")
    return line.rpartition("\r")[2] + rest[len(line) :]


def capture(driver: WorkerDriver, words: LastWords) -> None:
    """Send what this process prints and logs to the program, and keep the last of it."""
    words.begin()
    sys.stdin = open(os.devnull)  # noqa: SIM115  (for the life of the process)
    sys.stdout = TaskOutput(driver, 1)
    sys.stderr = TaskOutput(driver, 2, words)
    if not driver.setup.log_to_driver:
        silence()
    end_in_order(driver)
    configure_logging(driver.setup.logging)


def silence() -> None:
    """Let what is written beneath Python go nowhere either."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)


def end_in_order(driver: WorkerDriver) -> None:
    """Have ``os._exit`` in a task wait until what the task has printed is sent."""
    real, me = os._exit, os.getpid()

    def leave(status: int) -> NoReturn:
        try:
            if os.getpid() == me and not driver.pump.mine():
                end_lines()
                driver.tell()
        finally:
            real(status)

    os._exit = sys.modules["posix"]._exit = leave  # type: ignore[attr-defined]


def configure_logging(found: wire.Logging) -> None:
    """Log as the program did when it started the cluster: the same levels, and lines of the same form."""
    if found.handled:
        logging.basicConfig(format=found.form or logging.BASIC_FORMAT, datefmt=found.date_form or None)
    for name, level in found.levels:
        logging.getLogger(name).setLevel(level)


def end_lines() -> None:
    """Send what a task has printed without an end of line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TaskOutput):
            stream.end_lines()
