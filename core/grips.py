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
LEVEL_OBJECTS_MAX = 100
LOOKS_MAX = 100  # each goes through all objects of the process: 10 ms and more
FRAMES_MAX = 1000
LOCALS_MAX = 100_000
GRIPS_MAX = 12
TEXT_MAX = 40
OPTIMIZED = 1  # a code's flag: its locals are not those of a dictionary
FORGET_LAST = "sys.last_value = sys.last_traceback = sys.last_exc = None"
FORGET_RESULTS = "get_ipython().run_line_magic('reset', '-f out'); get_ipython().user_ns_hidden.clear()"


class Grip(NamedTuple):
    """One way in which Python code of this process holds a reference."""

    where: str  # in words
    drop: str  # a command that lets go, "" if there is none to give

    def __str__(self) -> str:
        return f"{self.where}; let go with: {self.drop}" if self.drop else self.where


class Found(NamedTuple):
    """An object on the way from a name to the reference."""

    thing: Any
    path: str = ""  # from it on to the reference, as Python would write it: ``[3].ref``
    cut: str = ""  # the beginning of the path that ``del`` takes: a tuple loses no item
    note: str = ""  # what Python could not write

    def inside(self, thing: Any, part: str, *, fixed: bool = False) -> Found:
        """Return where it lies: in another thing, of which it is a part."""
        return Found(thing, part + self.path, "" if fixed else part + self.cut, self.note)

    def beyond(self, thing: Any, note: str) -> Found:
        """Return where it lies, if Python has no way to write that."""
        return Found(thing, note=self.note or note)


class Search:
    """One search for the grips on one object."""

    def __init__(self, target: object) -> None:
        modules = [(name, m) for name, m in list(sys.modules.items()) if isinstance(m, ModuleType)]
        self.modules = {id(vars(m)): name for name, m in reversed(modules)}  # of several names the first
        self.last = last_frames()
        self.ours: set[int] = {id(self), id(self.__dict__), id(self.modules), id(self.last), *shell_itself()}
        self.complete = True
        self.looks = self.level = 0
        self.grips: dict[Grip, int] = {}  # and on which level
        self.shell = dict(shell_parts())  # where IPython keeps results, beside variables
        self.results: list[str] = []  # names under which IPython keeps it
        self.locals = self.local_names()
        self.seen = {id(target)}
        self.target = target

    def run(self) -> list[Grip]:
        """Return the grips that were found, the nearest first."""
        level = [Found(self.target)]
        self.ours.add(id(level))
        for self.level in range(LEVELS_MAX):
            level = self.step(level)
            if not level:
                break
            if len(self.grips) >= GRIPS_MAX:
                self.complete = False
                break
            if len(level) > LEVEL_OBJECTS_MAX or self.level == LEVELS_MAX - 1:
                self.complete = False
                level = level[:LEVEL_OBJECTS_MAX]
        if self.results:
            names = ", ".join(f"`{name}`" for name in sorted(set(self.results))[:GRIPS_MAX])
            self.add(f"{names}: results that IPython keeps", FORGET_RESULTS)
        return sorted(self.grips, key=lambda grip: (self.grips[grip], grip))[:GRIPS_MAX]

    def step(self, level: list[Found]) -> list[Found]:
        """Note the names of the objects of one level; return those that refer to them and have none."""
        found: list[Found] = []
        for at in level:
            self.looks += 1
            if self.looks > LOOKS_MAX:
                self.complete = False
                break
            self.ours |= {id(level), id(found), id(at)}
            for where in self.locals.get(id(at.thing), ()):
                frame, name = where
                self.add(f"the local `{name}{at.path}` of {frame}{at.note}", f"del {name}{at.cut}")
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
        self.grips.setdefault(Grip(where, drop), self.level)

    # ------------------------------------------------------------------ from one object to those that refer to it

    def follow(self, referrer: Any, at: Found) -> Iterator[Found]:
        """Note the grip, if the search ends here; else yield the referrer, with the path that leads on from it."""
        kind, thing = type(referrer), at.thing
        if id(referrer) in self.shell:
            name, drop = self.shell[id(referrer)]
            if drop:
                self.add(name, drop)
            else:
                self.results.append(f"{name}{at.path}")
        elif kind is dict:
            yield from [at.inside(referrer, f"[{short(key)}]") for key in keys_of(referrer, thing)]
        elif kind in (list, tuple):
            index = next((i for i, value in enumerate(referrer) if value is thing), 0)
            yield at.inside(referrer, f"[{index}]", fixed=kind is tuple)
        elif kind is FrameType:
            yield from self.frame(referrer, at)
        elif kind is FunctionType:
            yield at.beyond(referrer, f" (by way of the function {referrer.__qualname__})")
        elif kind is CellType:
            yield at.beyond(referrer, "")
        elif kind is GeneratorType or kind is CoroutineType:
            if not (getattr(referrer, "gi_running", False) or getattr(referrer, "cr_running", False)):
                self.add(f"a local of {referrer.__qualname__}, which is suspended{at.note}")
        elif kind is TracebackType or isinstance(referrer, BaseException):
            yield at.beyond(referrer, f" (in the error {short(referrer)})")
        elif kind.__name__ in ("_lru_list_elem", "_lru_cache_wrapper"):
            yield from self.cache(referrer, at)
        else:
            yield from self.instance(referrer, at)

    def globals_of(self, module: str, names: dict[str, Any], at: Found) -> None:
        """Note the names that a module has for something."""
        for name in [name for name, value in list(names.items()) if value is at.thing]:
            if is_result(module, str(name)):
                self.results.append(f"{name}{at.path}")
            else:
                self.add(*in_module(module, str(name), at))

    def frame(self, frame: FrameType, at: Found) -> Iterator[Found]:
        """A frame that has ended and is kept, as the traceback of an error keeps it."""
        where = f"a local of {frame.f_code.co_qualname}, line {frame.f_lineno}"
        if id(frame) in self.last:
            self.add(f"{where}, kept by the traceback of {self.last[id(frame)]}", FORGET_LAST)
        elif type(at.thing) is not FrameType:  # else it was called by the other
            yield Found(frame, note=f", whose traceback keeps {where}")

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
        held = dict(vars(referrer)) if isinstance(referrer, type) else getattr(referrer, "__dict__", None)
        self.ours.add(id(held))
        names = [name for name, value in held.items() if value is at.thing] if isinstance(held, dict) else []
        slots = [name for k in type(referrer).__mro__ for name in getattr(k, "__slots__", ()) or ()]
        names += [name for name in slots if name[:2] != "__" and getattr_static(referrer, name) is at.thing]
        key, _, rest = at.path[2:].partition("']") if at.path[:2] == "['" else ("", "", "")
        if type(at.thing) is dict and key and (held is at.thing or is_class_dict(referrer, key, at.thing)):
            cut = f".{key}{at.cut[len(key) + 4 :]}" if at.cut else ""
            yield Found(referrer, f".{key}{rest}", cut, at.note)
        elif names:
            yield at.inside(referrer, f".{names[0]}")
        else:
            yield at.beyond(referrer, f" (inside a {type(referrer).__qualname__})")

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
    """Yield the frames of users' functions that run now, on any thread; freehold's and IPython's are left out."""
    count = 0
    for top in list(sys._current_frames().values()):
        frame: FrameType | None = top
        while frame is not None and count < FRAMES_MAX:
            count += 1
            module = str(frame.f_globals.get("__name__"))
            if frame.f_code.co_flags & OPTIMIZED and not module.startswith(("freehold.", "IPython.")):
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
    if module == "sys" and name.startswith("last_"):
        return f"the last error that nobody caught, `sys.{name}`{at.note}", FORGET_LAST
    owner = "" if module == "__main__" else f"sys.modules[{module!r}]."
    drop = f"del {owner}{name}{at.cut}"
    return f"the global `{whole}` of {module}{at.note}", drop


def shell_itself() -> list[int]:
    """Return what leads to all variables of a notebook, by identity: nothing is found by going on from it."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return [id(shell), id(vars(shell)), id(shell._trait_values)] if shell is not None else []


def shell_parts() -> Iterator[tuple[int, tuple[str, str]]]:
    """Yield what IPython has for results and errors, beside variables, by identity: its name, and how it is emptied."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is not None:
        traceback = ("the traceback that IPython has shown last", "get_ipython().InteractiveTB.tb = None")
        yield id(shell.user_ns_hidden), ("get_ipython().user_ns_hidden", "")
        for part, what in ((shell.displayhook, ("get_ipython().displayhook", "")), (shell.InteractiveTB, traceback)):
            yield from ((id(part), what), (id(vars(part)), what))


def is_result(module: str, name: str) -> bool:
    """Tell whether a name is one that IPython gives to what a cell returned."""
    numbered = name[:1] == "_" and (name[1:].isdecimal() or set(name) == {"_"})
    return "IPython" in sys.modules and module == "__main__" and (name in ("Out", "_oh") or numbered)


def is_class_dict(thing: Any, key: str, names: dict[str, Any]) -> bool:
    """Tell whether a dictionary is that of a class, which nobody can have."""
    return isinstance(thing, type) and vars(thing).get(key, thing) is names.get(key)


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
