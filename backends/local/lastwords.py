"""A worker's last words: what it wrote to stderr before it ended, kept in memory that outlives it.

The template makes the file before it forks the worker, and reads its end when the worker has ended.  What the
interpreter says of a crash is in it, too: on which line of which function it was.  What code beneath Python writes
to descriptor 2 is not: it goes to the program's own.
"""

from __future__ import annotations

import faulthandler
import fcntl
import os

LINES_MAX = 20
KEPT_NBYTES = 4096  # of the last lines
FILE_NBYTES_MAX = 16 * KEPT_NBYTES


class LastWords:
    """The file, for the template and for the worker."""

    def __init__(self) -> None:
        self._fd = os.memfd_create("freehold-last-words")
        fcntl.fcntl(self._fd, fcntl.F_SETFL, os.O_APPEND)

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._fd)

    def begin(self) -> None:
        """Have the interpreter write here why it crashes; called in the worker."""
        faulthandler.enable(self._fd, all_threads=False)

    def write(self, text: str) -> None:
        """Keep text, if it is among the last; several threads may write, and a finalizer."""
        os.write(self._fd, text.encode("utf-8", "backslashreplace")[-KEPT_NBYTES:])
        if os.fstat(self._fd).st_size > FILE_NBYTES_MAX:
            tail = self._tail()
            os.ftruncate(self._fd, 0)
            os.write(self._fd, tail)

    def lines(self) -> tuple[str, ...]:
        """Return the last lines."""
        return tuple(without_our_frames(self._tail().decode("utf-8", "replace").splitlines())[-LINES_MAX:])

    def _tail(self) -> bytes:
        start = os.fstat(self._fd).st_size - KEPT_NBYTES
        return os.pread(self._fd, KEPT_NBYTES, max(0, start))


def without_our_frames(lines: list[str]) -> list[str]:
    """Leave out, of what the interpreter says of a crash, the frames beneath the task's function."""
    kept, beneath = [], False
    for line in lines:
        beneath = line.startswith('  File "') and (beneath or "freehold/core/tasks.py" in line)
        if not beneath:
            kept.append(line)
    return kept
