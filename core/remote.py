"""Remote functions: what ``@remote`` makes of a function, and the options of a call.

The type of a remote function is that of the function itself, beside what ``.remote(...)`` returns.  The first eight
arguments may be given by position as values or as references; others, and those given by name, are checked as
values.  ``docs/defense.md`` says why.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Generic,
    Literal,
    ParamSpec,
    Protocol,
    TypeAlias,
    TypedDict,
    TypeVar,
    Unpack,
    overload,
)
from weakref import WeakSet

import msgspec

from freehold.core import cluster, serde
from freehold.core.callsites import mark
from freehold.core.errors import NotSupported, SessionError
from freehold.core.freshness import Uses, uses_of
from freehold.core.refs import ObjectRef
from freehold.core.session import Session

P = ParamSpec("P")
R = TypeVar("R")
Function = TypeVar("Function", bound=Callable[..., Any], covariant=True)
Out = TypeVar("Out", covariant=True)  # what .remote() returns
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")
F = TypeVar("F")
G = TypeVar("G")
H = TypeVar("H")
Argument: TypeAlias = A | ObjectRef[A]
Returned = TypeVar("Returned", covariant=True)
Several = Literal[2, 3, 4, 5, 6, 7, 8, 9, 10]
Refs = list[ObjectRef[Any]]
CO_COROUTINE, CO_ASYNC_GENERATOR = 0x80, 0x200  # as in inspect, which takes long to import


def is_number(value: object) -> bool:
    """Tell whether a value is a finite number, and no bool."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def check_resources(resources: object) -> None:
    """Raise a ValueError unless resources are amounts, 0 or more, by name."""
    if not isinstance(resources, dict):
        raise ValueError(f"resources are a dict of amounts by name, not {resources!r}")
    for name, amount in resources.items():
        if type(name) is not str or not is_number(amount) or amount < 0:
            raise ValueError(f"resources[{name!r}] is a number, 0 or more, not {amount!r}")


class TaskOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a remote function is to be run."""

    num_returns: int = 1
    num_cpus: float = 1
    resources: dict[str, float] = {}
    max_retries: int = 3
    name: str = ""
    node: int | None = None

    def check(self) -> TaskOptions:
        """Return the options, or say which is wrong."""
        if type(self.num_returns) is not int or self.num_returns < 0:
            raise ValueError(f"num_returns is a count of values, 0 or more, not {self.num_returns!r}")
        if not is_number(self.num_cpus) or self.num_cpus < 0:
            raise ValueError(f"num_cpus is a number, 0 or more, not {self.num_cpus!r}")
        if type(self.max_retries) is not int or self.max_retries < -1:
            raise ValueError(f"max_retries is a count, or -1 for no limit, not {self.max_retries!r}")
        if self.node is not None and (type(self.node) is not int or self.node < 0):
            raise ValueError(f"node is an index, counted from 0, the head node, not {self.node!r}")
        if type(self.name) is not str:
            raise ValueError(f"name is a string, not {self.name!r}")
        check_resources(self.resources)
        return self

    def shape(self) -> tuple[tuple[str, float], ...]:
        """Return the resources that the task occupies, sorted by name, none of them zero."""
        wanted = {"CPU": float(self.num_cpus), **{name: float(amount) for name, amount in self.resources.items()}}
        if self.node is not None:
            wanted[f"node:{self.node}"] = 0.001
        return tuple(sorted((name, amount) for name, amount in wanted.items() if amount))


class Settings(TypedDict, total=False):
    """The options of a remote function that do not change what ``remote`` returns."""

    num_cpus: float
    resources: dict[str, float]
    max_retries: int
    name: str
    node: int | None


def updated(options: TaskOptions, changes: dict[str, Any]) -> TaskOptions:
    """Return options with some changed, or say which are unknown."""
    known = TaskOptions.__struct_fields__
    for name in changes:
        if name not in known:
            raise ValueError(f"{name!r} is not an option of a remote function; there are {', '.join(known)}")
    return msgspec.structs.replace(options, **changes).check()


class Exported:
    """A function as an object of the current session: put once, by whoever defined or received it."""

    def __init__(self, function: Callable[..., Any] | None, name: str, ref: ObjectRef[Any] | None = None) -> None:
        self.function = function  # None where it has only been received
        self.name = name
        self.ref = ref
        self.busy = False  # it is being pickled: inside, it means itself
        self.uses = Uses()  # what it and what travels with it looked up, when it was put
        EXPORTED.add(self)

    def put(self, session: Session) -> ObjectRef[Any]:
        """Return the object that is the function in this session."""
        ref = self.ref
        if ref is not None and ref._session is session and not session.closed and self.uses.same():
            return ref
        if self.function is None:
            raise SessionError(f"the cluster of the remote function {self.name} was shut down")
        self.busy = True
        try:
            self.uses = uses_of(self.function)
            self.ref = ref = session.put_payload(serde.serialize_function(self.function))
        finally:
            self.busy = False
        return ref

    def usable(self) -> bool:
        """Tell whether the reference can travel in place of the function."""
        return self.ref is not None and not self.busy and not self.ref._session.closed and self.uses.same()


EXPORTED: WeakSet[Exported] = WeakSet()  # all of this process


def exported_functions() -> list[int]:
    """Return the functions that this process has put or received: they live as long as anything that calls them."""
    refs = [exported.ref for exported in list(EXPORTED)]
    return [ref._id for ref in refs if ref is not None and not ref._session.closed]


class RemoteFunction(Generic[Function, Out]):
    """A function whose calls are tasks.  ``f.remote(...)`` submits one; ``f.options(...)`` changes how."""

    def __init__(
        self, function: Callable[..., Any] | None, options: TaskOptions, exported: Exported | None = None
    ) -> None:
        refuse_coroutines(function)
        self._options = options
        self._shape = options.shape()
        name = getattr(function, "__qualname__", repr(function)) if exported is None else exported.name
        self._exported = exported or Exported(function, name)
        self._name = options.name or name
        if function is not None:
            functools.update_wrapper(self, function)  # type: ignore[arg-type]  # not called, but it looks the same

    # fmt: off
    @overload
    def remote(self: RemoteFunction[Callable[P, Any], Out], *args: P.args, **kwargs: P.kwargs) -> Out: ...
    @overload
    def remote(
        self: RemoteFunction[Callable[Concatenate[A, P], Any], Out],
        a: Argument[A], /, *args: P.args, **kwargs: P.kwargs,
    ) -> Out: ...
    @overload
    def remote(
        self: RemoteFunction[Callable[Concatenate[A, B, P], Any], Out],
        a: Argument[A], b: Argument[B], /, *args: P.args, **kwargs: P.kwargs,
    ) -> Out: ...
    @overload
    def remote(
        self: RemoteFunction[Callable[Concatenate[A, B, C, P], Any], Out],
        a: Argument[A], b: Argument[B], c: Argument[C], /, *args: P.args, **kwargs: P.kwargs,
    ) -> Out: ...
    @overload
    def remote(
        self: RemoteFunction[Callable[Concatenate[A, B, C, D, P], Any], Out],
        a: Argument[A], b: Argument[B], c: Argument[C], d: Argument[D], /, *args: P.args, **kwargs: P.kwargs,
    ) -> Out: ...
    @overload
    def remote(
        self: RemoteFunction[Callable[Concatenate[A, B, C, D, E, P], Any], Out],
        a: Argument[A], b: Argument[B], c: Argument[C], d: Argument[D], e: Argument[E],
        /, *args: P.args, **kwargs: P.kwargs,
    ) -> Out: ...
    @overload
    def remote(
        self: RemoteFunction[Callable[Concatenate[A, B, C, D, E, F, P], Any], Out],
        a: Argument[A], b: Argument[B], c: Argument[C], d: Argument[D], e: Argument[E],
        f: Argument[F], /, *args: P.args, **kwargs: P.kwargs,
    ) -> Out: ...
    @overload
    def remote(
        self: RemoteFunction[Callable[Concatenate[A, B, C, D, E, F, G, P], Any], Out],
        a: Argument[A], b: Argument[B], c: Argument[C], d: Argument[D], e: Argument[E],
        f: Argument[F], g: Argument[G], /, *args: P.args, **kwargs: P.kwargs,
    ) -> Out: ...
    @overload
    def remote(
        self: RemoteFunction[Callable[Concatenate[A, B, C, D, E, F, G, H, P], Any], Out],
        a: Argument[A], b: Argument[B], c: Argument[C], d: Argument[D], e: Argument[E],
        f: Argument[F], g: Argument[G], h: Argument[H], /, *args: P.args, **kwargs: P.kwargs,
    ) -> Out: ...
    @overload  # for f.remote(*refs), where f takes any number of arguments
    def remote(self: RemoteFunction[Callable[[A], Any], Out], a: Argument[A], /) -> Out: ...
    # fmt: on
    def remote(self: Any, *args: Any, **kwargs: Any) -> Any:  # type: ignore[misc]  # each signature is part of it
        """Submit a task; return a reference to its value, a list of them, or None, as ``num_returns`` says."""
        session = cluster.engine()
        options = self._options
        refs = session.submit(
            self._exported.put(session), self._name, args, kwargs, options.num_returns, self._shape, options.max_retries
        )
        if session.call_sites:
            for ref in refs:
                mark(ref, self._name)
        if options.num_returns == 1:
            return refs[0]
        return refs or None

    @overload
    def options(self, **changes: Unpack[Settings]) -> RemoteFunction[Function, Out]: ...
    @overload
    def options(
        self: RemoteFunction[Callable[P, R], Any], *, num_returns: Literal[1], **changes: Unpack[Settings]
    ) -> RemoteFunction[Callable[P, R], ObjectRef[R]]: ...
    @overload
    def options(self, *, num_returns: Literal[0], **changes: Unpack[Settings]) -> RemoteFunction[Function, None]: ...
    @overload
    def options(self, *, num_returns: Several, **changes: Unpack[Settings]) -> RemoteFunction[Function, Refs]: ...
    @overload
    def options(self, *, num_returns: int, **changes: Unpack[Settings]) -> RemoteFunction[Function, Any]: ...
    def options(self, **changes: Any) -> RemoteFunction[Any, Any]:
        """Return the same remote function with other options; the function itself is not sent again."""
        return RemoteFunction(self._exported.function, updated(self._options, changes), self._exported)

    def __reduce__(self) -> tuple[Any, ...]:
        exported = self._exported
        if exported.usable():
            return arrived, (exported.ref, self._options, exported.name)
        return RemoteFunction, (exported.function, self._options)

    if not TYPE_CHECKING:  # a type checker refuses the call as well

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            name = self._name
            raise TypeError(f"{name} is a remote function: call {name}.remote(...), which returns a reference")

    def __repr__(self) -> str:
        return f"<remote function {self._name}>"


def refuse_coroutines(function: Any) -> None:
    """Raise if calling a function would only make a coroutine, which nobody would run."""
    code = getattr(function, "__code__", None)
    if code is not None and code.co_flags & (CO_COROUTINE | CO_ASYNC_GENERATOR):
        raise NotSupported(
            f"@remote on the coroutine function {function.__qualname__}: make it a plain function, in which"
            " asyncio.run(...) may run coroutines; references are awaited where .remote(...) is called"
        )


def arrived(ref: ObjectRef[Any], options: TaskOptions, name: str) -> RemoteFunction[Any, Any]:
    """Rebuild a remote function in a process that received it: its body stays where it was put."""
    return RemoteFunction(None, options, Exported(None, name, ref))


class Decorator1(Protocol):
    """``@remote(...)`` of a function that returns one value."""

    def __call__(self, function: Callable[P, R], /) -> RemoteFunction[Callable[P, R], ObjectRef[R]]: ...


class Decorator(Protocol[Returned]):
    """``@remote(num_returns=...)`` of a function whose values are objects of their own."""

    def __call__(self, function: Callable[P, R], /) -> RemoteFunction[Callable[P, R], Returned]: ...


@overload
def remote(function: Callable[P, R], /) -> RemoteFunction[Callable[P, R], ObjectRef[R]]: ...
@overload
def remote(*, num_returns: Literal[1] = 1, **options: Unpack[Settings]) -> Decorator1: ...
@overload
def remote(*, num_returns: Literal[0], **options: Unpack[Settings]) -> Decorator[None]: ...
@overload
def remote(*, num_returns: Several, **options: Unpack[Settings]) -> Decorator[Refs]: ...
@overload
def remote(*, num_returns: int, **options: Unpack[Settings]) -> Decorator[Any]: ...
def remote(*args: Any, **options: Any) -> Any:
    """Make a function remote: ``@remote`` or ``@remote(num_returns=2, num_cpus=1, resources={...}, max_retries=3)``."""
    if len(args) == 1 and not options and callable(args[0]):
        return made_remote(args[0], TaskOptions())
    if args:
        raise TypeError("use @remote, or @remote(...) with named options such as num_returns=2")
    chosen = updated(TaskOptions(), options)
    return lambda function: made_remote(function, chosen)


def made_remote(function: Callable[..., Any], options: TaskOptions) -> RemoteFunction[Any, Any]:
    """Return the remote function, or say why there is none."""
    if isinstance(function, type):
        raise NotSupported(f"@remote on the class {function.__name__}: freehold has no actors yet; use functions")
    if isinstance(function, RemoteFunction) or not callable(function):
        raise TypeError(f"@remote wants a plain function, not {function!r:.80}")
    return RemoteFunction(function, options)
