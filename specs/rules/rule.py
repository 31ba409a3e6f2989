"""What a rule is."""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """One rule."""

    id: str
    text: str  # one sentence
    source: str
    cells: tuple[str, ...] = ()  # a table and events of it: "ownership RefHeld RefDropped"; () for a rule of all tables

    @property
    def events(self) -> dict[str, tuple[str, ...]]:
        """The events whose rows are the rule's, by the name of their table."""
        return {table: tuple(events) for table, *events in map(str.split, self.cells)}

    @property
    def rows(self) -> set[tuple[str, str]]:
        """The same as pairs of a table and an event."""
        return {(table, event) for table, events in self.events.items() for event in events}
