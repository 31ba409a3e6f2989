"""What a command cannot use it refuses in one line, with exit code 2, before it has begun anything."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from freehold.specs import commands

REFUSED = {
    "prove explore --variant ray1": "'ray1' is not a variant; there are ",
    "prove explore --borrower-death never": "'never' is not a rule; there are inquest and ray",
    "prove explore --variant ray17553 --borrower-death ray": "'ray17553' has rules of its own: leave out --borrower-",
    "prove explore --deaths 5": "5 of 3 processes and 0 nodes but the head cannot die",
    "prove explore --nodes 4": "3 processes do not live on 4 nodes",
    "prove explore --processes 6 --node-deaths 1": "the deaths of 12 parties do not fit into a number",
    "prove explore --replay 9.9": "there is no first state 9; there are 1",
    "prove models --variant ray1": "'ray1' is not a variant",
    "prove mutants --table owners": "'owners' is not a table; there are ownership, ",
    "prove conformance --backend moon": "there is no backend 'moon'; there are ",
    "prove conformance --backend inline --only no_such": "no scenario has 'no_such' in its name",
    "prove conformance --backend inline --only killed_and_retried": "no scenario can run: kills not hosted",
    "docs row PULLING PullReplies": "no table has a row for PULLING and PullReplies",
    "docs diagram owners": "there is no table 'owners'; there are ownership, ",
}


@pytest.mark.parametrize("command", REFUSED)
def test_it_is_refused_in_one_line(command: str) -> None:
    app = typer.Typer()
    commands.register(app)
    done = CliRunner().invoke(app, command.split())
    group = command.split()[0]
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"freehold {group}: {REFUSED[command]}")
    assert done.stderr.count("\n") == 1
