"""Study: from which size on does it pay to promote a value that tasks take, instead of sending it along?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from freehold.core.policies import DEFAULT, Policy
from freehold.core.values import Description as Task
from freehold.simulator.scripts import Script
from freehold.simulator.studies.plots import above, either_way
from freehold.simulator.studies.study import Point, Row, Rows, Study, crossings, middle
from freehold.simulator.users import User, Users
from freehold.simulator.world.description import Description
from freehold.simulator.world.units import sized

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HOW = ("inline", "promoted")
ROUNDS = 8  # values of each size
THERE = (("CPU", 1.0), ("node:1", 0.001))  # where the tasks run: on the other node
PAUSE = 0.01  # seconds between values


def run(point: Point, seed: int) -> list[Row]:
    """Put values of one size, and give each to so many tasks on another node, one after the other."""
    limit = point["nbytes"] if point["values"] == "inline" else point["nbytes"] - 1
    policy = Policy(seed=seed, inline_bytes_max=limit)
    world = Users(Description(nodes=2, cpus=1), policy, {"use": use})
    user, _ = world.populate()
    took: list[float] = []
    world.start(user, give(user, point["nbytes"], point["uses"], took))
    world.run_all()
    return [{"seconds": middle(took) / point["uses"], "nbytes_sent": world.network.nbytes / ROUNDS / point["uses"]}]


def use(user: User, task: Task) -> Script:
    """Take an argument, and return something small."""
    yield 0.0
    return 10


def give(user: User, nbytes: int, uses: int, took: list[float]) -> Script:
    """Put a value, give it to tasks and let it go, again and again."""
    yield from user.get(user.submit("use", shape=THERE))  # so that a worker is leased, and has the function
    user.world.network.nbytes = 0
    for _ in range(ROUNDS):
        yield PAUSE
        began = user.now()
        object = yield from user.put(nbytes)
        for _ in range(uses):
            done = user.submit("use", values=[object], shape=THERE)
            yield from user.get(done)
            user.drop(done)
        took.append(user.now() - began)
        user.drop(object)


# ------------------------------------------------------------------ figures, and a sentence


def times(rows: Rows) -> Figure:
    """Draw how long a use takes, either way, against size."""
    return either_way(rows, "seconds", "values", HOW, "uses", "time of a use (ms)", 1e-3)


def traffic(rows: Rows) -> Figure:
    """Draw how many bytes a use sends, either way, against size."""
    return either_way(rows, "nbytes_sent", "values", HOW, "uses", "sent for a use (KiB)", 1024)


def conclude(rows: Rows) -> str:
    """Say from which size on promotion pays."""
    said = []
    for uses in rows.values("uses"):
        found = above(crossings(rows.where(uses=uses), "seconds", "values", HOW))
        said.append(f"{found} for {uses} use{'s' * (uses > 1)}")
    return f"Promotion pays {', '.join(said)}; the limit is {sized(DEFAULT.inline_bytes_max)} by default."


STUDY = Study(
    "threshold",
    "From which size on does it pay to promote a value that tasks take as an argument, instead of sending it along?",
    {"nbytes": (1 << 10, 10 << 10, 100 << 10, 1 << 20, 8 << 20), "uses": (1, 4, 16), "values": HOW},
    run,
    conclude,
    {"threshold-time": times, "threshold-bytes": traffic},
    compares=("values",),
    tasks=True,
)
