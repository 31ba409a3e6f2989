"""Search the pinned model, and draw it beside the shortest trace of what Ray's rule does: a trace, and a proof.

    python docs/proof.py            search, and draw docs/pictures/proof.svg; half an hour, on two processors
    python docs/proof.py --draw     draw again what was found last (docs/pictures/proof.json)

The model has three processes, each on a node of its own, two objects, the death of one process at any step, and users
who do six things in all, of which three call a task that carries a reference.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latency import digest, machine

if TYPE_CHECKING:
    from freehold.specs.explorer.bounds import Bounds

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "docs" / "pictures" / "proof.json"
PICTURE = DATA.with_suffix(".svg")
MODEL = "nest"  # of those that ``freehold prove models`` searches
DYING = ("the owner of the first object", "another process")
COLOURS = ("#0072b2", "#d55e00")


# ---------------------------------------------------------------- searching, in a process for each who may die


def pinned() -> Bounds:
    """Return the model."""
    from freehold.specs.explorer.models import WHOLE

    return next(bounds for bounds in WHOLE if bounds.name == MODEL)


def search(which: int) -> dict[str, Any]:
    """Go through the model; return how many states were known at each depth, and what was found."""
    from freehold.specs.explorer.automata import System
    from freehold.specs.explorer.independence import Independence
    from freehold.specs.explorer.sharing import Sharing

    cluster, known, start = Sharing(pinned()), list[int](), time.process_time()
    independence = Independence(System(cluster, cluster.fates[which]))

    def note(depth: int, states: int) -> None:
        del known[depth - 1 :]  # of an earlier search, which was in vain
        known.append(states)

    for acts in range(cluster.bounds.acts):
        found = independence.explore_with(acts, each_layer=note)
        if found.violations or not found.exhausted:
            sys.exit(f"with {acts + 1} acts: {found.violations}")
    seconds = time.process_time() - start
    return {"known": known, "states": found.states, "transitions": found.transitions, "seconds": round(seconds)}


def search_all() -> dict[str, Any]:
    """Search for each who may die, side by side."""
    from freehold.core.policies import Policy
    from freehold.specs.explorer.models import gone_through

    words = [sys.executable, __file__, "--search"]
    runs = [subprocess.Popen([*words, str(one)], stdout=subprocess.PIPE, text=True) for one in range(len(DYING))]
    found = [json.loads(run.communicate()[0]) for run in runs]
    ((what, told),) = gone_through(pinned(), Policy(borrower_death="ray")).wrong
    trace = "\n".join([*told.program, "", *told.diagram, "", what])
    return {"model": pinned(), "machine": machine(), "searches": dict(zip(DYING, found, strict=True)), "trace": trace}


# ---------------------------------------------------------------- drawing


def draw(data: dict[str, Any]) -> None:
    """Draw the trace, and how the search comes to its end."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    searches = data["searches"]
    states, seconds = (sum(one[what] for one in searches.values()) for what in ("states", "seconds"))
    with plt.rc_context({"svg.hashsalt": "freehold", "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5), width_ratios=(1.25, 1))
        left.set_axis_off()
        left.set_title("Ray's rule: the shortest way to what is wrong", loc="left")
        trace = data["trace"].replace(" ", "\N{NO-BREAK SPACE}")
        left.text(0, 1, trace, family="monospace", fontsize="small", va="top", transform=left.transAxes)
        right.set_title(f"The rule here: {states:,} states, and nothing is wrong", loc="left")
        for (who, one), colour in zip(searches.items(), COLOURS, strict=True):
            depths = range(1, len(one["known"]) + 1)
            right.plot(depths, one["known"], color=colour, label=f"{who} may die: {one['states']:,} states")
        right.set(yscale="log", xlabel="choices on the way there", ylabel="states that are known")
        right.grid(alpha=0.3)
        right.legend(fontsize="small", loc="lower right")
        text = (
            "3 processes, 2 objects, 1 death, 6 acts, of which 3 calls; states with a choice, of those that differ in"
            f" names one; {seconds:,} s of a processor; {data['machine']}"
        )
        figure.text(0.01, 0.01, text, fontsize="small", color="#66737f")
        figure.tight_layout(rect=(0, 0.05, 1, 1))
        figure.savefig(
            PICTURE, format="svg", metadata={"Date": None, "Title": "A trace and a proof", "Source": digest(data)}
        )
        plt.close(figure)


def main() -> None:
    """Search and draw, as the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--draw", action="store_true", help="draw what was found last")
    parser.add_argument("--search", type=int, help="print what is found if this one of them may die, as JSON")
    wanted = parser.parse_args()
    if wanted.search is not None:
        print(json.dumps(search(wanted.search)))
        return
    if not wanted.draw:
        DATA.write_text(json.dumps(search_all(), indent=1) + "\n", "utf-8")
    draw(json.loads(DATA.read_text("utf-8")))
    print(f"wrote {PICTURE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
