"""The trial: a real cluster of the default size is started, used once, and ended."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from freehold.backends.doctor.checks import Finding
from freehold.core import api
from freehold.core.remote import remote

VALUE_NBYTES = 1 << 20  # large enough for the object store
PATIENCE = 30.0  # seconds for the first task


class Trial(msgspec.Struct, frozen=True):
    """What a cluster did here."""

    seconds: dict[str, float]  # how long each step took, in order
    failed: str = ""  # the step that did not work
    failure: str = ""  # why


def length(value: bytes) -> int:
    """Run in a worker: show that the value came."""
    return len(value)


def trial(**options: Any) -> Trial:
    """Start a cluster, put a value, run a task on it, get the result, and end the cluster.

    Args:
        **options: of ``init``, beside the backend.
    """
    seconds: dict[str, float] = {}
    failed = ""

    def timed(step: str, call: Any) -> Any:
        nonlocal failed
        begin = time.perf_counter()
        try:
            return call()
        except Exception:
            failed = failed or step
            raise
        finally:
            seconds[step] = time.perf_counter() - begin

    try:
        timed("init", lambda: api.init(backend="local", **options))
        try:
            value = timed("put", lambda: api.put(bytes(VALUE_NBYTES)))
            result = timed("task", lambda: remote(length).remote(value))
            found = timed("get", lambda: api.get(result, timeout=PATIENCE))
        finally:
            timed("shutdown", api.shutdown)
    except Exception as error:  # whatever it is, it is what the user would meet
        return Trial(seconds, failed, f"{type(error).__name__}: {error}")
    if found != VALUE_NBYTES:
        return Trial(seconds, "get", f"a value of {VALUE_NBYTES} bytes came as {found}")
    return Trial(seconds)


def cluster(result: Trial) -> Finding:
    """A real cluster starts, works and ends."""
    steps = ", ".join(f"{step} {seconds * 1e3:.1f} ms" for step, seconds in result.seconds.items())
    if not result.failed:
        return Finding("cluster", "ok", f"it works: {steps}")
    words = f"{result.failed} failed ({steps}): {result.failure}"
    return Finding("cluster", "problem", words, "mend the problems above; if there are none, report this line")
