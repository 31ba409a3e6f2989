"""Studies in files: other points of a shipped one, and what is wrong in one line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from freehold.simulator import studies as shipped
from freehold.simulator.studies.files import read_study
from freehold.simulator.studies.study import Study

AXES = {"nbytes": (1, 2), "way": ("here", "there"), "whose": ("mine", "yours")}
SHIPPED = Study("shipped", "?", AXES, lambda point, seed: [], str, {}, compares=("whose",))
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


def test_what_memory_does_not_hold_is_refused(tmp_path: Path) -> None:
    studies = {"shipped": SHIPPED._replace(nodes=lambda point: point["nbytes"])}
    path = written(tmp_path, "study = 'shipped'\n[axes]\nnbytes = ['1 TB']")
    with pytest.raises(ValueError, match=r"mine\.toml:3: the largest point takes about .* of memory, and .* are free"):
        read_study(path, studies)


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
        ("study = 'shipped'\n[axes]\nnbytes = [0]", r"mine\.toml:3: \[0\] are not whole numbers from 1 on"),
        ("study = oops\n", r"mine\.toml: .*line 1"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=what):
        read_study(written(tmp_path, text), STUDIES)
