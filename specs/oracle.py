"""What a program ought to give: the API of freehold on one page, with neither processes nor messages nor counting.

A task runs when it is called, and every value that passes from one call to another is a copy.  A program that does not
look at time, at processes or at the order of what runs at once has the same values and errors here as on any backend.

Refuses to know the protocol, so that nothing in ``core`` can make it wrong.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["Oracle", "expected", "outcome", "play"]


class Ref:
    """A reference: the value or the error that it stands for."""

    def __init__(self, value: Any = None, error: Exception | None = None) -> None:
        self.value = value
        self.error = error

    def __deepcopy__(self, memo: dict[int, Any]) -> Ref:
        return self


class Function:
    """A remote function."""

    def __init__(self, function: Callable[..., Any], num_returns: int) -> None:
        self.function = function
        self.num_returns = num_returns

    def remote(self, *arguments: Any) -> Any:
        """Run it here and now; return what stands for its results."""
        failed = [each for each in arguments if isinstance(each, Ref) and each.error is not None]
        try:
            if failed:
                raise failed[0].error  # type: ignore[misc]
            sent = copy.deepcopy(arguments)
            result = self.function(*[copy.deepcopy(each.value) if isinstance(each, Ref) else each for each in sent])
        except Exception as error:
            refs = [Ref(error=error) for _ in range(self.num_returns)]
        else:
            refs = [Ref(copy.deepcopy(each)) for each in ((result,) if self.num_returns == 1 else result)]
        return refs[0] if self.num_returns == 1 else refs


class Oracle:
    """Stands in for the module ``freehold`` in a program."""

    ObjectRef = Ref

    def put(self, value: Any) -> Ref:
        """Return a reference to a copy."""
        return Ref(copy.deepcopy(value))

    def get(self, refs: Ref | Sequence[Ref]) -> Any:
        """Return copies, or raise the first error."""
        if not isinstance(refs, Ref):
            return [self.get(ref) for ref in refs]
        if refs.error is not None:
            raise refs.error
        return copy.deepcopy(refs.value)

    def wait(self, refs: Sequence[Ref], num_returns: int) -> tuple[list[Ref], list[Ref]]:
        """Everything is ready."""
        return list(refs[:num_returns]), list(refs[num_returns:])

    def remote(self, num_returns: int) -> Callable[[Callable[..., Any]], Function]:
        """Make a remote function."""
        return lambda function: Function(function, num_returns)


# ------------------------------------------------------------------ programs as text


def play(source: str, freehold: Any) -> Any:
    """Run a program that defines ``main()`` on whatever ``freehold`` is; return what its results come to.

    Args:
        source: its text.  It finds ``freehold`` as a global.
        freehold: the module, with a cluster running; or an ``Oracle``.
    """
    space: dict[str, Any] = {"freehold": freehold, "__name__": "__main__"}
    exec(compile(source, "<program>", "exec"), space)
    try:
        return outcome(space["main"](), freehold)
    except Exception as error:
        return told(error)


def expected(source: str) -> Any:
    """Return what a program's results ought to come to."""
    return play(source, Oracle())


def outcome(value: Any, freehold: Any) -> Any:
    """Return what can be compared: a value in which each reference is what it stands for."""
    if isinstance(value, freehold.ObjectRef):
        try:
            return {"of": outcome(freehold.get(value), freehold)}
        except Exception as error:
            return told(error)
    return [outcome(each, freehold) for each in value] if isinstance(value, list) else value


def told(error: Exception) -> Any:
    """Return the error that a task has raised, whoever has passed it on since."""
    while getattr(error, "original", None) is not None:
        error = error.original  # type: ignore[attr-defined]
    return {"raised": [type(error).__name__, *error.args]}
