"""What a study is: a question, a grid of points, and rows of numbers for each point and seed.

Refuses to know how points are run, and where rows are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise, product
from math import exp, inf, log
from typing import TYPE_CHECKING, Any, NamedTuple

from freehold.simulator.memory import KNOWN_NBYTES, NODE_NBYTES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Point = Mapping[str, Any]  # the value of each axis
Row = dict[str, Any]  # a point, its seed, and what was measured: numbers and short texts


class Rows:
    """The rows of a study, or some of them."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = list(rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, **values: Any) -> Rows:
        """Return the rows in which columns have these values."""
        return Rows([row for row in self.rows if all(row[name] == value for name, value in values.items())])

    def values(self, column: str) -> list[Any]:
        """Return the values of a column, each once, in the order in which they come."""
        return [*dict.fromkeys(row[column] for row in self.rows)]

    def over_seeds(self, column: str) -> Spread:
        """Return the middle of a column's values, one or more for each seed, and how far seeds differ."""
        seeds: dict[int, list[float]] = {}
        for row in self.rows:
            seeds.setdefault(row["seed"], []).append(row[column])
        found = sorted(middle(some) for some in seeds.values())
        return Spread(middle(found), found[0], found[-1])


class Spread(NamedTuple):
    """A number, and the least and the greatest of all seeds."""

    middle: float
    least: float
    most: float


def middle(values: Sequence[float]) -> float:
    """Return the median."""
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def crossing(rows: Rows, column: str, axis: str, ways: tuple[str, str]) -> float:
    """Return the size from which on a column is less in the second of two ways; inf if it never is.

    Between two sizes it is found by their logarithms, and those of the column.
    """
    sizes = sorted(rows.values("nbytes"))
    one, other = [
        [log(rows.where(nbytes=size, **{axis: way}).over_seeds(column).middle) for size in sizes] for way in ways
    ]
    gains = [first - second for first, second in zip(one, other, strict=True)]
    if gains[-1] <= 0:
        return inf
    found = float(sizes[0])
    for (small, before), (large, after) in pairwise(zip(sizes, gains, strict=True)):
        if before <= 0 < after:
            found = exp(log(small) + (log(large) - log(small)) * -before / (after - before))
    return found


def crossings(rows: Rows, column: str, axis: str, ways: tuple[str, str]) -> Spread:
    """Return the same over seeds."""
    found = sorted(crossing(rows.where(seed=seed), column, axis, ways) for seed in rows.values("seed"))
    return Spread(middle(found), found[0], found[-1])


class Study(NamedTuple):
    """A question that is put to the simulator.

    ``run(point, seed)`` returns one or more rows, without the columns of the point and the seed; ``conclude`` says in
    one sentence what the rows say; each of ``figures`` draws one.  Of axes that it ``compares`` all values are there.
    Where it runs ``tasks`` every process knows all nodes, which takes memory.
    """

    name: str
    question: str
    axes: Mapping[str, tuple[Any, ...]]
    run: Callable[[Point, int], list[Row]]
    conclude: Callable[[Rows], str]
    figures: Mapping[str, Callable[[Rows], Figure]]
    seeds: int = 5
    compares: tuple[str, ...] = ()
    nodes: Callable[[Point], int] = lambda point: 2  # that a point simulates
    units: Mapping[str, str] = {}  # of axes that are quantities with a fraction
    tasks: bool = False

    def nbytes(self, processes: int) -> int:
        """Return roughly how much memory so many points take that run at a time, if they are the largest.

        With tasks each node has a worker, and both know all nodes.
        """
        largest = sorted((self.nodes(point) for point, _ in self.points()), reverse=True)[:processes]
        return sum(NODE_NBYTES * nodes + (2 * KNOWN_NBYTES * nodes**2 if self.tasks else 0) for nodes in largest)

    def points(self) -> list[tuple[Point, int]]:
        """Return all points with all seeds, in order."""
        points = [dict(zip(self.axes, values, strict=True)) for values in product(*self.axes.values())]
        return [(point, seed) for point in points for seed in range(self.seeds)]
