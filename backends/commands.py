"""The commands of ``backends``: ``freehold bench``."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from freehold.backends.bench.run import Settings, Tell

Only = Annotated[list[str] | None, typer.Option("--only", metavar="ROW", help="Measure this row; may be repeated.")]
Against = Annotated[str, typer.Option(metavar="PEERS", help="Measure peers too: any of ray,pool,dask,loky.")]
PeersAt = Annotated[str | None, typer.Option("--peers", metavar="PATH", help="The environment that has the peers.")]
Rounds = Annotated[int | None, typer.Option(min=1, help="Windows of each contender in each row.")]
Seconds = Annotated[float | None, typer.Option(min=0.001, help="Of each window.")]
Quick = Annotated[bool, typer.Option("--quick", help="Few and short windows: to see that it works.")]
JsonTo = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all windows as JSON.")]
FigureTo = Annotated[Path | None, typer.Option("--figure", metavar="FILE", help="Draw a figure: .png or .svg.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")]
Rows = Annotated[bool, typer.Option("--rows", help="List the rows and their targets, and measure nothing.")]


def bench(
    only: Only = None,
    against: Against = "",
    peers: PeersAt = None,
    rounds: Rounds = None,
    seconds: Seconds = None,
    quick: Quick = False,
    json_to: JsonTo = None,
    figure_to: FigureTo = None,
    markdown: Markdown = False,
    rows: Rows = False,
) -> None:
    """freehold bench --quick --only round-trip

    Measure freehold beside the raw limits of this machine and, if asked, beside its peers: in turn, a window of each,
    and again. Prints the medians, how far the windows lie apart, and what the targets are.
    """
    from freehold.backends.bench import table
    from freehold.backends.bench.peers import chosen_peers
    from freehold.backends.bench.problems import BenchError
    from freehold.backends.bench.run import QUICK, Settings, chosen_rows, run
    from freehold.backends.bench.subject import check_platform

    try:
        wanted = chosen_rows(only or [])
        if rows:
            typer.echo(table.list_of_rows(wanted))
            return
        check_platform()
        check_targets(json_to, figure_to)
        chosen = chosen_peers([name.strip() for name in against.split(",") if name.strip()], peers)
        settings = changed(QUICK if quick else Settings(), rounds, seconds)
        with ending_in_order(), progress() as tell:
            report = run(wanted, chosen, settings, tell)
    except BenchError as problem:
        typer.echo(f"freehold bench: {problem}", err=True)
        raise typer.Exit(2) from None
    if json_to is not None:
        json_to.write_text(json.dumps(table.as_data(report), indent=1) + "\n", "utf-8")
    if figure_to is not None:
        from freehold.backends.bench.figure import draw

        draw(report, figure_to)
    if markdown:
        typer.echo(table.as_markdown(report))
    else:
        table.show(report)
    raise typer.Exit(table.failed(report))


def changed(settings: Settings, rounds: int | None, seconds: float | None) -> Settings:
    """Return the settings with what the user asked for."""
    import msgspec

    changes: dict[str, Any] = {"rounds": rounds, "seconds": seconds}
    return msgspec.structs.replace(settings, **{name: value for name, value in changes.items() if value is not None})


def check_targets(json_to: Path | None, figure_to: Path | None) -> None:
    """Find out before the run, not after it, that a file cannot be written."""
    from freehold.backends.bench.problems import BenchError

    if figure_to is not None and figure_to.suffix not in (".png", ".svg"):
        raise BenchError(f"--figure {figure_to}: the name must end in .png or .svg")
    for path in (json_to, figure_to):
        if path is None:
            continue
        new = not path.exists()
        try:
            path.open("ab").close()
        except OSError as error:
            raise BenchError(f"{path} cannot be written: {error.strerror}") from None
        if new:
            path.unlink()


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the run as Ctrl-C does, and let a second one not disturb the clearing up."""

    def end(number: int, _: object) -> None:
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(128 + number)

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(each, end) for each in signals]
    try:
        yield
    finally:
        for each, handler in zip(signals, before, strict=True):
            signal.signal(each, handler)


@contextmanager
def progress() -> Iterator[Tell]:
    """Yield a function that shows what is done now, on a terminal only."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status("starting") as status:
        yield lambda text: status.update(text)


def register(app: typer.Typer) -> None:
    """Add the commands of ``backends``."""
    app.command()(bench)
