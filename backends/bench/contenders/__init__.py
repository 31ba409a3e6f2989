"""Who is measured.  A module here imports its library at its top, so only a process of its own imports it."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """Where a contender is found."""

    title: str  # as the tables print it
    place: str  # module and attribute, beside this file
    library: str = ""  # the distribution that it needs; "": none
    environment: tuple[tuple[str, str], ...] = ()  # variables that make it what it is
    part: int = 1  # of a million objects or tasks it does one in so many: all would take it too long


USUAL = (("FREEHOLD_CHECK", "off"), ("FREEHOLD_BACKEND", "local"))  # a user's defaults, whatever the caller's are
OURS = Entry("freehold", "ours:OURS", "", USUAL)
LIMITS = Entry("raw limit", "limits:LIMITS")
PEERS: dict[str, tuple[Entry, ...]] = {  # as --against names them
    "ray": (Entry("Ray", "ray:RAY", "ray", part=50),),
    "pool": (Entry("Pool", "pool:POOL", part=10), Entry("ProcessPool", "executors:PROCESS_POOL", part=20)),
    "dask": (Entry("Dask", "dask:DASK", "distributed", part=200),),
    "loky": (Entry("loky", "loky:LOKY", "loky", part=20),),
}
VARIANTS: tuple[Entry, ...] = (  # freehold under other switches, for what its defaults cost
    Entry("without trace rings", "ours:OURS", "", (*USUAL, ("FREEHOLD_BENCH_RINGS", "off"))),
    Entry("without call sites", "ours:OURS", "", (*USUAL, ("FREEHOLD_CALL_SITES", "0"))),
    Entry("FREEHOLD_CHECK=step", "ours:OURS", "", (*USUAL, ("FREEHOLD_CHECK", "step"))),
)
