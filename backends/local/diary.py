"""How the processes of a recorded run ended: lines of a text beside its journals, written by those who saw it.

Who is killed says nothing any more, and a whole cluster ends within milliseconds; in what order, and at whose word, is
what one wants to know then.
"""

from __future__ import annotations

import os
from time import monotonic

from freehold.core.ids import party_name

FILE = "processes.txt"


class Diary:
    """The lines of one process.

    Args:
        folder: of the recorded run; "" if nothing is recorded.
        name: of the process.
    """

    def __init__(self, folder: str, name: str) -> None:
        self._path = os.path.join(folder, FILE) if folder else ""
        self._name = name

    def ended(self, party: int, pid: int, status: int) -> None:
        """Append that a child has ended, and how: its exit code, or the signal with a minus."""
        name = party_name(party) if party else "what a task has left"
        name = f"template of {name}" if self._name == "launcher" and party else name
        self.note(f"{name} ({pid}) has ended: {os.waitstatus_to_exitcode(status)}")

    def note(self, what: str) -> None:
        """Append a line: when, who, and what."""
        if not self._path:
            return
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        except OSError:  # the folder is gone, or nothing can be opened any more: to end is more important
            return
        try:
            os.write(fd, f"{monotonic():.6f} {self._name} ({os.getpid()}): {what}\n".encode())
        finally:
            os.close(fd)
