"""Where the peers are: in the environment that ``make bench`` makes, or in the one that the user names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from freehold.backends.bench.contenders import OURS, PEERS, Entry
from freehold.backends.bench.problems import BenchError

ROOT = Path(__file__).resolve().parents[2]  # of a checkout
VERSIONS = """
import json, platform, sys
from importlib import metadata
found = {"python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        found[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""


class Peers(msgspec.Struct):
    """The contenders of a run beside freehold, each with its interpreter."""

    entries: list[tuple[Entry, str]]
    versions: dict[str, str]  # of the libraries


def chosen_peers(names: Sequence[str], place: str | None) -> Peers:
    """Return the peers by name.

    Args:
        names: as ``--against`` lists them.
        place: an environment, or an interpreter; None: this one, or that of ``make bench``.

    Raises:
        BenchError: a name is unknown, or a library is not installed.
    """
    for name in names:
        if name not in PEERS:
            raise BenchError(f"there is no peer {name!r}; there are {', '.join(PEERS)}")
    found = Peers([], {})
    wanted = dict.fromkeys(entry for name in names for entry in PEERS[name])
    for entry in wanted:
        python, version = interpreter_for(entry, interpreters(place))
        found.entries.append((entry, python))
        if entry.library:
            found.versions[entry.library] = version
    return found


def interpreter_for(entry: Entry, candidates: Iterable[str]) -> tuple[str, str]:
    """Return an interpreter that can import a contender's library, and freehold; and the library's version."""
    if not entry.library:
        return sys.executable, ""
    for python in candidates:
        versions = versions_of(python, entry.library, OURS.title)
        if entry.library in versions and OURS.title in versions:
            return python, versions[entry.library]
    raise BenchError(
        f"{entry.title} is not installed beside freehold: run 'make bench' once, which makes .venv-bench, "
        "or name an environment that has both with --peers PATH"
    )


def interpreters(place: str | None) -> list[str]:
    """Return the interpreters in which peers may be, the likeliest first."""
    if place is None:
        folders = dict.fromkeys([ROOT / ".venv-bench", Path.cwd() / ".venv-bench"])
        there = [str(folder / "bin" / "python") for folder in folders if (folder / "bin" / "python").exists()]
        return [sys.executable, *there]
    path = Path(place)
    python = path / "bin" / "python" if path.is_dir() else path
    if not os.access(python, os.X_OK) or python.is_dir():
        raise BenchError(f"--peers {place}: there is no interpreter {python}; name an environment, or its python")
    return [str(python.absolute())]


def versions_of(python: str, *libraries: str) -> dict[str, str]:
    """Return the versions of an interpreter and of the libraries that it has."""
    command = [python, "-P", "-c", VERSIONS, *libraries]
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode:
        raise BenchError(f"{python} does not run: it ended with {answer.returncode}; it must be Python 3.11 or newer")
    found: dict[str, str] = json.loads(answer.stdout)
    return found
