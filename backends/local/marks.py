"""To whom a process belongs that has lost its parent: the marks that a worker's tasks leave on what they start."""

from __future__ import annotations

import os

from freehold.core.ids import party_name

MARK = "FREEHOLD_WORKER"  # in the environment of what a worker's tasks start: which worker


def adopted_children() -> list[int]:
    """Return the children of this process, those included that it took in."""
    try:
        with open(f"/proc/{os.getpid()}/task/{os.getpid()}/children") as file:
            return [int(pid) for pid in file.read().split()]
    except FileNotFoundError:  # a kernel without this file
        return []


def marks_for(worker: int) -> tuple[str, str]:
    """Return by what one knows that a worker has started a process: in the environment, and as its short name.

    The first is passed on to programs, the second to forks.
    """
    name = party_name(worker)
    return f"{MARK}={name}", f"fh-{name}"[:15]


def marks_of(pid: int) -> set[str] | None:
    """Return what a process shows of the worker that has started it, nothing if it hides that.

    None if it cannot be told yet: one that is just becoming another program has no environment for a moment.
    """
    try:
        with open(f"/proc/{pid}/environ", "rb") as environ, open(f"/proc/{pid}/comm") as comm:
            name, variables = comm.read().rstrip("\n"), environ.read().decode(errors="replace")
    except OSError:  # it has ended, or has another user's rights
        return set()
    found = {mark for mark in (name, *variables.split("\0")) if mark.startswith((f"{MARK}=", "fh-"))}
    return found if found or variables else None
