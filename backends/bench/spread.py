"""The figures of one contender in one row: windows, their median, and how far they lie apart."""

from __future__ import annotations

import statistics

import msgspec


class Figures(msgspec.Struct):
    """What one contender did in one row, in the row's unit."""

    windows: list[float] = []
    cold: float | None = None  # the first operation of its process, before any warm-up
    missing: str = ""  # why there is no figure; "-": the contender has no such operation

    @property
    def median(self) -> float | None:
        """The median of the windows, None without any."""
        return statistics.median(self.windows) if self.windows else None

    @property
    def spread(self) -> float:
        """Half of the way from the lowest window to the highest, as a part of the median."""
        middle = self.median
        return (max(self.windows) - min(self.windows)) / 2 / middle if middle else 0.0
