"""Studies as users write them down: a shipped one with other points, in a small TOML file.

    study = "latency"
    seeds = 10

    [axes]
    nbytes = ["1 KiB", "64 MiB"]

Axes that are left out are as shipped.  What is wrong is told with file, line and value, before anything runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from freehold.simulator.studies.runner import at_a_time
from freehold.simulator.studies.study import Study
from freehold.simulator.world.description import Source, written
from freehold.simulator.world.units import quantity, sized


def read_study(path: Path, studies: Mapping[str, Study], processes: int = 0, seeds: int = 0) -> Study:
    """Return the study that a file asks for.

    Args:
        path: of the file.
        studies: those that are shipped, by name.
        processes: that are to run points at a time; 0: as many as there are processors.
        seeds: of each point, whatever the file says; 0: as many as that.

    Raises:
        ValueError: one sentence with file, line and value.
        OSError: there is no such file.
    """
    raw, source = written(path)
    for key in raw:
        if key not in ("study", "seeds", "axes"):
            raise ValueError(f"{source.place(key)}: there is no {key!r}; there are study, seeds and axes")
    name = raw.get("study")
    if not isinstance(name, str) or name not in studies:
        raise ValueError(f"{source.place('study')}: {name!r} is no study; there are {', '.join(studies)}")
    study, said = studies[name], raw.get("seeds", studies[name].seeds)
    if type(said) is not int or said < 1:
        raise ValueError(f"{source.place('seeds')}: {said!r} is no number of seeds")
    axes = raw.get("axes", {})
    if not isinstance(axes, dict):
        raise ValueError(f"{source.place('axes')}: {axes!r} is no table; write [axes], and below it one line for each")
    study = study._replace(axes={**study.axes, **dict(chosen(study, axes, source))}, seeds=seeds or said)
    check_memory(study, at_a_time(processes), source.place("axes", *[*axes][:1]) if axes else source.place("study"))
    return study


def chosen(study: Study, axes: Mapping[str, Any], source: Source) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield the axes of which a file says the points.

    Raises:
        ValueError: one sentence with file, line and value.
    """
    for name, values in axes.items():
        try:
            if name not in study.axes:
                raise ValueError(f"there is no axis {name!r}; there are {', '.join(study.axes)}")
            if name in study.compares:
                raise ValueError(f"the study compares all {name}, and needs them all")
            yield name, points(values, study.axes[name], study.units.get(name, ""))
        except ValueError as error:
            raise ValueError(f"{source.place('axes', name)}: {error}") from None


def check_memory(study: Study, processes: int, place: str) -> None:
    """Refuse points that memory does not hold.

    Raises:
        ValueError: it does not.
    """
    needed, there = study.nbytes(processes), psutil.virtual_memory().available
    if needed > there:
        largest = "the largest point takes" if processes == 1 else f"the largest points, {processes} at a time, take"
        what = f"{largest} about {sized(needed)} of memory, and {sized(there)} are free"
        raise ValueError(f"{place}: {what}: take fewer nodes" + (", or fewer --processes" if processes > 1 else ""))


def points(values: Any, shipped: tuple[Any, ...], unit: str) -> tuple[Any, ...]:
    """Return the values of an axis: of the kind that is shipped, and if that is text then some of those.

    Raises:
        ValueError: they are not, or one of them comes twice.
    """
    if not isinstance(values, list) or not values:
        raise ValueError(f"{values!r} is no list of values")
    if isinstance(shipped[0], str):
        unknown = [value for value in values if value not in shipped]
        if unknown:
            raise ValueError(f"there is no {unknown[0]!r}; there are {', '.join(shipped)}")
        found = values
    elif isinstance(shipped[0], float):
        found = sorted(quantity(value, unit) for value in values)
        if found[0] < 0 or (found[0] == 0 and 0 not in shipped):
            raise ValueError(f"{values!r} are not {'0 or more' if 0 in shipped else 'above 0'}")
    else:
        numbers = sorted(quantity(value, "B") for value in values)
        if numbers[0] < 1 or any(number != int(number) for number in numbers):
            raise ValueError(f"{values!r} are not whole numbers from 1 on")
        found = [*map(int, numbers)]
    if len(set(found)) < len(found):
        raise ValueError(f"of {values!r} two are the same; say each once")
    return tuple(found)
