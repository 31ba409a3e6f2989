"""Studies as users write them down: a shipped one with other points, in a small TOML file.

    study = "latency"
    seeds = 10

    [axes]
    nbytes = ["1 KiB", "64 MiB"]

Axes that are left out are as shipped.  What is wrong is told with file, line and value, before anything runs.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from freehold.simulator.studies.study import Study
from freehold.simulator.world.description import Source
from freehold.simulator.world.units import quantity, sized


def read_study(path: Path, studies: Mapping[str, Study]) -> Study:
    """Return the study that a file asks for.

    Raises:
        ValueError: one sentence with file, line and value.
        OSError: there is no such file.
    """
    text = path.read_text("utf-8")
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: {error}") from None
    source = Source(str(path), text)
    for key in raw:
        if key not in ("study", "seeds", "axes"):
            raise ValueError(f"{source.place(key)}: there is no {key!r}; there are study, seeds and axes")
    if raw.get("study") not in studies:
        raise ValueError(f"{source.place('study')}: {raw.get('study')!r} is no study; there are {', '.join(studies)}")
    study, seeds = studies[raw["study"]], raw.get("seeds", studies[raw["study"]].seeds)
    if type(seeds) is not int or seeds < 1:
        raise ValueError(f"{source.place('seeds')}: {seeds!r} is no number of seeds")
    axes = dict(study.axes)
    for name, values in raw.get("axes", {}).items():
        if name not in axes:
            raise ValueError(f"{source.place('axes', name)}: there is no axis {name!r}; there are {', '.join(axes)}")
        if name in study.compares:
            raise ValueError(f"{source.place('axes', name)}: the study compares all {name}, and needs them all")
        try:
            axes[name] = points(values, axes[name])
        except ValueError as error:
            raise ValueError(f"{source.place('axes', name)}: {error}") from None
    study = study._replace(axes=axes, seeds=seeds)
    there = psutil.virtual_memory().available
    if study.nbytes() > there:
        keys = ["axes", next(iter(raw["axes"]))] if raw.get("axes") else ["study"]
        what = f"the largest point takes about {sized(study.nbytes())} of memory, and {sized(there)} are free"
        raise ValueError(f"{source.place(*keys)}: {what}")
    return study


def points(values: Any, shipped: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the values of an axis: of the kind that is shipped, and if that is text then some of those."""
    if not isinstance(values, list) or not values:
        raise ValueError(f"{values!r} is no list of values")
    if isinstance(shipped[0], str):
        unknown = [value for value in values if value not in shipped]
        if unknown:
            raise ValueError(f"there is no {unknown[0]!r}; there are {', '.join(shipped)}")
        return tuple(values)
    numbers = [quantity(value, "B") for value in values]
    if min(numbers) < 1 or any(number != int(number) for number in numbers):
        raise ValueError(f"{values!r} are not whole numbers from 1 on")
    return tuple(sorted(map(int, numbers)))
