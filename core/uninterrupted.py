"""A signal held back for a moment: while a library would lose it, or a new process would get it, too."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


@contextmanager
def uninterrupted(number: int = signal.SIGINT) -> Iterator[None]:
    """Hold a signal back from this thread; one that has come meanwhile is delivered at the end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def converted(plain: Any, kind: type[T]) -> T:
    """As ``msgspec.convert``, which loses a signal that comes while it learns a kind.

    Raises:
        msgspec.ValidationError: it is not of that kind.
    """
    import msgspec

    with uninterrupted():
        return msgspec.convert(plain, kind)
