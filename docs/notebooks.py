"""Make the notebooks in examples/ from the scripts beside them.

    python docs/notebooks.py            write them
    python docs/notebooks.py --check    say which are stale, and fail if any is

A script is cut into cells at the lines ``# %%`` (code) and ``# %% [markdown]`` (prose, as comments).  Its docstring
becomes the first cell; a line ``# %%time`` becomes the magic that it names.  Outputs are left out.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SCRIPTS = ("remote_objects_tour", "ray_tutorial")
Cell = tuple[str, list[str]]  # its kind, and its lines


def cells_of(source: str) -> list[Cell]:
    """Cut a script into cells."""
    cells: list[Cell] = [("markdown", docstring_lines(source))]
    for line in source.splitlines():
        if line in ("# %%", "# %% [markdown]"):
            cells.append(("code" if line == "# %%" else "markdown", []))
        elif len(cells) > 1:
            kind, lines = cells[-1]
            lines.append(in_notebook(kind, line))
    return [(kind, stripped(lines)) for kind, lines in cells]


def docstring_lines(source: str) -> list[str]:
    """Return the docstring of a script as Markdown: its first sentence is the title."""
    first, *rest = (ast.get_docstring(ast.parse(source)) or "").splitlines()
    return [f"# {first.rstrip('.')}", *rest]


def in_notebook(kind: str, line: str) -> str:
    """Return a line of a script as a notebook has it."""
    if kind == "markdown" or line == "# %%time":
        return line.removeprefix("#").removeprefix(" ")
    return line.removesuffix("  # noqa: E402")


def stripped(lines: list[str]) -> list[str]:
    """Return lines without empty ones at either end."""
    return "\n".join(lines).strip("\n").splitlines()


def notebook(source: str) -> str:
    """Return the text of the notebook file (nbformat 4.5) that a script becomes."""
    cells: list[dict[str, Any]] = []
    for number, (kind, lines) in enumerate(cells_of(source)):
        cell: dict[str, Any] = {"cell_type": kind, "id": f"cell-{number:02}", "metadata": {}}
        if kind == "code":
            cell |= {"execution_count": None, "outputs": []}
        cells.append({**cell, "source": [line + "\n" for line in lines[:-1]] + lines[-1:]})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    made = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def stale() -> list[Path]:
    """Return the notebooks that differ from what their scripts make."""
    paths = [EXAMPLES / f"{name}.ipynb" for name in SCRIPTS]
    return [path for path in paths if not path.exists() or path.read_text("utf-8") != made_from_script(path)]


def made_from_script(path: Path) -> str:
    """Return what a notebook file should contain."""
    return notebook(path.with_suffix(".py").read_text("utf-8"))


def main() -> int:
    """Write the notebooks that are stale, or name them."""
    for path in (found := stale()):
        if "--check" in sys.argv:
            print(f"{path.name} is stale: run python docs/notebooks.py")
        else:
            path.write_text(made_from_script(path), "utf-8")
            print(f"wrote {path.name}")
    return 1 if found and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
