"""Run the tests in four parts beside each other: ``side_by_side.py ARGUMENTS``.

Those of real processes, in two parts, since they wait a lot; and beside them all others in two parts, those of the
proof and the rest, whose output is seen at once, that of the first three when all is over.  (pytest-xdist cannot do it:
in its processes the simulator takes the locks of other threads for its own.)
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TESTS = Path(__file__).parent
SOME = {"conformance", "everyday"}  # half of the time that what starts real processes takes
PROOF = {"specs"}  # half of the time that all others take
NO_TESTS = 5  # pytest's word for it


def main(arguments: list[str]) -> int:
    """Return the exit status of all parts together."""
    pytest = [sys.executable, "-m", "pytest", *arguments, "-m"]
    every_one = {path.name for path in TESTS.iterdir()}
    with (
        behind([*pytest, "local and not soak", *without(every_one - SOME)]) as some,
        behind([*pytest, "local and not soak", *without(SOME)]) as others,
        behind([*pytest, "not local and not soak", *without(every_one - PROOF)]) as proof,
    ):
        status = subprocess.call([*pytest, "not local and not soak", *without(PROOF)])
    every = {status, *some, *others, *proof}
    failed = every - {0, NO_TESTS}
    return max(failed) if failed else min(every)


def without(names: set[str]) -> list[str]:
    """Return what tells pytest to look past these files and folders."""
    return [f"--ignore={TESTS / name}" for name in sorted(names)]


@contextmanager
def behind(command: list[str]) -> Iterator[list[int]]:
    """Run tests meanwhile; then, after Ctrl-C, too, say what they said, and add their exit status to the list."""
    status: list[int] = []
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
        try:
            yield status
        finally:
            status.append(process.wait())
            said.seek(0)
            sys.stdout.buffer.write(said.read())
            sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
