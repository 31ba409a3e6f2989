"""Published points, and the clusters on which they were measured: which are fitted, and which predicted.

Refuses to know how a point is simulated.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from math import sqrt
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from freehold.simulator.variants.schemes import Services
from freehold.simulator.world.description import Description, Fault, described
from freehold.simulator.world.units import quantity

HERE = Path(__file__).parent


class Point(NamedTuple):
    """A number that somebody has published."""

    row: str
    series: str
    at: Any
    least: float
    most: float  # the same, unless a range was published

    @property
    def name(self) -> str:
        """By which constants name it."""
        return f"{self.row} {self.series} {self.at}"

    @property
    def value(self) -> float:
        """The value, or the middle of the range on a logarithmic scale."""
        return sqrt(self.least * self.most)

    def ratio(self, simulated: float) -> float:
        """Return a simulated value over the published one, or over the end of the range beyond which it lies."""
        return simulated / min(max(simulated, self.least), self.most)


class Row(msgspec.Struct, frozen=True):
    """Points of one figure."""

    title: str
    source: str
    unit: str
    axis: str
    at: list[Any]
    within: float  # the factor
    series: dict[str, list[Any]]


class Constant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A constant of a cluster, and where it comes from."""

    value: Any
    points: list[str] = []
    source: str = ""
    how: str = ""


class Profile(NamedTuple):
    """A cluster on which something was measured."""

    constants: Mapping[str, Constant]  # by their names in a description, with dots

    def description(self, nodes: int, cpus: float, faults: tuple[Fault, ...] = ()) -> Description:
        """Return it, with some nodes, as what can be simulated."""
        return replace(described({**self.plain(), "nodes": nodes, "cpus": cpus}), faults=faults)

    def plain(self) -> dict[str, Any]:
        """Return its constants as a description has them."""
        plain: dict[str, Any] = {}
        for name, constant in self.constants.items():
            table, _, key = name.rpartition(".")
            if table != "services" and name != "startup":
                (plain.setdefault(table, {}) if table else plain)[key] = constant.value
        return plain

    def services(self) -> Services:
        """Return what those parts cost which freehold has not."""
        names = {name: name.removeprefix("services.") for name in self.constants if name.startswith("services.")}
        return Services(**{key: quantity(self.constants[name].value, "s") for name, key in names.items()})

    def startup(self) -> float:
        """Return the seconds that a program takes beside its tasks."""
        return quantity(self.constants["startup"].value, "s")


@cache
def rows() -> dict[str, Row]:
    """Return all rows, by name."""
    return msgspec.toml.decode((HERE / "points.toml").read_bytes(), type=dict[str, Row])


@cache
def points() -> dict[str, Point]:
    """Return all points, by name."""
    found = {}
    for name, row in rows().items():
        for series, values in row.series.items():
            for at, value in zip(row.at, values, strict=True):
                least, most = value if isinstance(value, list) else (value, value)
                point = Point(name, series, at, least, most)
                found[point.name] = point
    return found


@cache
def clusters() -> dict[str, Profile]:
    """Return all clusters, by name."""
    found: dict[str, Profile] = {}
    for name, raw in tomllib.loads((HERE / "machines.toml").read_text("utf-8")).items():
        like = found[raw.pop("like")].constants if "like" in raw else {}
        raw.pop("about")
        found[name] = Profile({**like, **dict(constants(raw, ""))})
    return found


def constants(raw: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Constant]]:
    """Yield the constants of a table, by their names with dots."""
    for key, value in raw.items():
        if "value" in value:
            yield prefix + key, msgspec.convert(value, Constant)
        else:
            yield from constants(value, f"{prefix}{key}.")


@cache
def fitted() -> frozenset[str]:
    """Return the names of the points from which constants are taken."""
    return frozenset(
        point for cluster in clusters().values() for one in cluster.constants.values() for point in one.points
    )
