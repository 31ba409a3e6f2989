"""The cluster of this process: which session is active, and how one begins and ends.

``active`` is a plain global because it must be seen by every thread.  Backends that host several workers in one
process set it whenever they let another one run.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import msgspec

from freehold.core.errors import NotSupported
from freehold.core.hooks import Options, start
from freehold.core.machine import replace
from freehold.core.policies import Policy
from freehold.core.session import Session, stop_at_exit
from freehold.core.uninterrupted import converted

active: Session | None = None
ours = 0  # the process that started the active session
overrides: dict[str, Any] = {}  # options, and the seed, that go before those that a program gives to init
summary = ""  # of the cluster that was ended last
inherited = False  # this process was forked from the one that did: it must not use the session


def engine() -> Session:
    """Return the active session; start one with the defaults if there is none."""
    session = active
    if session is None or session.closed:
        stop_at_exit()
        begin(Options(backend=default_backend(), policy=policy_of({})))
        session = active
        assert session is not None
    elif inherited:
        raise NotSupported("this process was forked from one that uses freehold; start a process of its own instead")
    return session


def default_backend() -> str:
    """Return the backend that FREEHOLD_BACKEND names, or "local"."""
    return os.environ.get("FREEHOLD_BACKEND") or "local"


def begin(options: Options) -> Session:
    """Start a cluster and make its session the active one."""
    global active, ours, inherited
    options = overridden(options)
    home = options.trace or os.environ.get("FREEHOLD_TRACE") or ""
    session = start(options) if not home else start_traced(options, home)
    active, ours, inherited = session, os.getpid(), False
    Session.exiting = False
    atexit.register(end_at_exit)
    session.host.begun()
    return session


def overridden(options: Options) -> Options:
    """Return the options with what goes before them."""
    changes = dict(overrides)
    if "cluster" in changes:  # as it is described, whatever else the program says
        options = replace(options, num_nodes=None, num_cpus=None, object_store_memory=None)
    if "seed" in changes:
        changes["policy"] = replace(options.policy, seed=changes.pop("seed"))
    return replace(options, **changes)


def start_traced(options: Options, home: str) -> Session:
    """Start a cluster whose processes write their events into a new folder inside ``home``."""
    from freehold.core.journal import run_folder

    folder = run_folder(home)
    try:
        return start(replace(options, trace=folder))
    except BaseException:
        with suppress(OSError):  # it is kept if something has begun
            os.rmdir(folder)
        raise


def end() -> None:
    """End the active session, if this process started it.  Again, or inside a task, it does nothing."""
    global active, ours, summary
    if active is not None and active.task:
        return
    session, active = active, None
    atexit.unregister(end_at_exit)
    if session is not None and ours == os.getpid():
        summary = session.host.summary()
        session.close()
    ours = 0


def end_at_exit() -> None:
    """End the active session when the interpreter ends; daemon threads are told nothing any more."""
    Session.exiting = True
    end()


def forked() -> None:
    """Note that this process was forked from one whose session it has inherited."""
    global inherited
    inherited = active is not None and ours != 0


os.register_at_fork(after_in_child=forked)


def activate(session: Session | None) -> Session | None:
    """Make another session of this process the active one; return the one that was."""
    global active
    before, active = active, session
    return before


def policy_of(changes: dict[str, Any], arguments: Iterable[str] = ()) -> Policy:
    """Return the default policy with some rules changed, or say which name is none of a rule, nor of an argument."""
    if os.environ.get("FREEHOLD_CALL_SITES") == "0":
        changes = {"call_sites": False, **changes}
    for name, value in changes.items():
        if name not in Policy.__struct_fields__:
            rules = ", ".join(Policy.__struct_fields__)
            raise ValueError(f"{name!r} is neither an argument of init ({', '.join(arguments)}) nor a rule ({rules})")
        try:
            converted({name: value}, Policy)
        except msgspec.ValidationError as error:
            raise ValueError(f"{name}={value!r}: {str(error).split(' - at')[0]}") from None
    return converted(changes, Policy)
