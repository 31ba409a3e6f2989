"""Random programs on remote objects, as text: for Hypothesis to draw, to make shorter, and to print when one fails.

A program puts, calls, gets, nests, takes out, changes its own copies, drops and raises, in tasks that call tasks.  It
looks neither at time nor at processes, so that ``oracle.py`` knows what it gives, and every backend must give the same.

Refuses to know what a program is run on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis.strategies import DrawFn, composite, integers, sampled_from

__all__ = ["programs"]

DEPTH_MAX = 3  # of tasks that call tasks
LENGTHS = (0, 10, 50_000, 150_000)  # bytes: some stay with their owner, some are promoted


class Plain:
    """The type of a value without references inside."""


class Of:
    """The type of a reference; what it refers to is the same for ever."""

    def __init__(self, to: Any) -> None:
        self.to = to


Type = Any  # Plain, Of, or a list of types, which the program may change


def taken(kind: Type) -> Type:
    """Return the type of a copy."""
    return [taken(each) for each in kind] if isinstance(kind, list) else kind


class Body:
    """The body of a function while it is being written.

    Args:
        program: what it is part of.
        parameters: the types of its arguments, by name.
        depth: of calls that may still be made from it.
    """

    def __init__(self, program: Text, parameters: dict[str, Type], depth: int) -> None:
        self.program = program
        self.names = dict(parameters)
        self.depth = depth
        self.lines: list[str] = []

    def pick(self, *kinds: type) -> str:
        """Return a variable of one of these types; "" if there is none."""
        found = [name for name, kind in self.names.items() if isinstance(kind, kinds)]
        return self.program.draw(sampled_from(found)) if found else ""

    def new(self, kind: Type) -> str:
        """Return the name of a new variable."""
        self.program.variables += 1
        name = f"v{self.program.variables}"
        self.names[name] = kind
        return name

    def say(self, line: str) -> None:
        """Write a line."""
        self.lines.append(f"    {line}")

    # ------------------------------------------------------------------ statements

    def plain(self) -> None:
        """Write down a value."""
        draw = self.program.draw
        length = draw(sampled_from(LENGTHS))
        value = f"b'{draw(sampled_from('abc'))}' * {length}" if length else str(draw(integers(0, 9)))
        self.say(f"{self.new(Plain())} = {value}")

    def gather(self) -> None:
        """Make a list of variables."""
        names = [name for name in (self.pick(object), self.pick(object)) if name]
        kinds = [self.names[name] for name in names]
        self.say(f"{self.new(kinds)} = [{', '.join(names)}]")

    def put(self) -> None:
        """Put a value that is no reference."""
        if name := self.pick(Plain, list):
            kind = Of(taken(self.names[name]))
            self.say(f"{self.new(kind)} = freehold.put({name})")

    def get(self) -> None:
        """Get one value."""
        if name := self.pick(Of):
            kind = taken(self.names[name].to)
            self.say(f"{self.new(kind)} = freehold.get({name})")

    def get_two(self) -> None:
        """Wait for a value, and get it with another by one call; both may be the same."""
        a, b = self.pick(Of), self.pick(Of)
        if a and b:
            self.say(f"freehold.wait([{a}], num_returns=1)")
            kinds = [taken(self.names[name].to) for name in (a, b)]
            self.say(f"{self.new(kinds)} = freehold.get([{a}, {b}])")

    def take_out(self) -> None:
        """Take something out of a list."""
        name = self.pick(list)
        if name and self.names[name]:
            index = self.program.draw(integers(0, len(self.names[name]) - 1))
            kind = self.names[name][index]
            self.say(f"{self.new(kind)} = {name}[{index}]")

    def change(self) -> None:
        """Change a list, of which others may have copies."""
        if name := self.pick(list):
            self.names[name].append(Plain())
            self.say(f"{name}.append({self.program.draw(integers(0, 9))})")

    def drop(self) -> None:
        """Forget a variable."""
        if name := self.pick(Of, list):
            del self.names[name]
            self.say(f"del {name}")

    def fail(self) -> None:
        """Raise an error, perhaps."""
        self.say(f"if {self.program.draw(sampled_from((False, False, True)))}:")
        self.say(f"    raise ValueError({self.program.draw(integers(0, 9))})")

    def call(self) -> None:
        """Call a new remote function."""
        if self.depth:
            names = [name for name in (self.pick(object), self.pick(object)) if name]
            kinds = [self.names[name] for name in names]
            arrive = [taken(kind.to) if isinstance(kind, Of) else taken(kind) for kind in kinds]
            function, returned = self.program.function(arrive, self.depth - 1)
            called = f"{function}.remote({', '.join(names)})"
            new = [self.new(Of(kind)) for kind in returned]
            self.say(f"{', '.join(new)} = {called}")


STATEMENTS: tuple[Callable[[Body], None], ...] = (
    *(Body.plain, Body.gather, Body.put, Body.put, Body.get, Body.get_two, Body.take_out),
    *(Body.change, Body.drop, Body.fail, Body.call, Body.call, Body.call),
)


class Text:
    """A program while it is being written."""

    def __init__(self, draw: DrawFn) -> None:
        self.draw = draw
        self.functions: list[str] = []
        self.variables = 0

    def body(self, parameters: dict[str, Type], depth: int) -> Body:
        """Write a body."""
        body = Body(self, parameters, depth)
        for _ in range(self.draw(integers(0, 8))):
            self.draw(sampled_from(STATEMENTS))(body)
        return body

    def function(self, arrive: list[Type], depth: int) -> tuple[str, list[Type]]:
        """Write a remote function that takes such arguments; return its name, and the types of what it returns."""
        name = f"f{len(self.functions)}"
        self.functions.append("")  # those that it calls come behind it
        place = len(self.functions) - 1
        parameters = {f"a{index}": kind for index, kind in enumerate(arrive)}
        body = self.body(parameters, depth)
        returns = self.draw(sampled_from((1, 1, 2)))
        names = [self.returned(body) for _ in range(returns)]
        head = f"@freehold.remote(num_returns={returns})\ndef {name}({', '.join(parameters)}):"
        said = [taken(body.names[name]) for name in names]
        self.functions[place] = "\n".join([head, *body.lines, f"    return {', '.join(names)}"])
        return name, said

    def returned(self, body: Body) -> str:
        """Return a variable of a body that can be returned."""
        name = body.pick(object)
        if not name:
            body.plain()
            name = body.pick(object)
        return name


@composite
def programs(draw: DrawFn) -> str:
    """Draw the text of a program; it defines ``main()``, and its results are what is left in the variables of that."""
    text = Text(draw)
    body = text.body({}, DEPTH_MAX)
    main = "\n".join(["def main():", *body.lines, f"    return [{', '.join(body.names)}]"])
    return "\n\n\n".join([*text.functions, main]) + "\n"
