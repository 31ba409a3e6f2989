"""What to say of a module that is not found: where it was looked for, and what to do."""

from __future__ import annotations

import os
import sys


def say_where(error: ModuleNotFoundError) -> None:
    """Add to an error's message which process looked for the module, and where; once."""
    if error.name is None or len(error.args) != 1 or " looked in " in str(error):
        return
    package = sys.modules.get(error.name.rpartition(".")[0])
    path = [str(entry) or os.curdir for entry in getattr(package, "__path__", sys.path)]
    text = (
        f"{error.msg}; process {os.getpid()}, in {folder()}, looked in {', '.join(path)}"
        " (a module that tasks use must be found from the program's sys.path, as a file)"
    )
    error.msg, error.args = text, (text,)


def folder() -> str:
    """Return the working directory."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return "a folder that is gone"
