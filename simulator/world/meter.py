"""How much a process has had to think: the steps that its party took one by one, and not in one stride.

Refuses to know what a step is about, and what it costs.
"""

from __future__ import annotations

from typing import Any

from freehold.core.party import Watch


class Meter:
    """An observer of steps that counts them, and tells another one, if there is one.

    Args:
        other: who is told what this one is told.
    """

    def __init__(self, other: Watch | None) -> None:
        self.steps = 0
        self.other = other

    def took(self, step: int, cause: int, at: float, name: Any, before: Any, event: Any, after: Any) -> None:
        """One record was stepped."""
        self.steps += 1
        if self.other is not None:
            self.other.took(step, cause, at, name, before, event, after)

    def asked(self, step: int, effect: Any) -> None:
        """The step asked the driver for something."""
        if self.other is not None:
            self.other.asked(step, effect)

    def strode(self, entry: Any, /) -> None:
        """A stride was taken, which costs no more than the message that it is about."""
        if self.other is not None:
            self.other.strode(entry)
