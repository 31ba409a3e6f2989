"""Long loops, as a user would run them: what is done often enough leaves nothing behind."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

pytestmark = [pytest.mark.local, pytest.mark.defaults, pytest.mark.slow, pytest.mark.timeout(300)]
GROWTH_MIB_MAX = 16.0  # of a process's own memory, between a fifth of the loop and its end
PEAKS_MIB_MAX = 48.0  # the same where each turn needs 50 MiB for a moment, and the C library keeps some of it
GROWTH_BLOCKS_MAX = 30_000  # of what Python has allocated in the program; a ring of steps that fills up needs half
BEGIN = """
    import gc, json, psutil, sys, time
    import freehold
    from freehold.core import cluster

    @freehold.remote
    def same(value):
        return value

    def measured():
        gc.collect()
        me, worker = psutil.Process(), cluster.engine().worker
        sizes = [one.memory_info() for one in (me, *me.children(recursive=True))]
        records = {name: len(records) for name, records in worker.tables.items()}
        mib = [(one.rss - one.shared) / 2**20 for one in sizes]
        return {"blocks": sys.getallocatedblocks(), "mib": mib, "records": records, "fds": me.num_fds()}

    def loop(turns, body):
        freehold.init(num_cpus=2)
        freehold.get(same.remote(0))
        before = measured()["records"]
        early = None
        for turn in range(turns):
            body(turn)
            if turn == turns // 5:
                early = measured()
        late = measured()
        until = time.monotonic() + 30
        while (left := cluster.engine().host.census()) and time.monotonic() < until:
            time.sleep(0.1)
        print(json.dumps({"before": before, "early": early, "late": late, "left": left}))
"""
LOOPS = {
    "a million puts": """
    def body(turn):
        for number in range(turn * 10_000, (turn + 1) * 10_000):
            assert freehold.get(freehold.put(number)) == number
    loop(100, body)
    """,
    "a hundred thousand tasks": """
    def body(turn):
        numbers = range(turn * 1000, (turn + 1) * 1000)
        assert freehold.get([same.remote(number) for number in numbers]) == list(numbers)
    loop(100, body)
    """,
    "many times what the store holds": """
    def body(turn):
        value = bytes([turn % 256]) * 20_000_000
        assert freehold.get(freehold.put(value)) == value
        assert freehold.get(same.remote(freehold.put(value))) == value
    loop(500, body)
    """,
    "chains of references": """
    def chain(length):
        ref = freehold.put(0)
        for _ in range(length):
            ref = freehold.put([ref])
        return [ref]
    def body(turn):
        holder = chain(100_000)
        assert isinstance(freehold.get(freehold.get(holder[0])[0])[0], freehold.ObjectRef)
        holder = freehold.get(freehold.remote(chain).remote(20_000))
        assert isinstance(freehold.get(freehold.get(holder[0])[0])[0], freehold.ObjectRef)
    loop(5, body)
    """,
}


LONG = {"many times what the store holds", "chains of references"}  # half a minute each: for `make prove`


@pytest.mark.parametrize("what", [pytest.param(what, marks=[pytest.mark.soak] * (what in LONG)) for what in LOOPS])
def test_nothing_grows(watch: Any, what: str) -> None:
    # The C library may keep freed bytes, or give them back, as its threshold adapts to what was freed before.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(128 * 2**10)}
    done = watch.run(BEGIN + LOOPS[what], timeout=250, env=environment)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    found = json.loads(done.stdout)
    early, late = found["early"], found["late"]
    assert found["left"] == []
    assert late["fds"] == early["fds"]
    assert len(late["mib"]) == len(early["mib"])
    growth = [after - before for before, after in zip(early["mib"], late["mib"], strict=True)]
    assert max(growth) < (PEAKS_MIB_MAX if what == "chains of references" else GROWTH_MIB_MAX), found
    assert late["blocks"] - early["blocks"] < GROWTH_BLOCKS_MAX, found
