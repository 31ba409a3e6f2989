"""Measure and draw how long a first get takes: by size, for the owner, on its node, and on another node.

    python docs/latency.py                      measure on `local` and `sim`, and draw docs/pictures/latency.svg
    python docs/latency.py --draw               draw again what was measured last (docs/pictures/latency.json)
    python docs/latency.py --backends inline    measure elsewhere (and draw)

Each point is the median of several first gets of fresh objects.  Under `sim` the clock is the simulated one, so
the same program measures both; the simulator's costs are stated in `simulator/world/costs.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "docs" / "pictures" / "latency.json"
PICTURE = DATA.with_suffix(".svg")
BACKENDS = ("local", "sim")
READERS = ("the owner", "a borrower on the same node", "a borrower on another node")
SIZES = (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 64_000_000)  # bytes of the array
STORE_BYTES = 512 * 2**20  # of each node's object store
UNCALIBRATED = "The simulated costs are round figures for a 10 Gbit/s network, not calibrated on this machine."
ROUNDS = 9  # first gets for each point


# ---------------------------------------------------------------- measuring, in a process of its own


def measure() -> dict[str, list[float]]:
    """Return the median seconds of a first get for each reader, in the order of SIZES."""
    import numpy

    import freehold

    @freehold.remote
    def seconds_of_get(box: list[Any]) -> float:
        start = time.perf_counter()
        value = freehold.get(box[0])
        end = time.perf_counter()
        assert value[0] == 1
        return end - start

    freehold.init(num_nodes=2, num_cpus=1, object_store_memory=STORE_BYTES)
    medians: dict[str, list[float]] = {reader: [] for reader in READERS}
    for size in SIZES:
        for reader in READERS:
            found = []
            for _ in range(ROUNDS + 1):
                ref = freehold.put(numpy.ones(size, numpy.uint8))
                if reader == "the owner":
                    start = time.perf_counter()
                    value = freehold.get(ref)
                    found.append(time.perf_counter() - start)
                    del value
                else:
                    node = READERS.index(reader) - 1
                    found.append(freehold.get(seconds_of_get.options(node=node).remote([ref])))
            medians[reader].append(statistics.median(found[1:]))  # the first warms leases, functions and memory up
    freehold.shutdown()
    return medians


def measure_in_a_process(backend: str) -> dict[str, list[float]]:
    """Run ``measure`` on a backend, in a fresh interpreter."""
    command = [sys.executable, __file__, "--measure"]
    environment = {**os.environ, "FREEHOLD_BACKEND": backend}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if run.returncode:
        sys.exit(f"the backend {backend} cannot be measured:\n{run.stderr}")
    medians: dict[str, list[float]] = json.loads(run.stdout)
    return medians


def machine() -> str:
    """Return a line about this machine."""
    return f"{os.cpu_count()} CPUs, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


# ---------------------------------------------------------------- drawing


def sentence(data: dict[str, Any]) -> str:
    """Return what was measured, in a sentence for below the figure."""
    backends = ", ".join(data["seconds"])
    text = f"Median of {data['rounds']} first gets of fresh arrays; backends: {backends}; {data['machine']}."
    return f"{text}\n{UNCALIBRATED}" if "sim" in data["seconds"] else text


def draw(data: dict[str, Any]) -> None:
    """Draw the figure: one colour for each reader, one line style for each backend."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    styles = {"local": ("-", "o", "measured"), "sim": ("--", "s", "simulated"), "inline": (":", "^", "one process")}
    with plt.rc_context({"svg.hashsalt": "freehold", "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure, axes = plt.subplots(figsize=(9, 5))
        for backend, readers in data["seconds"].items():
            line, marker, word = styles[backend]
            for reader, colour in zip(READERS, ("#0072b2", "#009e73", "#d55e00"), strict=True):
                nothing = "" if any(readers[reader]) else ": no time at all, so no line"
                label = f"{reader}, {word} ({backend}){nothing}"
                seconds = [value or float("nan") for value in readers[reader]]  # zero has no place on this scale
                axes.plot(data["sizes"], seconds, line, marker=marker, color=colour, label=label, markersize=4)
        limit = data["inline_bytes_max"]
        axes.axvline(limit, color="#66737f", linewidth=0.8)
        axes.annotate(
            " small | large",
            (limit, 1),
            xycoords=("data", "axes fraction"),
            ha="center",
            va="bottom",
            color="#66737f",
        )
        axes.set(xscale="log", yscale="log", xlabel="size of the value, bytes", ylabel="first get, seconds")
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small", loc="upper left")
        figure.text(0.01, 0.01, sentence(data), fontsize="small", color="#66737f")
        figure.tight_layout(rect=(0, 0.07, 1, 1))
        figure.savefig(
            PICTURE, format="svg", metadata={"Date": None, "Title": "Latency of get", "Source": digest(data)}
        )
        plt.close(figure)


def digest(data: dict[str, Any]) -> str:
    """Return a fingerprint of what was measured; the figure carries it, so that a test can tell a stale one."""
    import hashlib

    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]


def main() -> None:
    """Measure and draw, as the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--backends", default=",".join(BACKENDS))
    parser.add_argument("--draw", action="store_true", help="draw what was measured last")
    parser.add_argument("--measure", action="store_true", help="print what this process measures, as JSON")
    wanted = parser.parse_args()
    if wanted.measure:
        print(json.dumps(measure()))
        return
    if not wanted.draw:
        from freehold.core.policies import DEFAULT

        seconds = {}
        for backend in wanted.backends.split(","):
            print(f"measuring on {backend} ...", flush=True)
            seconds[backend] = measure_in_a_process(backend)
        data = {"sizes": SIZES, "rounds": ROUNDS, "inline_bytes_max": DEFAULT.inline_bytes_max, "machine": machine()}
        DATA.write_text(json.dumps({**data, "seconds": seconds}, indent=1) + "\n", "utf-8")
    draw(json.loads(DATA.read_text("utf-8")))
    print(f"wrote {PICTURE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
