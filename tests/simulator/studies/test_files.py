"""Studies in files: other points of a shipped one, and what is wrong in one line."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from freehold.simulator import studies as shipped
from freehold.simulator.studies.files import read_study
from freehold.simulator.studies.study import Study

AXES: dict[str, tuple[Any, ...]] = {
    "nbytes": (1, 2),
    "way": ("here", "there"),
    "whose": ("mine", "yours"),
    "wait": (0.0, 0.5),
    "ratio": (1.0, 4.0),
}
SHIPPED = Study("shipped", "?", AXES, lambda point, seed: [], str, {}, compares=("whose",), units={"wait": "s"})
STUDIES = {"shipped": SHIPPED}


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def test_what_is_left_out_is_as_shipped(tmp_path: Path) -> None:
    assert read_study(written(tmp_path, "study = 'shipped'"), STUDIES) == SHIPPED
    found = read_study(
        written(tmp_path, "study = 'shipped'\nseeds = 2\n[axes]\nnbytes = ['1 MiB', '2 kB', 7]"), STUDIES
    )
    assert found.axes == AXES | {"nbytes": (7, 2000, 1 << 20)} and found.seeds == 2


def test_what_the_manual_describes_can_be_read(tmp_path: Path) -> None:
    manual = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text("utf-8")
    (text,) = re.findall(r"```toml\n(study.*?)```", manual, re.DOTALL)
    assert read_study(written(tmp_path, text), shipped.STUDIES).seeds == 10


def test_axes_have_the_units_of_what_is_shipped(tmp_path: Path) -> None:
    text = "study = 'shipped'\n[axes]\nwait = [2, '50 ms', 0, 0.5]\nratio = [2.5, 1]"
    found = read_study(written(tmp_path, text), STUDIES)
    assert found.axes == AXES | {"wait": (0.0, 0.05, 0.5, 2.0), "ratio": (1.0, 2.5)}
    assert all(type(value) is float for name in ("wait", "ratio") for value in found.axes[name])


@pytest.mark.parametrize("study", shipped.STUDIES.values(), ids=list(shipped.STUDIES))
def test_what_a_study_has_can_be_written(study: Study, tmp_path: Path) -> None:
    axes = {name: list(values) for name, values in study.axes.items() if name not in study.compares}
    lines = "\n".join(f"{name} = {values}" for name, values in axes.items())
    assert read_study(written(tmp_path, f"study = '{study.name}'\n[axes]\n{lines}"), shipped.STUDIES) == study


def test_what_memory_does_not_hold_is_refused(tmp_path: Path) -> None:
    studies = {"shipped": SHIPPED._replace(nodes=lambda point: point["nbytes"])}
    path = written(tmp_path, "study = 'shipped'\n[axes]\nnbytes = ['1 TB']")
    what = r"mine\.toml:3: the largest point takes about .* of memory, and .* are free: take fewer nodes$"
    with pytest.raises(ValueError, match=what):
        read_study(path, studies, processes=1)


@pytest.mark.parametrize(("tasks", "processes", "nodes"), [(True, 1, 1600), (False, 1, 25_000), (False, 4, 6_200)])
def test_memory_is_that_of_all_points_that_run_at_once(
    tasks: bool, processes: int, nodes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With tasks every process knows all nodes; those who read a file are told before anything runs."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=10**9))
    studies = {"shipped": SHIPPED._replace(nodes=lambda point: point["nbytes"], tasks=tasks)}
    text = "study = 'shipped'\n[axes]\nnbytes = [{}]\nway = ['here']\nwait = [0]\nratio = [1]"
    read_study(written(tmp_path, text.format(nodes * 9 // 10)), studies, processes)
    more = written(tmp_path, text.format(nodes * 11 // 10))
    with pytest.raises(ValueError, match=r"mine\.toml:3: the largest point.* about .* of memory, and 954 MiB are free"):
        read_study(more, studies, processes)
    if processes > 1:
        with pytest.raises(ValueError, match=r"the largest points, 4 at a time, take .*, or fewer --processes$"):
            read_study(more, studies, processes)
        read_study(more, {"shipped": studies["shipped"]._replace(seeds=1)}, processes)  # there are only two points


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("study = 'other'", r"mine\.toml:1: 'other' is no study; there are shipped"),
        ("seeds = 3", r"mine\.toml: None is no study"),
        ("study = 'shipped'\nseeds = 0", r"mine\.toml:2: 0 is no number of seeds"),
        ("study = 'shipped'\nseed = 3", r"mine\.toml:2: there is no 'seed'; there are study, seeds and axes"),
        (
            "study = 'shipped'\n[axes]\nsize = [1]",
            r"mine\.toml:3: there is no axis 'size'; there are nbytes, way, whose",
        ),
        ("study = 'shipped'\n[axes]\nway = ['up']", r"mine\.toml:3: there is no 'up'; there are here, there"),
        (
            "study = 'shipped'\n[axes]\nwhose = ['mine']",
            r"mine\.toml:3: the study compares all whose",
        ),
        ("study = 'shipped'\n[axes]\nway = 'here'", r"mine\.toml:3: 'here' is no list of values"),
        ("study = 'shipped'\n[axes]\nnbytes = []", r"mine\.toml:3: \[\] is no list of values"),
        ("study = 'shipped'\n[axes]\nnbytes = ['1 parsec']", r"mine\.toml:3: '1 parsec' is not a quantity"),
        ("study = ['shipped']", r"mine\.toml:1: \['shipped'\] is no study; there are shipped"),
        ("study = 'shipped'\naxes = 5", r"mine\.toml:2: 5 is no table; write \[axes\]"),
        ("study = 'shipped'\n[axes]\nnbytes = [2, 2]", r"mine\.toml:3: of \[2, 2\] two are the same; say each once"),
        ("study = 'shipped'\n[axes]\nnbytes = ['1 KiB', 1024]", r"mine\.toml:3: of .* two are the same"),
        ("study = 'shipped'\n[axes]\nway = ['here', 'here']", r"mine\.toml:3: of .* two are the same"),
        ("study = 'shipped'\n[axes]\nwait = [-1.0]", r"mine\.toml:3: \[-1\.0\] are not 0 or more"),
        ("study = 'shipped'\n[axes]\nwait = ['1 MiB']", r"mine\.toml:3: '1 MiB' is not a quantity in one of ns"),
        ("study = 'shipped'\n[axes]\nratio = [0.0]", r"mine\.toml:3: \[0\.0\] are not above 0"),
        ("study = 'shipped'\n[axes]\nratio = ['1 s']", r"mine\.toml:3: '1 s' is not a number without a unit"),
        ("study = 'shipped'\n[axes]\nratio = [inf]", r"mine\.toml:3: inf is not finite"),
        ("study = 'shipped'\n[axes]\nnbytes = [0]", r"mine\.toml:3: \[0\] are not whole numbers from 1 on"),
        ("study = oops\n", r"mine\.toml: .*line 1"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=what):
        read_study(written(tmp_path, text), STUDIES)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"\xff")
    with pytest.raises(ValueError, match=r"mine\.toml: 'utf-8' codec can't decode byte 0xff"):
        read_study(tmp_path / "mine.toml", STUDIES)
