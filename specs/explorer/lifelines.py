"""A message sequence diagram as text: a line of life for each process, and what passes between them, downwards."""

from __future__ import annotations

WIDTH = 26  # columns from one line of life to the next
LEFT = 4  # columns before the first


class Lifelines:
    """A diagram of those who take part.

    Args:
        names: of all, from left to right.
    """

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.happened: list[tuple[str, str, str]] = []  # who, to whom ("" to nobody), and what ("" for a death)

    def act(self, name: str, what: str) -> None:
        """Somebody does something."""
        self.happened.append((name, "", what))

    def message(self, source: str, target: str, what: str) -> None:
        """A message arrives; one may come from the dead, or from oneself: what its driver answers."""
        self.happened.append((source, target, what) if source != target else (source, "", f"<- {what}"))

    def death(self, name: str) -> None:
        """Somebody dies."""
        self.happened.append((name, "", ""))

    def lines(self) -> list[str]:
        """Draw it."""
        here = {name for source, target, _ in self.happened for name in (source, target)}
        at = {name: LEFT + WIDTH * index for index, name in enumerate(name for name in self.names if name in here)}
        marks = dict.fromkeys(at, "|")
        heads = "".join([f"{name:^{WIDTH}}" for name in at])
        drawn = [heads[WIDTH // 2 - LEFT :].rstrip()]
        for source, target, what in self.happened:
            row = [" "] * (WIDTH * (len(at) + 1))
            marks[source] = marks[source] if what else "X"
            for name, mark in marks.items():
                row[at[name]] = mark
            if what:
                left = min(at[source], at[target] if target else at[source])
                text = arrow(at[source], at[target], what) if target else f"* {what} "
                row[left + bool(target) : left + bool(target) + len(text)] = text
            else:
                marks[source] = " "
            drawn.append("".join(row).rstrip())
        return drawn


def arrow(source: int, target: int, what: str) -> str:
    """Return the line of a message from one column to another."""
    length = abs(target - source) - 1
    label = f" {what} "[: max(0, length - 3)]
    line = f"{label:-^{length - 1}}"
    return f"{line}>" if source < target else f"<{line}"
