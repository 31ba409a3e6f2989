"""The command line: ``freehold ...`` and ``python -m freehold ...``.

It knows no command.  Each package brings its own through an entry point of the group ``freehold.commands``, a
function ``register(app)``, so that ``core`` need not know the others.
"""

import sys
from importlib.metadata import entry_points
from typing import Annotated

from freehold import __version__
from freehold.core.requirements import complaint

try:
    import typer
except ModuleNotFoundError as error:  # after `make tour`, which installs only what the tour needs
    sys.exit(f"freehold: {complaint('the command line', error)}")


def show_version(wanted: bool) -> None:
    """Print the version and end, if that is what the user asked for."""
    if wanted:
        typer.echo(f"freehold {__version__}")
        raise typer.Exit


def describe(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Remote objects as in Ray Core: run for real, simulated and proved."""


def application() -> typer.Typer:
    """Return the application with the commands of every package, in the order of their names."""
    app = typer.Typer(name="freehold", no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False)
    app.callback()(describe)
    for entry_point in sorted(entry_points(group="freehold.commands"), key=lambda entry: entry.name):
        register = entry_point.load()
        register(app)
    return app


def main() -> None:
    """Run the command that the command line names."""
    application()()


if __name__ == "__main__":
    main()
