"""The command ``freehold doctor``: it looks, judges, tries, and shows one line for each check and a verdict."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import msgspec
import typer

from freehold.backends.doctor.checks import Finding

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Trial = Annotated[bool, typer.Option("--trial/--no-trial", help="Start a real cluster, too.")]
STYLES = {"ok": "green", "note": "yellow", "problem": "bold red"}


def doctor(as_json: Json = False, with_trial: Trial = True) -> None:
    """freehold doctor

    Look whether a cluster runs on this machine: memory, descriptors, processes, kernel, Python, packages, and a real
    cluster for a moment.  Each line ends with what mends it.  Ends with 1 if there is a problem.
    """
    from freehold.backends.doctor.checks import examine
    from freehold.backends.doctor.trial import cluster, trial
    from freehold.backends.doctor.world import here

    findings = examine(here())
    result = trial() if with_trial else None
    if result is not None:
        findings.append(cluster(result))
    if as_json:
        seconds = result.seconds if result is not None else {}
        data = {"verdict": verdict(findings), "checks": msgspec.to_builtins(findings), "seconds": seconds}
        typer.echo(json.dumps(data))
    elif sys.stdout.isatty():
        show_table(findings)
    else:
        for finding in findings:
            typer.echo(line(finding))
        typer.echo(f"verdict: {verdict(findings)}")
    raise typer.Exit(any(finding.level == "problem" for finding in findings))


def line(finding: Finding) -> str:
    """Return a finding as one line of plain text."""
    mend = f"; mend: {finding.mend}" if finding.mend else ""
    return f"{finding.level:<8} {finding.what:<12} {' '.join(finding.words.split())}{mend}"


def verdict(findings: list[Finding]) -> str:
    """Say whether freehold runs here."""
    problems, notes = [[one.what for one in findings if one.level == level] for level in ("problem", "note")]
    if problems:
        return f"a cluster does not run here as it should; mend {', '.join(problems)}"
    return "freehold runs here" + (f"; it would do better with {', '.join(notes)} mended" if notes else "")


def show_table(findings: list[Finding]) -> None:
    """Show the findings on a terminal."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("", "check", "finding and mend", box=None, header_style="dim")
    for one in findings:
        mend = f"\n[bold]{escape(one.mend)}[/bold]" if one.mend else ""
        table.add_row(f"[{STYLES[one.level]}]{one.level}[/]", one.what, escape(" ".join(one.words.split())) + mend)
    console = Console()
    console.print(table)
    console.print(f"verdict: {escape(verdict(findings))}", style="bold")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)
