"""What has happened before a search begins: acts in words, like "0 calls 1", done one after the other.

A model of few acts can so begin where a long story has led, and be searched in every order from there.
Refuses to know what follows from an act.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from freehold.specs.explorer.parties import Act

WORDS: dict[str, Callable[[Any], bool]] = {  # after the number of a process: which of its acts is meant
    "puts": lambda what: what[0] == "put" and not what[2],
    "nests": lambda what: what[0] == "put" and bool(what[2]),  # what it has put last, or got
    "drops": lambda what: what[0] == "drop",  # what it has had longest
    "calls": lambda what: what[0] == "call" and bool(what[3]) and not what[5],  # a number of a process behind it
    "gets": lambda what: what[0] == "get" and what[2] < 0,  # without a timeout
    "reads": lambda what: what[0] == "read",  # what it can read without a get
    "keeps": lambda what: what[0] == "end" and bool(what[1]),
}


def process_of(words: str, processes: int) -> int:
    """Return whose act is asked for, of so many processes.

    Raises:
        ValueError: nobody understands the words.
    """
    who, what, whom = [*words.split(), "", "", ""][:3]
    numbers = [who, whom] if what == "calls" else [who]
    known = all(number.isdigit() and int(number) < processes for number in numbers)
    if not known or what not in WORDS or len(words.split()) != 1 + len(numbers):
        wanted = f"the number of one of {processes} processes, from 0 on, and {', '.join(WORDS)}"
        raise ValueError(f"{words!r} is no act; an act is {wanted}, as in '0 calls 1'")
    return int(who)


def chosen(words: str, acts: Iterable[Act], names: Sequence[int]) -> Act:
    """Return the act that the words ask for, of those that may be done.

    Args:
        words: what is asked for.
        acts: of the process whose act it is to be.
        names: of all processes.

    Raises:
        ValueError: it cannot be done.
    """
    _, what, *whom = words.split()
    meant = [act for act in acts if WORDS[what](act.what)]
    if whom:
        meant = [act for act in meant if act.what[2] == names[int(whom[0])]]
    if not meant:
        raise ValueError(f"{words!r} cannot be done then")
    return meant[0 if what == "drops" else -1]
