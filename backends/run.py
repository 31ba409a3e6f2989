"""``freehold run``: a program as it is, on a backend and a cluster that the command line names."""

from __future__ import annotations

import os
import runpy
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

Script = Annotated[str, typer.Argument(metavar="SCRIPT", help="The program.")]
Arguments = Annotated[list[str] | None, typer.Argument(metavar="[ARGUMENTS]...", help="Given to the program.")]
Backend = Annotated[str, typer.Option(help="local, inline, or sim.")]
Nodes = Annotated[int | None, typer.Option(min=1, help="Nodes of the cluster.")]
Cpus = Annotated[float | None, typer.Option(help="Tasks that run at once on each node.")]
Cluster = Annotated[str | None, typer.Option(metavar="FILE", help="sim: a description of the cluster, in TOML.")]
Seed = Annotated[int | None, typer.Option(help="Of all choices by chance, and of what happens at one instant.")]
Trace = Annotated[Path | None, typer.Option(metavar="FOLDER", help="Write all events into a new folder in this one.")]


def run(
    script: Script,
    arguments: Arguments = None,
    backend: Backend = "local",
    nodes: Nodes = None,
    cpus: Cpus = None,
    cluster: Cluster = None,
    seed: Seed = None,
    trace: Trace = None,
) -> None:
    """freehold run examples/remote_objects_tour.py --backend sim --nodes 200

    Run a program unchanged: what is said here goes before what it says to init().  What follows "--" is for the
    program.  A simulation says at the end how long it took.
    """
    from freehold.core import cluster as current
    from freehold.core.errors import NotSupported
    from freehold.core.hooks import Options, check

    said: dict[str, Any] = {"num_nodes": nodes, "num_cpus": cpus, "cluster": cluster, "seed": seed}
    said |= {"backend": backend, "trace": os.fspath(trace) if trace is not None else None}
    current.overrides = {name: value for name, value in said.items() if value is not None}
    try:
        check(current.overridden(Options()))
        compile(Path(script).read_bytes(), script, "exec")
    except OSError as error:
        refuse(f"{error.filename}: {error.strerror}")
    except (ValueError, SyntaxError, NotSupported) as error:
        refuse(error)
    sys.argv = [script, *(arguments or [])]
    sys.path[0] = os.path.dirname(os.path.abspath(script))
    try:
        runpy.run_path(script, run_name="__main__")
    except Exception as error:
        show(error, script)
        raise typer.Exit(1) from None
    finally:
        current.end()
        if current.summary:
            typer.echo(current.summary, err=True)


def refuse(what: object) -> NoReturn:
    """Say what is wrong, and end."""
    typer.echo(f"freehold run: {what}", err=True)
    raise typer.Exit(2)


def show(error: Exception, script: str) -> None:
    """Print a traceback as Python does, from the program on."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != script:
        trace = trace.tb_next
    traceback.print_exception(error.with_traceback(trace or error.__traceback__))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(run)
