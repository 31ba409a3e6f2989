"""An asyncio event loop in simulated time: its selector parks the strand, its clock is the simulation's.

Refuses to know references and tasks: a future of freehold is set by another strand, which the selector notices.
"""

from __future__ import annotations

import asyncio
import selectors

from freehold.simulator.programs import Strands


class Selector(selectors.DefaultSelector):
    """A selector whose timeouts are simulated; what another strand has written to a socket is seen at once."""

    def __init__(self, strands: Strands) -> None:
        super().__init__()
        self.strands = strands
        self.found: list[tuple[selectors.SelectorKey, int]] = []

    def look(self) -> bool:
        """Tell whether anything is there to be read."""
        self.found = super().select(0)
        return bool(self.found)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is there to be read, after waiting for it."""
        if timeout is None or timeout > 0:
            self.strands.poll(self.look, timeout)
        self.look()
        return self.found


class Loop(asyncio.SelectorEventLoop):
    """An event loop in simulated time."""

    def __init__(self, strands: Strands) -> None:
        self.strands = strands
        super().__init__(Selector(strands))

    def time(self) -> float:
        """Return simulated seconds."""
        return self.strands.now()
