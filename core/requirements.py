"""Which packages freehold asks for, which of them are missing here, and the command that brings them.

It reads what is recorded about installed packages and imports none of them.
"""

from __future__ import annotations

import re
import shlex
import sys
from importlib.metadata import PackageNotFoundError, requires, version

REQUIREMENT = re.compile(r"([\w.-]+)\s*(?:>=\s*([\w.]+))?[^;]*(;.*)?")


def requirements() -> dict[str, str]:
    """Return the packages that freehold needs, extras apart: name -> lowest version, "" for any."""
    found = {}
    for text in requires("freehold") or ():
        parts = REQUIREMENT.match(text)
        if parts is not None and "extra" not in (parts[3] or ""):
            found[parts[1]] = parts[2] or ""
    return found


def installed(name: str) -> str:
    """Return the version of a package, "" if it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def older(have: str, want: str) -> bool:
    """Tell whether a version lies before another, by the numbers with which they begin."""
    return numbers(have) < numbers(want)


def numbers(text: str) -> tuple[int, ...]:
    """Return the numbers with which a version begins; "1.0" and "1" are the same."""
    found = [int(part) for part in (re.match(r"\d+(\.\d+)*", text) or [""])[0].split(".") if part]
    while found and not found[-1]:
        found.pop()
    return tuple(found)


def lacking(versions: dict[str, str] | None = None) -> list[str]:
    """Return the requirements that are not met, as pip takes them.

    Args:
        versions: what is installed, by name; None looks.
    """
    found = []
    for name, want in requirements().items():
        have = installed(name) if versions is None else versions.get(name, "")
        if not have or older(have, want):
            found.append(f"{name}>={want}" if want else name)
    return found


def install_command(wanted: list[str]) -> str:
    """Return the command that installs requirements into this Python."""
    return shlex.join([sys.executable, "-m", "pip", "install", *wanted])


def complaint(what: str, error: ModuleNotFoundError) -> str:
    """Return one sentence for what cannot run because a package is missing, with the mend.

    Args:
        what: it needs the package.
        error: what its import raised.
    """
    missing = lacking()
    mend = (
        f": run {install_command(missing)}" if missing else ""
    )  # a module of a plugin need not be called as its package
    return f"{what} needs the module {error.name}, which is not installed{mend}"
