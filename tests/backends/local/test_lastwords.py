"""Last words: what is kept of a worker's stderr, and what is left out of what the interpreter says of a crash."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from freehold.backends.local.lastwords import KEPT_NBYTES, LINES_MAX, LastWords, without_our_frames
from freehold.core.failures import how_it_ended


@pytest.fixture
def words() -> Iterator[LastWords]:
    made = LastWords()
    yield made
    made.close()


def test_who_says_nothing_leaves_nothing(words: LastWords) -> None:
    assert words.lines() == ()


def test_the_last_lines_are_kept_however_much_is_written(words: LastWords) -> None:
    for number in range(50_000):
        words.write(f"line {number}\n")
    assert words.lines() == tuple(f"line {number}" for number in range(50_000 - LINES_MAX, 50_000))


def test_a_long_line_is_kept_from_its_end(words: LastWords) -> None:
    words.write("x" * 10**6 + "the end")
    (line,) = words.lines()
    assert len(line) == KEPT_NBYTES and line.endswith("xthe end")


def test_half_a_character_does_no_harm(words: LastWords) -> None:
    words.write("ä" * KEPT_NBYTES + "\n\ud800 is half of a pair")
    assert words.lines()[-1] == "\\ud800 is half of a pair"


CRASH = """\
about to crash
Fatal Python error: Segmentation fault

Stack (most recent call first):
  File "/usr/lib/python3.11/ctypes/__init__.py", line 519 in string_at
  File "/home/somebody/program.py", line 9 in crash
  File "/somewhere/freehold/core/tasks.py", line 95 in perform
  File "/somewhere/freehold/backends/local/worker.py", line 367 in work

Extension modules: msgspec._core (total: 1)
"""


def test_frames_beneath_the_tasks_function_are_left_out() -> None:
    kept = without_our_frames(CRASH.splitlines())
    assert kept == [line for line in CRASH.splitlines() if "freehold" not in line]


@pytest.mark.parametrize(
    "code, text",
    [
        (0, "it exited with status 0"),
        (3, "it exited with status 3"),
        (-9, "signal 9 (SIGKILL) ended it"),
        (-63, "signal 63 (unnamed) ended it"),
    ],
)
def test_how_a_process_ended(code: int, text: str) -> None:
    assert how_it_ended(code) == text
    assert how_it_ended(code, ("a", "b")) == f"{text}; its last lines on stderr:\n  | a\n  | b"
