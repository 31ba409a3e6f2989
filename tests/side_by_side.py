"""Run the tests of real processes, which wait for each other a lot, beside all others: ``side_by_side.py ARGUMENTS``.

What the first have to say comes when both are over.  (pytest-xdist cannot do it: in its processes the simulator takes
the locks of other threads for its own.)
"""

from __future__ import annotations

import subprocess
import sys
import tempfile

NO_TESTS = 5  # pytest's word for it


def main(arguments: list[str]) -> int:
    """Return the exit status of both runs together."""
    pytest = [sys.executable, "-m", "pytest"]
    with tempfile.TemporaryFile() as said:
        local = subprocess.Popen([*pytest, "-m", "local and not soak", *arguments], stdout=said, stderr=said)
        try:
            rest = subprocess.call([*pytest, "-m", "not local and not soak", *arguments])
        finally:
            status = local.wait()  # Ctrl-C reaches it, too
            said.seek(0)
            sys.stdout.buffer.write(said.read())
            sys.stdout.flush()
    failed = {rest, status} - {0, NO_TESTS}
    return max(failed) if failed else min(rest, status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
