"""What tasks print, brought to the program as whole lines.

Lines travel on the worker's own link to the program, so they arrive before the reply of the task that printed
them.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from typing import TYPE_CHECKING

from freehold.backends.local import wire

if TYPE_CHECKING:
    from freehold.backends.local.worker import WorkerDriver


PIECE_CHARACTERS = 2**18  # of what is printed at once, in one frame
LINE_CHARACTERS_MAX = 2**20  # a longer line is cut


class TaskOutput(io.TextIOBase):
    """A worker's ``sys.stdout`` or ``sys.stderr``.  Any thread may print, a finalizer too: it takes no lock of ours."""

    def __init__(self, driver: WorkerDriver, stream: int) -> None:
        self._driver = driver
        self._stream = stream
        self._line = ""
        self._pid = os.getpid()
        self._lock = threading.RLock()

    encoding = "utf-8"

    def fileno(self) -> int:
        """Return the descriptor beneath, for code that writes to it directly."""
        return self._stream

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Send the whole lines in the text, keep the rest."""
        if not self._driver.setup.log_to_driver:
            return len(text)
        if os.getpid() != self._pid:  # a child that a task has forked: it has no link to the program
            os.write(self._stream, text.encode("utf-8", "backslashreplace"))
            return len(text)
        with self._lock:
            whole, end, rest = text.rpartition("\n")
            if not end and len(self._line) + len(text) < LINE_CHARACTERS_MAX:
                self._line += text
            else:
                line, self._line = self._line, rest
                self._send(line + whole + "\n")
        return len(text)

    def flush(self) -> None:
        """Keep what is not a whole line until it is, or until the task ends."""

    def end_line(self) -> None:
        """Send what is left."""
        if self._line:
            self.write("\n")

    def _send(self, text: str) -> None:
        text = text.encode("utf-8", "backslashreplace").decode()  # half a surrogate pair cannot travel
        driver = self._driver
        me, name = driver.party.me, driver.session.task_name
        for start in range(0, len(text), PIECE_CHARACTERS):
            piece = text[start : start + PIECE_CHARACTERS]
            driver.printed.append(wire.Output(me, self._pid, name, self._stream, piece))
        driver.pump.remind()


def capture(driver: WorkerDriver) -> None:
    """Send what this process prints to the program."""
    sys.stdin = open(os.devnull)  # noqa: SIM115  (for the life of the process)
    sys.stdout = TaskOutput(driver, 1)
    sys.stderr = TaskOutput(driver, 2)


def end_lines() -> None:
    """Send what a task has printed without an end of line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TaskOutput):
            stream.end_line()
