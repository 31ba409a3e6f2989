"""What tasks print, brought to the program as whole lines.

Lines travel on the worker's own link to the program, so they arrive before the reply of the task that printed
them.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

from freehold.backends.local import wire

if TYPE_CHECKING:
    from freehold.backends.local.worker import WorkerDriver


class TaskOutput(io.TextIOBase):
    """A worker's ``sys.stdout`` or ``sys.stderr``."""

    def __init__(self, driver: WorkerDriver, stream: int) -> None:
        self._driver = driver
        self._stream = stream
        self._line = ""

    encoding = "utf-8"

    def fileno(self) -> int:
        """Return the descriptor beneath, for code that writes to it directly."""
        return self._stream

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Send the whole lines in the text, keep the rest."""
        *lines, self._line = (self._line + text).split("\n")
        if lines:
            self._send("\n".join(lines) + "\n")
        return len(text)

    def flush(self) -> None:
        """Keep what is not a whole line until it is, or until the task ends."""

    def end_line(self) -> None:
        """Send what is left."""
        if self._line:
            line, self._line = self._line, ""
            self._send(line + "\n")

    def _send(self, text: str) -> None:
        driver = self._driver
        if not driver.setup.log_to_driver:
            return
        word = wire.Output(driver.party.me, os.getpid(), driver.session.task_name, self._stream, text[: 2**20])
        driver.pump.enter()
        try:
            driver.to(driver.setup.program, lambda channel: channel.say(word))
        finally:
            driver.pump.leave()


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
