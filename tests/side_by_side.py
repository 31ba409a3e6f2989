"""Run the tests in four parts beside each other: ``side_by_side.py ARGUMENTS``; each line says of which part it is.

What has failed is told at the end, when all parts are over: who sees only the last lines of a log sees that.

What real processes take part in is most of two parts, since it waits a lot; beside them run all others, those of the
proof and the rest.  (pytest-xdist cannot do it: in its processes the simulator takes the locks of other threads for
its own.)
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from threading import Thread

TESTS = Path(__file__).parent
PROGRAMS = {"conformance", "everyday"}  # of all backends; the four parts take about as long
PROOF = {"specs"}
NO_TESTS = 5  # pytest's word for it
HEADINGS = (b"= FAILURES =", b"= ERRORS =")  # pytest's, of what it tells of tests that failed


def main(arguments: list[str]) -> int:
    """Return the exit status of all parts together."""
    every_one = {path.name for path in TESTS.iterdir()}
    pytest = [sys.executable, "-m", "pytest", *["--color=yes"] * sys.stdout.isatty(), *arguments, "-m"]
    parts = [
        Part("programs", [*pytest, "not soak", *without(every_one - PROGRAMS)]),
        Part("processes", [*pytest, "local and not soak", *without(PROGRAMS)]),
        Part("proof", [*pytest, "not local and not soak", *without(every_one - PROOF)]),
        Part("rest", [*pytest, "not local and not soak", *without(PROGRAMS | PROOF)]),
    ]
    try:
        every = {part.status() for part in parts}
    except KeyboardInterrupt:  # which each part has heard, too
        every = {part.status() for part in parts}
    for part in parts:
        part.tell()
    failed = every - {0, NO_TESTS}
    return max(failed) if failed else min(every)


def without(names: set[str]) -> list[str]:
    """Return what tells pytest to look past these files and folders."""
    return [f"--ignore={TESTS / name}" for name in sorted(names)]


class Part:
    """Tests that run, and say what they have to say line by line, with their name in front.

    Args:
        name: of the part.
        command: that runs them.
    """

    def __init__(self, name: str, command: list[str]) -> None:
        self.name = name
        self.kept: list[bytes] = []  # what it says of those that failed, once it has begun to
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.reader = Thread(target=self.pass_on)
        self.reader.start()

    def pass_on(self) -> None:
        """Pass on what they say, until they have said all; what has failed is kept for later."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if self.kept or any(heading in line for heading in HEADINGS):
                self.kept.append(line)
            else:
                self.say(line)

    def say(self, line: bytes) -> None:
        """Print a line with the name of this part in front."""
        sys.stdout.buffer.write(f"{self.name:<9} | ".encode() + line)
        sys.stdout.flush()

    def tell(self) -> None:
        """Print what has been kept: of each test that failed how, and which they were."""
        for line in self.kept:
            self.say(line)

    def status(self) -> int:
        """Return the exit status of the tests, once they are over and have said all."""
        self.reader.join()
        return self.process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
