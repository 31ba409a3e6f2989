"""What published figures show beside their points: what is linear, flat or saturated, and how many times as much.

A claim holds of the published values themselves; whether it does of simulated ones is the question.  Refuses to know
how either came about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import correlation, fmean
from typing import NamedTuple

from freehold.simulator.published.points import points, rows

Values = Mapping[str, float]  # of points, by name
CHAIN_SECONDS = 5.0  # that a chain of F6 has run when its node dies, and all that it has computed is lost


class Claim(NamedTuple):
    """A number that follows from the points of a row, and between what it is to lie."""

    row: str
    what: str
    of: Callable[[Values], float]
    least: float
    most: float

    def holds(self, values: Values) -> bool:
        """Tell whether it is so."""
        return self.least <= self.of(values) <= self.most


def series(row: str, name: str, values: Values) -> list[float]:
    """Return the values of a series, in the order of the axis."""
    return [values[f"{row} {name} {at}"] for at in rows()[row].at]


def straight(row: str, name: str) -> Callable[[Values], float]:
    """Return what tells how well a straight line fits a series: R squared."""
    return lambda values: correlation(rows()[row].at, series(row, name, values)) ** 2


def uneven(row: str, name: str) -> Callable[[Values], float]:
    """Return what tells by which part of their mean the values of a series lie beside it, at the most."""

    def of(values: Values) -> float:
        found = series(row, name, values)
        return max([abs(one / fmean(found) - 1) for one in found])

    return of


def full(row: str, name: str) -> Callable[[Values], float]:
    """Return what tells where on the axis a series comes to nine tenths of its most."""

    def of(values: Values) -> float:
        found = series(row, name, values)
        return float(next(at for at, one in zip(rows()[row].at, found, strict=True) if one >= 0.9 * max(found)))

    return of


def times(one: str, other: str) -> Callable[[Values], float]:
    """Return what tells how many times another point a point is."""
    return lambda values: values[one] / values[other]


def furthest(row: str, name: str, other: str, choose: Callable[[Sequence[float]], float]) -> Callable[[Values], float]:
    """Return what tells how many times another series one is, where that is least, or most."""

    def of(values: Values) -> float:
        both = zip(series(row, name, values), series(row, other, values), strict=True)
        return choose([mine / others for mine, others in both])

    return of


def each_lost(size: str) -> Callable[[Values], float]:
    """Return what tells how many seconds each lost object costs with leases: of short tasks more are lost."""
    few, many = (f"F6 leases, {size}{{}} {at}" for at in (1000, 10))

    def of(values: Values) -> float:
        more = [values[name.format(", failure")] - values[name.format("")] for name in (few, many)]
        lost = [CHAIN_SECONDS / (at / 1000) for at in (1000, 10)]
        return (more[1] - more[0]) / (lost[1] - lost[0])

    return of


CLAIMS = (
    Claim("F3", "R squared of a line through ownership", straight("F3", "ownership"), 0.98, 1.0),
    Claim("F3", "R squared of a line through leases", straight("F3", "leases"), 0.98, 1.0),
    Claim("F3", "nodes at which centralized is full", full("F3", "centralized"), 40, 80),
    Claim("F3", "ownership over centralized, 100 nodes", times("F3 ownership 100", "F3 centralized 100"), 2.4, 5.4),
    Claim("F3", "ownership over leases, 100 nodes", times("F3 ownership 100", "F3 leases 100"), 1.08, 2.12),
    Claim("F3", "ownership over by value, the least", furthest("F3", "ownership", "by value", min), 0.84, 1.02),
    Claim("F3", "ownership over by value, the most", furthest("F3", "ownership", "by value", max), 0.93, 1.13),
    Claim("F4", "leases beside their mean, at the most", uneven("F4", "leases"), 0.0, 0.15),
    Claim("F4", "centralized beside its mean, at the most", uneven("F4", "centralized"), 0.0, 0.15),
    Claim("F4", "ownership over leases, 100 nodes", times("F4 ownership 100", "F4 leases 100"), 7.3, 16.6),
    Claim(
        "F4",
        "ownership, 100 nodes over 60",
        times("F4 ownership 100", "F4 ownership 60"),
        0.9,
        1.15,
    ),
    Claim("F6", "seconds for each lost object, leases, small", each_lost("small"), 0.13, 0.3),
    Claim("F6", "seconds for each lost object, leases, large", each_lost("large"), 0.13, 0.3),
    *[
        Claim(
            "F6",
            f"large: by value over ownership that fails, {at} ms",
            times(f"F6 by value, large {at}", f"F6 ownership, large, failure {at}"),
            1.0,
            10.0,
        )
        for at in (50, 10)
    ],
)


def claims(values: Values) -> list[Claim]:
    """Return the claims about rows of which all values are there."""
    missing = {point.row for name, point in points().items() if name not in values}
    return [claim for claim in CLAIMS if claim.row not in missing]
