"""Grips: where the Python code of this process holds a reference, and the command that lets it go.

Searches from the reference towards names: globals of modules, locals of frames that run, what the interpreter keeps
of the last error.  The work is bounded: so many levels, so many objects on each.  It refuses to know what a reference
is of.
Keep in mind: looking must keep nothing alive, neither a frame nor a snapshot of one's locals.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from types import (
    CellType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    MemberDescriptorType,
    ModuleType,
    TracebackType,
)
from typing import Any, NamedTuple

LEVELS_MAX = 8
LEVEL_OBJECTS_MAX = 200
FRAMES_MAX = 1000
LOCALS_MAX = 100_000
GRIPS_MAX = 8
TEXT_MAX = 40
OPTIMIZED = 1  # a code's flag: its locals are not those of a dictionary
FORGET_LAST = "sys.last_value = sys.last_traceback = sys.last_exc = None"


class Grip(NamedTuple):
    """One way in which Python code of this process holds a reference."""

    where: str  # in words
    drop: str  # a command that lets go, "" if there is none to give

    def __str__(self) -> str:
        return f"{self.where}; let go with: {self.drop}" if self.drop else self.where


class Found(NamedTuple):
    """An object on the way from a name to the reference."""

    thing: Any
    path: str  # from it on to the reference, as Python would write it: ``[3].ref``
    note: str  # what Python could not write


class Search:
    """One search for the grips on one object."""

    def __init__(self, target: object) -> None:
        modules = [(name, m) for name, m in list(sys.modules.items()) if isinstance(m, ModuleType)]
        self.modules = {id(vars(m)): name for name, m in reversed(modules)}  # of several names the first
        self.last = last_frames()
        self.ours: set[int] = {id(self), id(self.__dict__), id(self.modules), id(self.last)}
        self.complete = True
        self.grips: dict[Grip, None] = {}
        self.locals = self.local_names()
        self.seen = {id(target)}
        self.target = target

    def run(self) -> list[Grip]:
        """Return the grips that were found, the nearest first."""
        level = [Found(self.target, "", "")]
        self.ours.add(id(level))
        for depth in range(LEVELS_MAX):
            level = self.step(level)
            if not level or len(self.grips) >= GRIPS_MAX:
                break
            if len(level) > LEVEL_OBJECTS_MAX or depth == LEVELS_MAX - 1:
                self.complete = False
                level = level[:LEVEL_OBJECTS_MAX]
        return list(self.grips)[:GRIPS_MAX]

    def step(self, level: list[Found]) -> list[Found]:
        """Note the names of the objects of one level; return those that refer to them and have none."""
        found: list[Found] = []
        for at in level:
            self.ours |= {id(level), id(found), id(at)}
            for where in self.locals.get(id(at.thing), ()):
                frame, name = where
                self.add(f"the local `{name}{at.path}` of {frame}{at.note}", f"del {name}{at.path}")
            for referrer in gc.get_referrers(at.thing):
                if id(referrer) in self.ours or is_ours(referrer):
                    continue
                if id(referrer) in self.modules:
                    self.globals_of(self.modules[id(referrer)], referrer, at)
                elif id(referrer) not in self.seen:
                    self.seen.add(id(referrer))
                    found += self.follow(referrer, at)
            if len(found) > LEVEL_OBJECTS_MAX:
                break
        return found

    def add(self, where: str, drop: str = "") -> None:
        """Note a grip, once."""
        self.grips[Grip(where, drop)] = None

    # ------------------------------------------------------------------ from one object to those that refer to it

    def follow(self, referrer: Any, at: Found) -> Iterator[Found]:
        """Note the grip, if the search ends here; else yield the referrer, with the path that leads on from it."""
        kind, thing = type(referrer), at.thing
        if kind is dict:
            yield from [Found(referrer, f"[{short(k)}]{at.path}", at.note) for k in keys_of(referrer, thing)]
        elif kind in (list, tuple):
            index = next((i for i, value in enumerate(referrer) if value is thing), 0)
            yield Found(referrer, f"[{index}]{at.path}", at.note)
        elif kind is FrameType:
            self.frame(referrer, at)
        elif kind is FunctionType:
            yield Found(referrer, "", at.note or f" (by way of the function {referrer.__qualname__})")
        elif kind is CellType:
            yield Found(referrer, at.path, at.note)
        elif kind is GeneratorType or kind is CoroutineType:
            if not (getattr(referrer, "gi_running", False) or getattr(referrer, "cr_running", False)):
                self.add(f"a local of {referrer.__qualname__}, which is suspended{at.note}")
        elif kind is TracebackType or isinstance(referrer, BaseException):
            yield Found(referrer, at.path, at.note or f" (in the error {short(referrer)})")
        elif kind.__name__ in ("_lru_list_elem", "_lru_cache_wrapper"):
            yield from self.cache(referrer, at)
        else:
            yield from self.instance(referrer, at)

    def globals_of(self, module: str, names: dict[str, Any], at: Found) -> None:
        """Note the names that a module has for something."""
        for name in [name for name, value in list(names.items()) if value is at.thing]:
            self.add(*in_module(module, str(name), at))

    def frame(self, frame: FrameType, at: Found) -> None:
        """A frame that has ended and is kept, as the traceback of an error keeps it."""
        where = f"a local of {frame.f_code.co_qualname}, line {frame.f_lineno}"
        if id(frame) in self.last:
            self.add(f"{where}, kept by the traceback of {self.last[id(frame)]}", FORGET_LAST)
            return
        holders = [h for h in gc.get_referrers(frame) if type(h) is TracebackType]
        names = [name for trace in holders for name in self.errors_of(trace)]
        self.add(f"{where}, kept by the traceback of {' and '.join(names) or 'an error that is kept'}", drop_of(names))

    def errors_of(self, trace: TracebackType) -> Iterator[str]:
        """Yield the names of variables that keep the error of a traceback."""
        things: list[Any] = [trace]
        self.ours.add(id(things))
        for _ in range(LEVELS_MAX):
            for thing in things:
                yield from [f"`{name}` of {frame}" for frame, name in self.locals.get(id(thing), ())]
            referrers = [r for thing in things for r in gc.get_referrers(thing)]
            self.ours.add(id(referrers))
            things = [
                r
                for r in referrers
                if isinstance(r, BaseException | TracebackType)
                or type(r) is tuple
                or "ExceptionInfo" in type(r).__name__
            ][:LEVEL_OBJECTS_MAX]

    def cache(self, cache: Any, at: Found) -> Iterator[Found]:
        """What ``functools.lru_cache`` keeps."""
        if type(cache).__name__ == "_lru_list_elem":
            wrapper = next((w for w in lru_caches() if cache in gc.get_referents(w) or reaches(w, cache)), None)
        else:
            wrapper = cache
        if wrapper is None:
            self.add("the cache of a function decorated with functools.lru_cache")
        else:
            name = wrapper.__qualname__
            self.add(f"the cache of {name}, decorated with functools.cache or lru_cache", f"{name}.cache_clear()")
        yield from ()

    def instance(self, referrer: Any, at: Found) -> Iterator[Found]:
        """An object with attributes, or of a type that keeps its content to itself."""
        held = getattr(referrer, "__dict__", None)
        names = [name for name, value in held.items() if value is at.thing] if isinstance(held, dict) else []
        slots = [name for k in type(referrer).__mro__ for name in getattr(k, "__slots__", ()) or ()]
        names += [name for name in slots if name[:2] != "__" and getattr_static(referrer, name) is at.thing]
        if held is at.thing and at.path[:2] == "['":  # the dictionary of its attributes
            key, _, rest = at.path[2:].partition("']")
            yield Found(referrer, f".{key}{rest}", at.note)
        elif names:
            yield Found(referrer, f".{names[0]}{at.path}", at.note)
        else:
            kind = type(referrer).__qualname__
            yield Found(referrer, "", at.note or f" (inside a {kind})")

    # ------------------------------------------------------------------ names of locals

    def local_names(self) -> dict[int, list[tuple[str, str]]]:
        """Return, by the identity of its value, every local variable of the frames that run."""
        names: dict[int, list[tuple[str, str]]] = {}
        count = 0
        for frame in running_frames():
            code = frame.f_code
            where = f"{code.co_qualname}, line {frame.f_lineno}"
            snapshot = frame.f_locals
            for name, value in snapshot.items():
                names.setdefault(id(value), []).append((where, name))
            count += len(snapshot)
            let_go(snapshot)
            del snapshot
            if count > LOCALS_MAX:
                self.complete = False
                break
        return names


def running_frames() -> Iterator[FrameType]:
    """Yield the frames of users' functions that run now, on any thread; freehold's own are left out."""
    count = 0
    for top in list(sys._current_frames().values()):
        frame: FrameType | None = top
        while frame is not None and count < FRAMES_MAX:
            count += 1
            module = str(frame.f_globals.get("__name__"))
            if frame.f_code.co_flags & OPTIMIZED and not module.startswith("freehold."):
                yield frame
            frame = frame.f_back


def let_go(snapshot: Any) -> None:
    """Empty the dictionary that a frame keeps of its locals up to Python 3.12, unless somebody else has it, too.

    It would keep what the user deletes from then on alive until the frame ends.
    """
    if type(snapshot) is dict and sys.getrefcount(snapshot) <= SNAPSHOT_REFERENCES:
        snapshot.clear()


def snapshot_references() -> int:
    """Return how many references ``let_go`` sees to a dictionary that only its caller and a frame have."""
    seen: list[int] = []

    def like(snapshot: Any) -> None:
        seen.append(sys.getrefcount(snapshot) if type(snapshot) is dict else 0)

    def user() -> None:
        snapshot = sys._getframe().f_locals
        like(snapshot)
        del snapshot

    user()
    return seen[0]


SNAPSHOT_REFERENCES = snapshot_references()


def last_frames() -> dict[int, str]:
    """Return the frames, by identity, that the interpreter keeps for the last error that nobody caught."""
    found: dict[int, str] = {}
    for name in ("last_exc", "last_value", "last_traceback"):
        kept = getattr(sys, name, None)
        errors = [kept] if kept is not None else []
        for error in errors:  # grows as it is gone through
            trace = error if isinstance(error, TracebackType) else getattr(error, "__traceback__", None)
            while trace is not None:
                found.setdefault(id(trace.tb_frame), f"sys.{name}")
                trace = trace.tb_next
            more = (getattr(error, "__cause__", None), getattr(error, "__context__", None))
            errors += [one for one in more if one is not None and all(one is not other for other in errors)]
    return found


def is_ours(thing: Any) -> bool:
    """Tell what this search itself has for a moment.  Frames that run refer to nothing, as the collector sees it."""
    code = getattr(thing, "gi_code", None) if type(thing) is GeneratorType else None
    return type(thing) is Found or (code is not None and code.co_filename == __file__)


def in_module(module: str, name: str, at: Found) -> tuple[str, str]:
    """Return the grip of a module's global."""
    whole = f"{name}{at.path}"
    if module == "builtins" and name == "_":
        return "`_`, the last result of the interactive interpreter", "0  # any other result takes its place"
    if module == "__main__" and "IPython" in sys.modules:
        if name in ("Out", "_oh") or (name.lstrip("_").isdecimal() and name[0] == "_"):
            return f"`{whole}`, the results that IPython keeps", "%reset -f out"
        if name in ("_", "__", "___"):
            return f"`{name}`, the last results of IPython", "%reset -f out"
    if module == "sys" and name.startswith("last_"):
        return f"the last error that nobody caught, `sys.{name}`{at.note}", FORGET_LAST
    drop = "" if "(" in at.note else f"del {whole}" if module == "__main__" else f"del sys.modules[{module!r}].{whole}"
    return f"the global `{whole}` of {module}{at.note}", drop


def drop_of(names: list[str]) -> str:
    """Return the command that drops the variables that keep an error."""
    return f"del {', '.join(name.split('`')[1] for name in names)}" if names else ""


def keys_of(mapping: dict[Any, Any], thing: Any) -> list[Any]:
    """Return the first key of a value; a key that is the thing itself counts, too."""
    return [key for key, value in list(mapping.items()) if value is thing or key is thing][:1]


def lru_caches() -> Iterator[Any]:
    """Yield the functions of this process with a cache of functools."""
    yield from (thing for thing in gc.get_objects() if type(thing).__name__ == "_lru_cache_wrapper")


def reaches(wrapper: Any, link: Any) -> bool:
    """Tell whether an entry is one of a cache's."""
    return any(type(held) is dict and any(v is link for v in held.values()) for held in gc.get_referents(wrapper))


def getattr_static(thing: Any, name: str) -> Any:
    """Return what a slot holds, without running any code of its class."""
    for kind in type(thing).__mro__:
        slot = vars(kind).get(name)
        if isinstance(slot, MemberDescriptorType):
            try:
                return slot.__get__(thing, type(thing))
            except AttributeError:
                return None
    return None


def short(value: object) -> str:
    """Return a value in few characters; of strings and numbers their repr, of others the name of their type."""
    text = repr(value) if type(value) in (str, int, float, bytes, bool) else f"<{type(value).__name__}>"
    return text if len(text) <= TEXT_MAX else f"{text[: TEXT_MAX - 3]}..."


def grips(target: object) -> tuple[list[Grip], bool]:
    """Return where Python code of this process holds an object, and whether the search came to its end."""
    search = Search(target)
    try:
        return search.run(), search.complete
    finally:
        search.__dict__.clear()
