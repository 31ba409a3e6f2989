"""Doors between tasks and their program, so that no scenario depends on how long something takes."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import time

GIVE_UP_SECONDS = 30.0


def folder() -> str:
    """Return a fresh folder that goes when this process ends."""
    path = tempfile.mkdtemp(prefix="freehold-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


class Gate:
    """A door that any process can open, once, and any can wait at.  It is a file, and can be sent."""

    def __init__(self) -> None:
        self.path = os.path.join(folder(), "open")

    def open(self) -> None:
        """Let everybody through."""
        with open(self.path, "a"):
            pass

    def is_open(self) -> bool:
        """Tell whether it has been opened."""
        return os.path.exists(self.path)

    def wait(self) -> None:
        """Wait until somebody has opened it; a task that waits here runs, it is not blocked."""
        for _ in range(int(GIVE_UP_SECONDS / 0.005)):
            if self.is_open():
                return
            time.sleep(0.005)
        raise TimeoutError(f"nobody has opened {self.path}")
