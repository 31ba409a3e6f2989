"""The line that a wait of more than a second shows on a terminal: what it waits for, as this process knows it.

Decides when the line is seen: for one thread at a time, beside no progress bar, and never in a notebook or a file.
Refuses to know what is waited for.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress

from freehold.core.progress import Bar, in_notebook

SECONDS = 1.0  # before the line is shown, and between two of its versions
ERASE = "\r\x1b[K"


def on_terminal() -> bool:
    """Tell whether somebody sees the line, and can see it go away."""
    try:
        return sys.stderr is not None and sys.stderr.isatty() and not in_notebook()
    except ValueError:  # it is closed
        return False


class WaitLine:
    """One line at the end of a terminal."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread = 0  # whose wait it shows
        self._seen = False

    def begins(self) -> bool:
        """Tell whether the wait of this thread has the line, or takes it now."""
        me = threading.get_ident()
        with self._lock:
            if self._thread not in (0, me) or Bar.shown or not on_terminal():
                return False
            self._thread = me
            return True

    def show(self, text: str) -> None:
        """Put a text in the place of the one that is there."""
        with self._lock:
            self._seen = True  # first: an interrupt may come amid the writing
            self._write(ERASE + text[: width() - 1])

    def erase(self) -> None:
        """Leave the line to others for a moment."""
        if self._seen:
            with self._lock:
                self._write(ERASE)
                self._seen = False

    def end(self) -> None:
        """The wait of this thread is over."""
        if self._thread == threading.get_ident():
            self.erase()
            self._thread = 0

    @staticmethod
    def _write(text: str) -> None:
        """Write to the terminal, if it is still there."""
        with suppress(OSError, ValueError, AttributeError):  # it is closed, or there is none
            sys.stderr.write(text)
            sys.stderr.flush()


def width() -> int:
    """Return how many characters a line of the terminal has."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (OSError, ValueError, AttributeError):
        return 80
