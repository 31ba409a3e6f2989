"""Call sites: where in a program's text a reference was made, for whoever asks later.

What is recorded lies in the reference and dies with it: a code object and the place in it.  No frame is kept, and
so no variable of the user's; words are made on demand.  ``init(call_sites=False)``, or FREEHOLD_CALL_SITES=0 in
the environment, turns it off.
"""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Iterable, Iterator
from sys import _getframe
from types import CodeType
from typing import Any

from freehold.core.refs import ObjectRef


def mark(ref: ObjectRef[Any], task: str = "") -> None:
    """Note that the caller of the function that calls this one has made a reference, by a call of ``task``.

    The public functions call this, so there is no stack to be searched: whoever called them is the user.
    """
    try:
        caller = _getframe(2)
    except ValueError:  # the interpreter itself has called it, as it does at its end
        return
    ref._code = caller.f_code
    ref._instruction = caller.f_lasti  # f_lineno would search the code's table of lines
    ref._task = task


def site(ref: ObjectRef[Any]) -> str | None:
    """Return where a reference was made, as in ``train.py:14 in main``; None if this was not recorded here."""
    code = getattr(ref, "_code", None)
    if code is None:
        return None
    where = f"{file_name(code)}:{line_of(code, ref._instruction)}"
    return where if code.co_name == "<module>" else f"{where} in {code.co_qualname}"


def task_name(ref: ObjectRef[Any]) -> str:
    """Return the name of the task whose value a reference stands for, "" if that is not known here."""
    return getattr(ref, "_task", "")


def file_name(code: CodeType) -> str:
    """Return the last part of a file's name, or what a notebook calls the cell."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    cell = shell.compile.format_code_name(code.co_filename) if shell is not None else None
    return str(cell[1]) if cell else os.path.basename(code.co_filename)


def line_of(code: CodeType, instruction: int) -> int:
    """Return the line on which an instruction of some code was written."""
    lines = (line for start, end, line in code.co_lines() if start <= instruction < end and line)
    return next(lines, code.co_firstlineno)


def sites(refs: dict[int, weakref.ref[ObjectRef[Any]]], names: Iterable[int]) -> Iterator[tuple[int, str, str]]:
    """Yield (object, call site, task) for those of the objects of which a process has made references."""
    for name in names:
        known = refs.get(name)
        ref = known() if known is not None else None
        where = site(ref) if ref is not None else None
        if ref is not None and (where or task_name(ref)):
            yield name, where or "", task_name(ref)
