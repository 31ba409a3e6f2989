"""The commands of the simulator: ``freehold sim study``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from freehold.simulator.studies.study import Rows, Study

Name = Annotated[str, typer.Argument(metavar="NAME|FILE", help="A study, or a TOML file; without one all are listed.")]
Where = Annotated[Path, typer.Option("--out", help="The folder under which rows and figures are kept.")]
Processes = Annotated[int, typer.Option(min=0, help="Points that run at a time; 0: as many as there are processors.")]
Seeds = Annotated[int, typer.Option(min=0, help="Seeds of each point; 0: as many as the study has by itself.")]
Loads = Annotated[str, typer.Argument(metavar="ROWS", help="small, million or racks.")]
Calibration = Annotated[Path, typer.Option("--calibration", help="The file with what was measured.")]
Calibrated = Annotated[Path | None, typer.Option("--calibration", help="The description that predicts.")]
Runs = Annotated[int, typer.Option(min=1, help="Of each workload, every one in a process of its own.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
WIDTHS = (7, 12, 8, 11, 16, 8, 8, 9, 8, 7, 9)  # of the columns of ``scale``


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(
        help="Simulate: studies, what others have published, and how much can be simulated.", no_args_is_help=True
    )
    group.callback()(lambda: None)
    group.command()(study)
    group.command()(published)
    group.command()(scale)
    group.command()(calibrate)
    group.command()(validate)
    app.add_typer(group, name="sim")


def study(
    name: Name = "", out: Where = Path("studies"), processes: Processes = 0, seeds: Seeds = 0, as_json: Json = False
) -> None:
    """freehold sim study latency

    Run a grid of simulations on all cores, draw figures, and say in one sentence what comes of it.  Rows are kept in
    OUT/NAME/rows.csv as they are finished: an interrupted study goes on where it was.  The same seeds give the same
    rows, whoever was first.  A file names a study, and other points of its axes.
    """
    from freehold.simulator.studies import STUDIES

    if not name:
        typer.echo("\n".join([f"{one.name:12} {one.question}" for one in STUDIES.values()]))
        return
    if name.endswith(".toml"):
        from freehold.simulator.studies.files import read_study

        try:
            found = read_study(Path(name), STUDIES, processes, seeds)
        except (ValueError, OSError) as error:
            refuse(str(error))
    elif name in STUDIES:
        found = STUDIES[name]
    else:
        refuse(f"{name!r} is no study, and no file that ends with .toml; there are {', '.join(STUDIES)}")
    conduct(found._replace(seeds=seeds or found.seeds), out / Path(name).stem, processes, as_json=as_json)


def published(out: Where = Path("studies"), processes: Processes = 0) -> None:
    """freehold sim published

    Simulate what others have measured on clusters of theirs, and print it beside what they have published: a study,
    with a table.  Points from which a constant is taken are fitted, the others predicted.
    """
    from freehold.simulator.studies import STUDIES
    from freehold.simulator.studies.published import table

    rows = conduct(STUDIES["published"], out / "published", processes, as_json=False)
    for name, *cells in table(rows):
        typer.echo(f"{name:<44}{''.join(f'{cell:>12}' for cell in cells)}" if any(cells) else f"\n{name}")


def scale(rows: Loads = "small") -> None:
    """freehold sim scale million

    Measure how fast the simulator is, and how large a cluster it can take: seconds of this machine, what SimPy takes
    alone for as many events, events of a resolution, and the peak of memory.
    """
    from concurrent.futures.process import BrokenProcessPool

    from freehold.simulator.scale import HEAD, ROWS, cells, measure

    if rows not in ROWS:
        refuse(f"{rows!r} is none of {', '.join(ROWS)}")
    try:
        for line in (HEAD, *map(cells, map(measure, ROWS[rows]))):
            typer.echo(" ".join(f"{cell:>{width}}" for cell, width in zip(line, WIDTHS, strict=True)))
    except BrokenProcessPool:
        refuse("the process that simulated the next row was killed, as Linux does when memory is short")


def calibrate(out: Calibration = Path("calibration.toml")) -> None:
    """freehold sim calibrate

    Measure this machine with four workloads, and write down the cluster with which the simulator takes as long: a
    description for --cluster and init(cluster=).  It takes some minutes; nothing else should run meanwhile.
    """
    from freehold.simulator.validation.calibration import fit, measure, written

    check_place(out)
    with noting() as note:
        found = fit(measure(note), note)
    out.write_text("\n".join(written(found)) + "\n", "utf-8")
    typer.echo(f"wrote {out}: use it with --cluster {out}, or init(backend='sim', cluster='{out}')")


def validate(calibration: Calibrated = None, runs: Runs = 5, out: Where = Path("validation")) -> None:
    """freehold sim validate

    Run the same programs on the local cluster, by turns, and simulated, and print what was measured, what is predicted,
    and by how much real runs differ among themselves.  Without --calibration the four that are fitted say the
    constants: as they were measured between the others, for what a machine can do changes from minute to minute.
    """
    import tomllib

    import msgspec

    from freehold.simulator.studies.plots import save
    from freehold.simulator.validation.calibration import fit, measure, written
    from freehold.simulator.validation.validate import conclude, draw, predict, table
    from freehold.simulator.validation.workloads import ALL
    from freehold.simulator.world.description import read

    cluster = None
    if calibration:
        try:
            read(calibration)  # what is wrong is said before anything runs
            cluster = tomllib.loads(calibration.read_text("utf-8"))
        except (OSError, ValueError) as error:
            refuse(f"{error}; freehold sim calibrate makes a description of this machine")
    check_place(out / "measured.json")
    with noting() as note:
        measured = measure(note, ALL, runs)
        (out / "measured.json").write_bytes(msgspec.json.encode(measured))  # it took minutes: what follows is only work
        if cluster is None:
            cluster = fit(measured, note)
            (out / "calibration.toml").write_text("\n".join(written(cluster)) + "\n", "utf-8")
        found = predict(cluster, measured, note)
    for name, *cells in table(found):
        typer.echo(f"{name:<18}{''.join(f'{cell:>11}' for cell in cells)}")
    paths = save(draw(found), out, "validation")
    typer.echo(f"{conclude(found)}\n{', '.join(map(str, paths))}")


def check_place(path: Path) -> None:
    """Refuse a file that cannot be written, before minutes are spent on what is to be in it; its folder is made."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        there = path.exists()
        path.open("ab").close()
        if not there:
            path.unlink()
    except OSError as error:
        refuse(f"nothing can be written there: {error}; choose another place")


@contextmanager
def noting() -> Iterator[Callable[[str], None]]:
    """Yield a function that shows on a terminal what is being done; a failure ends the command with one line."""
    from rich.console import Console

    from freehold.simulator.validation.measuring import MeasuringFailed

    console = Console(stderr=True)
    try:
        with console.status("") as status:
            yield lambda what: status.update(what) if console.is_terminal else None
    except MeasuringFailed as error:
        refuse(str(error))


def conduct(found: Study, folder: Path, processes: int, *, as_json: bool) -> Rows:
    """Run a study, draw its figures and say what comes of it; return its rows."""
    from rich.console import Console
    from rich.progress import Progress

    from freehold.simulator.studies.plots import save
    from freehold.simulator.studies.runner import ProcessLost, digest, run_study

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(found.name)
        try:
            rows = run_study(found, folder, processes, lambda done, all: bar.update(task, completed=done, total=all))
        except (ValueError, OSError, ProcessLost) as error:
            refuse(str(error))
        except KeyboardInterrupt:
            bar.stop()
            typer.echo(
                f"freehold: interrupted; {folder / 'rows.csv'} has what is finished: say it again to go on", err=True
            )
            raise typer.Exit(130) from None
    figures = [path for name, draw in found.figures.items() for path in save(draw(rows), folder, name)]
    said: dict[str, Any] = {"study": found.name, "rows": len(rows), "hash": digest(rows)[:16]}
    said |= {"figures": list(map(str, figures)), "conclusion": found.conclude(rows)}
    if as_json:
        typer.echo(json.dumps(said))
        return rows
    typer.echo(f"{found.question}\n{said['conclusion']}")
    typer.echo(f"{len(rows)} rows, hash {said['hash']}: {folder / 'rows.csv'}; " + ", ".join(said["figures"]))
    return rows


def refuse(what: str) -> NoReturn:
    """Say in one line what is wrong with what was asked for, and end with 2."""
    typer.echo(f"freehold: {what}", err=True)
    raise typer.Exit(2)
