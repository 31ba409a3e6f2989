"""Run all studies of the simulator, and write down what comes of them: docs/studies.md, with docs/figures/*.svg.

python docs/studies.py            run, draw and write everything
python docs/studies.py broadcast  only what is named; the rest of the page stays
python docs/studies.py --check    say whether the page lists all studies and figures, and fail if not
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from freehold.simulator.studies import STUDIES
from freehold.simulator.studies.plots import save
from freehold.simulator.studies.runner import digest, run_study
from freehold.simulator.studies.study import Study

ROOT = Path(__file__).resolve().parents[1]
PAGE, FIGURES = ROOT / "docs" / "studies.md", ROOT / "docs" / "figures"
HEAD = """# Studies

What the [simulator](simulator.md) answers, study by study. Each sentence is computed from the study's rows, and so is
each figure; bands, where they can be seen, go from the least to the most of all seeds. The costs are round figures for
servers with 10 Gbit/s between them ([costs.py](../simulator/world/costs.py)), not those of any one machine: take
differences for true, not the seconds. `python docs/studies.py` runs everything again.
"""


def written(study: Study, folder: Path) -> str:
    """Run a study, draw its figures, and return its part of the page."""
    print(f"{study.name}: {len(study.points())} points", flush=True)
    rows = run_study(study, folder / study.name)
    pictures = []
    for name, draw in study.figures.items():
        svg, _ = save(draw(rows), folder / study.name, name)
        shutil.copy(svg, FIGURES / svg.name)
        pictures.append(f"![{name.replace('-', ' ')}](figures/{svg.name})")
    conclusion = f"{study.conclude(rows)} ({len(rows)} rows, hash `{digest(rows)[:16]}`)"
    return "\n\n".join([f"## {study.name}", study.question, conclusion, *pictures]) + "\n"


def stale() -> list[str]:
    """Return what is missing from the page."""
    page = PAGE.read_text("utf-8")
    names = [f"## {name}\n" for name in STUDIES]
    figures = [f"(figures/{name}.svg)" for study in STUDIES.values() for name in study.figures]
    return [what.strip() for what in (*names, *figures) if what not in page]


def main() -> None:
    """Do what the command line asks for."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("names", nargs="*", metavar="NAME", help="studies; all if none is named")
    arguments.add_argument("--check", action="store_true", help="only say what is missing")
    given = arguments.parse_args()
    if unknown := [name for name in given.names if name not in STUDIES]:
        arguments.error(f"there is no study {', '.join(unknown)}; there are {', '.join(STUDIES)}")
    if given.check:
        missing = stale()
        sys.exit(f"docs/studies.md lacks {', '.join(missing)}; run: python docs/studies.py" if missing else 0)
    FIGURES.mkdir(exist_ok=True)
    _, *parts = PAGE.read_text("utf-8").split("\n## ")
    known = {part.partition("\n")[0]: f"## {part}" for part in parts}
    with tempfile.TemporaryDirectory() as folder:
        for name in given.names or STUDIES:
            known[name] = written(STUDIES[name], Path(folder))
    PAGE.write_text("\n".join([HEAD, *[known[name].rstrip("\n") + "\n" for name in STUDIES if name in known]]), "utf-8")


if __name__ == "__main__":
    main()
