"""The manual and its commands: ``freehold docs diagram`` and ``freehold docs row``, and the generated blocks of docs/.

A page of the manual holds blocks between ``<!-- begin KIND ARGUMENT -->`` and ``<!-- end -->``.  What lies between is
made here from the tables as they run, or from the golden outputs of the examples: a page cannot tell another story
than the code.  A test compares; ``freehold docs diagram --write`` writes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer

from freehold.core.effects import EFFECTS
from freehold.core.events import Event
from freehold.core.machine import Row, State, Table
from freehold.core.tables import TABLES
from freehold.specs.citing import ROOT, citations
from freehold.specs.promises import INVARIANTS, PROMISES, SOMETIMES
from freehold.specs.refusal import refuse
from freehold.specs.rules import CHAPTERS, RULE_OF

Cell = tuple[State, Row]
BLOCK = re.compile(r"(<!-- begin (\w+) ([^>]+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def table_named(name: str) -> Table:
    """Return the table with this name, or say which there are."""
    for table in TABLES:
        if table.name == name:
            return table
    refuse(f"there is no table {name!r}; there are {', '.join(table.name for table in TABLES)}", "docs")


# ------------------------------------------------------------------ the blocks


def diagram_block(name: str) -> str:
    """Return a table's state diagram."""
    return f"```mermaid\n{table_named(name).mermaid()}\n```"


def states_block(name: str) -> str:
    """Return a table's states with their meanings and what they await."""
    lines = ["| state | meaning | it awaits |", "|---|---|---|"]
    for state in table_named(name).states:
        awaited = ", ".join(f"`{event.__name__}`" for event in state.awaits) or "-"
        lines.append(f"| `{state.name}` | {state.meaning} | {awaited} |")
    return "\n".join(lines)


def rows_block(name: str) -> str:
    """Return a table's rows, those that share a handler as one line; the unreachable ones are left out."""
    table = table_named(name)
    lines = ["| on | in | it may end in | the rule, and the function that is it |", "|---|---|---|---|"]
    for event in table.events:
        for cells in grouped(table, event):
            row = cells[0][1]
            if not row.never:
                rule = first_line(row.why) + (f" `{row.run.__name__}`" if row.run else "")
                lines.append(f"| `{event.__name__}` | {names([s for s, _ in cells])} | {ends(cells)} | {rule} |")
    return "\n".join(lines)


def grouped(table: Table, event: type[Event]) -> list[list[Cell]]:
    """Return the cells of an event, those with the same handler or the same reason together."""
    found: dict[tuple[object, str], list[Cell]] = {}
    for (state, kind), row in table.rows.items():
        if kind is event:
            found.setdefault((row.run or row.never, row.why), []).append((state, row))
    return list(found.values())


def ends(cells: list[Cell]) -> str:
    """Return where cells may end: one list if it is the same for all, else one for each state that may be left."""
    if cells[0][1].run is None:
        return "-"
    left = {state: row.to for state, row in cells if row.to}
    if len(left) == len(cells) and len(set(left.values())) == 1:
        return names(cells[0][1].to)
    return "; ".join(f"from `{state.name}`: {names(to)}" for state, to in left.items()) or "the same"


def names(states: Iterable[State]) -> str:
    """Return the names of states as Markdown."""
    return ", ".join(f"`{state.name}`" for state in states)


def first_line(text: str) -> str:
    """Return the first line of a docstring, ended by a full stop."""
    line = text.strip().split("\n", 1)[0]
    return line if line.endswith(".") else f"{line}."


def effects_block(_: str) -> str:
    """Return the effects, with their answers."""
    lines = ["| effect | what the driver does | it answers with |", "|---|---|---|"]
    for effect in EFFECTS:
        answers = ", ".join(f"`{answer.__name__}`" for answer in effect.answers) or "-"
        lines.append(f"| `{effect.__name__}` | {first_line(effect.__doc__ or '')} | {answers} |")
    return "\n".join(lines)


def rules_block(chapter: str) -> str:
    """Return the rules of a chapter: each with its source, the events whose rows it is, and where tests cite it."""
    lines = ["| id | the rule | source | where | tests |", "|---|---|---|---|---|"]
    for rule in CHAPTERS[chapter]:
        where = "<br>".join(f"{table}: {', '.join(events)}" for table, events in rule.events.items()) or "every table"
        files = {citation.test.partition("::")[0] for citation in citations() if citation.rule == rule.id}
        tests = "<br>".join(f"[{Path(file).name}](../{file})" for file in sorted(files))
        lines.append(f"| `{rule.id}` | {rule.text} | {rule.source} | {where} | {tests} |")
    return "\n".join(lines)


def promises_block(when: str) -> str:
    """Return what is promised of every step, of rest or of the end: each with its source, and what checks it."""
    lines = ["| id | the promise | source | invariants | checked by |", "|---|---|---|---|---|"]
    for promise in PROMISES[when]:
        checks = [f"`{check.__name__}`" for check in (*promise.checks, *promise.of_each, *promise.of_two)]
        by = "; ".join([", ".join(checks)] * bool(checks) + [promise.where] * bool(promise.where))
        lines.append(
            f"| `{promise.id}` | {promise.what} | {promise.source} | {', '.join(promise.covers) or '-'} | {by} |"
        )
    return "\n".join(lines)


def invariants_block(_: str) -> str:
    """Return what a protocol of shared objects has to keep, and the promises of which each is a part."""
    lines = ["| | the invariant | promises |", "|---|---|---|"]
    promised = [promise for some in PROMISES.values() for promise in some]
    for number, what in INVARIANTS.items():
        kept = ", ".join([f"`{promise.id}`" for promise in promised if number in promise.covers])
        lines.append(f"| {number} | {what} | {kept} |")
    return "\n".join(lines)


def situations_block(_: str) -> str:
    """Return what sometimes happens on walks, and by which rows it is known."""
    lines = ["| the situation | one of these rows |", "|---|---|"]
    return "\n".join(
        [*lines, *[f"| {what} | {', '.join(f'`{row}`' for row in rows)} |" for what, rows in SOMETIMES.items()]]
    )


def output_block(argument: str) -> str:
    """Return an example's golden output, or (``name 7``) the part of it that begins with ``7.``."""
    name, _, part = argument.partition(" ")
    lines = (ROOT / "examples" / f"{name}.out").read_text("utf-8").splitlines()
    if part:
        heads = [index for index, line in enumerate(lines) if re.match(r"\d+\. |That ", line)]
        start = next(index for index in heads if lines[index].startswith(f"{part}. "))
        lines = lines[start : next(index for index in [*heads, len(lines)] if index > start)]
    return "\n".join(["```text", *lines, "```"])


def situation_block(name: str) -> str:
    """Return what explain says of one of the situations of its tests."""
    text = (ROOT / "tests" / "explain" / f"{name}.txt").read_text("utf-8")
    return f"```text\n{text.rstrip()}\n```"


def counterexample_block(borrower_death: str) -> str:
    """Return the first thing that goes wrong under a rule when borrowers may die: the program, and the diagram."""
    from freehold.specs.explorer.bounds import Bounds
    from freehold.specs.explorer.commands import policy_of
    from freehold.specs.explorer.models import gone_through

    row = gone_through(Bounds("", deaths=1), policy_of(borrower_death, ""))
    (what, told), *_ = row.wrong
    return "\n".join(["```text", *told.program, "", *told.diagram, "", what, "```"])


BLOCKS: dict[str, Callable[[str], str]] = {
    "diagram": diagram_block,
    "states": states_block,
    "rows": rows_block,
    "effects": effects_block,
    "rules": rules_block,
    "promises": promises_block,
    "invariants": invariants_block,
    "situations": situations_block,
    "counterexample": counterexample_block,
    "output": output_block,
    "situation": situation_block,
}


def rewritten(text: str) -> str:
    """Return a page with its generated blocks made again."""
    return BLOCK.sub(lambda found: f"{found[1]}{BLOCKS[found[2]](found[3])}\n{found[4]}", text)


def pages() -> list[Path]:
    """Return the pages of the manual."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def stale_pages() -> list[Path]:
    """Return the pages whose generated blocks are not what they should be."""
    return [page for page in pages() if rewritten(text := page.read_text("utf-8")) != text]


# ------------------------------------------------------------------ the commands


def diagram(
    table: Annotated[str, typer.Argument(help="A table, such as ownership.")] = "",
    write: Annotated[bool, typer.Option("--write", help="Make the generated blocks in docs/ again.")] = False,
) -> None:
    """freehold docs diagram resolution

    Print the state diagram of a table as Mermaid text; or, with --write, make all generated blocks in docs/ again.
    """
    if table:
        typer.echo(table_named(table).mermaid())
    if write:
        if not (ROOT / "docs").is_dir():
            refuse("--write needs a checkout of the sources: the installed package has no docs", "docs")
        for page in stale_pages():
            page.write_text(rewritten(page.read_text("utf-8")), "utf-8")
            typer.echo(f"wrote {page.relative_to(ROOT)}")
    elif not table:
        refuse(f"name a table, or give --write; there are {', '.join(t.name for t in TABLES)}", "docs")


def row(
    state: Annotated[str, typer.Argument(help="A state, such as PULLING.")],
    event: Annotated[str, typer.Argument(help="An event, such as PullReply.")],
) -> None:
    """freehold docs row PULLING PullReply

    Print what happens when an event meets a record in a state: the rule, where the record may end, where the code is,
    and the tests that cite the rule.
    """
    found = [
        (table, cell)
        for table in TABLES
        for (a, b), cell in table.rows.items()
        if (a.name, b.__name__) == (state.upper(), event)
    ]
    for table, cell in found:
        typer.echo(row_in_words(table, state.upper(), event, cell))
    if not found:
        refuse(f"no table has a row for {state.upper()} and {event}", "docs")


def row_in_words(table: Table, state: str, event: str, cell: Row) -> str:
    """Return one row as a reader wants it: what happens, the rule, its source, and the tests that cite it."""
    rule = RULE_OF[table.name, event]
    tests = [each.test for each in citations() if each.rule == rule.id and each.row in ("", f"{state} {event}")]
    lines = [happens(table, state, event, cell), f"rule {rule.id}: {rule.text}", f"source: {rule.source}"]
    return "\n  ".join([*lines, *[f"test {name}" for name in tests]])


def happens(table: Table, state: str, event: str, cell: Row) -> str:
    """Return what a row does, and where."""
    ends = ", ".join(after.name for after in cell.to) or f"{state}, as before"
    if cell.run is None:
        what = "cannot happen" if cell.never else "changes nothing"
        return f"{table.name}: {state} on {event} {what}\n  {first_line(cell.why)}"
    code = cell.run.__code__
    place = Path(code.co_filename).resolve()
    shown = place.relative_to(ROOT) if place.is_relative_to(ROOT) else place
    return (
        f"{table.name}: {state} on {event} may end in {ends}\n  {first_line(cell.why)}\n"
        f"  {code.co_name}, {shown}:{code.co_firstlineno}"
    )


def register(app: typer.Typer) -> None:
    """Add the commands of the manual."""
    docs = typer.Typer(no_args_is_help=True, help="The tables of the protocol, and the manual made from them.")
    docs.command()(diagram)
    docs.command()(row)
    app.add_typer(docs, name="docs")
