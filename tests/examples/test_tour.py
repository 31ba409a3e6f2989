"""The examples, as scripts and some as notebooks, on every backend, against their golden outputs.

Times and the names of the workers that happen to be lent are no part of an output.  ``pytest --rewrite`` writes the
golden outputs again; read the difference before committing it.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
WITH_NOTEBOOKS = {"remote_objects_tour": 12, "ray_tutorial": 10}  # and how many code cells they have
BACKENDS: dict[str, tuple[pytest.MarkDecorator, ...]] = {"inline": (), "sim": (), "local": (pytest.mark.local,)}
STATED = {  # where a backend differs, as docs/drivers.md says: golden line -> its line
    "inline": {"    the task of step 11 is still running": "    the task of step 11 has ended"},
}


INLINE, SIM, LOCAL = (pytest.param(name, marks=marks) for name, marks in BACKENDS.items())
SLOW_INLINE, SLOW_LOCAL = (pytest.param(one.values[0], marks=(*one.marks, pytest.mark.slow)) for one in (INLINE, LOCAL))


def steady(text: str) -> str:
    """Return an output without times, and without the numbers of the workers that happened to be lent."""
    text = re.sub(r"\btook [\d.]+ (s|ms|us)\b", "took T", text)
    text = re.sub(r"\bn\dw\d+(?= +running\b)", "n0wN", text)  # a task may run on any node
    return re.sub(r"\bn(\d)w(?!1\b)\d+\b|\bn([1-9])w1\b", lambda found: f"n{found[1] or found[2]}wN", text)


def lines_of(text: str) -> list[str]:
    """Return what is compared: the lines of an output, however they are padded."""
    return [" ".join(line.split()) for line in steady(text).splitlines()]


def golden(name: str, backend: str, output: str, request: pytest.FixtureRequest) -> list[str]:
    """Return the lines that are expected, after writing them if that is wanted."""
    path = EXAMPLES / f"{name}.out"
    if request.config.getoption("--rewrite", default=False) and backend not in STATED:
        path.write_text(steady(output), "utf-8")
    text = path.read_text("utf-8")
    for line, other in STATED.get(backend, {}).items() if name == "remote_objects_tour" else ():
        assert text.count(line) == 1, f"{path.name} no longer has the line {line!r}"
        text = text.replace(line, other)
    return lines_of(text)


def run_script(name: str, backend: str, cwd: Path) -> str:
    command = [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py")]
    environment = {**os.environ, "FREEHOLD_BACKEND": backend}
    run = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=100)
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout


def run_notebook(name: str, cwd: Path) -> list[str]:
    """Run a notebook; return what each code cell wrote."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(EXAMPLES / f"{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    NotebookClient(notebook, timeout=100, kernel_name="python3", resources={"metadata": {"path": cwd}}).execute()
    written = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not [output for output in cell.outputs if output.get("name") == "stderr"], cell.outputs
            written.append("".join(output.get("text", "") for output in cell.outputs))
    return written


@pytest.mark.parametrize("backend", [SIM, SLOW_INLINE, SLOW_LOCAL])
@pytest.mark.parametrize("name", WITH_NOTEBOOKS)
def test_a_tour(name: str, backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    output = run_script(name, backend, tmp_path)
    assert lines_of(output) == golden(name, backend, output, request)


@pytest.mark.parametrize("backend", [INLINE, SIM, LOCAL])
@pytest.mark.parametrize("name", sorted({path.stem for path in EXAMPLES.glob("*.py")} - WITH_NOTEBOOKS.keys()))
def test_an_example(name: str, backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    output = run_script(name, backend, tmp_path)
    assert lines_of(output) == golden(name, backend, output, request)


@pytest.mark.parametrize("backend", [pytest.param("inline", marks=pytest.mark.soak), SLOW_LOCAL])
@pytest.mark.filterwarnings("default")  # of the notebook's client
def test_the_tour_as_a_notebook(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("FREEHOLD_BACKEND", backend)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))  # the home folder may not be writable
    output = "".join(run_notebook("remote_objects_tour", tmp_path))
    assert lines_of(output) == golden("remote_objects_tour", backend, output, request)


@pytest.mark.parametrize("backend", [pytest.param("inline", marks=pytest.mark.soak), SLOW_LOCAL])
@pytest.mark.filterwarnings("default")  # of the notebook's client
def test_the_tutorial_as_a_notebook(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("FREEHOLD_BACKEND", backend)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))  # the home folder may not be writable
    cells = run_notebook("ray_tutorial", tmp_path)
    assert len(cells) == WITH_NOTEBOOKS["ray_tutorial"]
    timed = [cell for cell in cells if "Wall time" in cell]
    assert len(timed) == 6
    output = "".join(line for cell in cells for line in cell.splitlines(keepends=True) if not is_time(line))
    assert lines_of(output) == golden("ray_tutorial", backend, output, request)


def is_time(line: str) -> bool:
    """Tell the lines that ``%%time`` writes."""
    return line.startswith(("CPU times:", "Wall time:"))


def test_the_golden_outputs_are_steady() -> None:
    for path in sorted(EXAMPLES.glob("*.out")):
        assert steady(path.read_text("utf-8")) == path.read_text("utf-8"), path.name


def test_each_example_has_a_golden_output_and_there_are_few() -> None:
    scripts = sorted(path.stem for path in EXAMPLES.glob("*.py"))
    assert scripts == sorted(path.stem for path in EXAMPLES.glob("*.out"))
    assert len(scripts) < 10


def test_an_example_says_what_it_is_and_runs_as_plain_top_level_code() -> None:
    for path in sorted(EXAMPLES.glob("*.py")):
        source = path.read_text("utf-8")
        assert source.startswith('"""'), f"{path.name} has no docstring"
        assert "__main__" not in source, f"{path.name} has a guard; a plain script works"
