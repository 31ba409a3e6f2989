"""What a user can mend: one sentence, shown without a traceback."""

from __future__ import annotations


class BenchError(Exception):
    """The benchmark cannot do what it was asked to; the text says what to do about it."""
