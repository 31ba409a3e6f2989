"""ObjectRef: the handle.  Pickling it is lending it, its deletion is an event, and it is compared by identity.

There is one instance for each object and process, so Python's own count of it is the local reference count, and
only its first and last moment are told to the core.  ``__del__`` takes no lock and sends nothing.
"""

from __future__ import annotations

from collections.abc import Generator
from types import CodeType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from freehold.core import serde
from freehold.core.errors import OutOfBandReferenceError
from freehold.core.ids import object_name

if TYPE_CHECKING:
    import asyncio
    import concurrent.futures

    from freehold.core.session import Session

T = TypeVar("T", covariant=True)


class ObjectRef(Generic[T]):
    """A reference to an immutable value somewhere in the cluster.

    It can be passed as an argument, stored inside values, returned, and resolved with ``freehold.get`` or
    ``await``.  It cannot be pickled outside freehold, where nobody could count it.
    """

    __slots__ = ("__weakref__", "_code", "_dying", "_id", "_instruction", "_session", "_task")
    _code: CodeType  # where it was made, and by the call of which task: set by callsites.mark, or never
    _instruction: int
    _task: str

    def __init__(self, id: int, session: Session) -> None:
        self._id = id
        self._session = session
        self._dying = False

    def __del__(self) -> None:
        self._dying = True  # until this method has returned a weak reference still finds us
        try:
            self._session.dropped.append(self._id)
        except AttributeError:  # an interrupt came before the first line of __init__: nobody has seen us
            return

    def __reduce__(self) -> tuple[Any, ...]:
        self._session.check_open(self)
        if not serde.note(self._id, self):
            raise OutOfBandReferenceError(f"{self!r} was pickled outside freehold", object=object_name(self._id))
        return adopted, (self._session.nonce, self._id)

    def __repr__(self) -> str:
        from freehold.core.look import line

        return line(self)

    def _repr_html_(self) -> str:
        from freehold.core.portraits import html

        return html(self)

    if not TYPE_CHECKING:  # a type checker knows better what there is

        def __getattr__(self, name: str) -> Any:
            """Say what to do to who takes a reference for its value; protocols that ask politely hear a plain no."""
            advice = "" if name.startswith("_") else f": it is a reference, its value is freehold.get(ref).{name}"
            raise AttributeError(f"'ObjectRef' object has no attribute {name!r}{advice}", name=name, obj=self)

    def hex(self) -> str:
        """Return the object's name as 56 hexadecimal digits."""
        return self.binary().hex()

    def binary(self) -> bytes:
        """Return the object's name as 28 bytes: the session's nonce (16), zeros (4), owner and number (8)."""
        return self._session.nonce + bytes(4) + self._id.to_bytes(8, "big")

    def future(self) -> concurrent.futures.Future[T]:
        """Return a future of the value; cancelling it does not cancel the task."""
        return self._session.future(self)

    def __await__(self) -> Generator[Any, None, T]:
        import asyncio

        return asyncio.wrap_future(self._session.future(self)).__await__()

    def as_future(self) -> asyncio.Future[T]:
        """Return an asyncio future of the value, in the running loop."""
        import asyncio

        return asyncio.wrap_future(self._session.future(self))


def adopted(nonce: bytes, id: int) -> Any:
    """Rebuild a reference in the process that unpickles it."""
    adopt = serde.adopter()
    if adopt is None:
        raise OutOfBandReferenceError(
            f"a reference to {object_name(id)} was unpickled outside freehold", object=object_name(id)
        )
    return adopt(nonce, id)
