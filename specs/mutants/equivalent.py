"""Mutants that do something else than their rows, to no effect that anybody could notice: which, and why.

Each reason is for all mutants whose name its pattern fits.  A mutant that is found for all that was not so.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freehold.specs.mutants.faults import Mutant

EQUIVALENT: dict[str, str] = {}


def reason(mutant: Mutant) -> str:
    """Return why a mutant is as good as its row, "" if there is no reason."""
    name = str(mutant)
    return next((why for pattern, why in EQUIVALENT.items() if fnmatchcase(name, pattern)), "")
