"""Study: one resolution, message by message: who waits for whom?"""

from __future__ import annotations

from math import atan2, degrees, inf
from typing import TYPE_CHECKING, Any

from freehold.core.events import Event
from freehold.core.policies import Policy
from freehold.simulator.cluster import Message
from freehold.simulator.scripts import Script
from freehold.simulator.studies.plots import COLOURS, GREY, drawn
from freehold.simulator.studies.study import Point, Row, Rows, Study
from freehold.simulator.users import User, Users
from freehold.simulator.world.description import Description
from freehold.simulator.world.units import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

VALUES: dict[str, tuple[int, dict[str, Any]]] = {  # bytes, and the policy
    "small, in the reply": (100, {"borrow": "copy"}),
    "small, promoted": (100, {"borrow": "promote"}),
    "128 KiB": (2**17, {}),  # each step can be told from the next
}
LANES = ("owner", "its node", "reader's node", "reader")


class Recorded(Users):
    """A cluster that takes down its messages."""

    def __init__(self, description: Description, policy: Policy) -> None:
        super().__init__(description, policy)
        self.sent: dict[int, Row] = {}  # by the event, which is kept
        self.kept: list[Event] = []
        self.lanes: dict[int, str] = {}

    def bring(self, source: int, target: int, at: float, nbytes: int, event: Event, cause: int) -> None:
        super().bring(source, target, at, nbytes, event, cause)
        if self.lanes:
            ends = {"from": self.lanes[source], "to": self.lanes[target]}
            self.sent[id(event)] = {"message": type(event).__name__, **ends, "left": at}
            self.kept.append(event)

    def receive(self, message: Message, *, due: bool = False) -> None:
        came, event = self.clock.now, message.event
        super().receive(message, due=due)
        if id(event) in self.sent:
            self.sent[id(event)] |= {"came": came, "done": self.drivers[message.target].until}


def run(point: Point, seed: int) -> list[Row]:
    """Let one reader on another node find a reference, get the value, and let go; each row is a message."""
    nbytes, rules = VALUES[point["value"]]
    world = Recorded(Description(nodes=2), Policy(seed=seed, **rules))
    owner, reader = world.populate(tasks=False)
    objects, got = list[int](), list[float]()
    world.start(owner, own(owner, nbytes, objects))
    world.run_all()
    parties = (owner.party.me, owner.party.node, reader.party.node, reader.party.me)
    world.lanes = dict(zip(parties, LANES, strict=True))
    began = world.clock.now
    world.start(reader, read(reader, objects[0], got))
    while world.clock.peek() < inf:
        world.clock.step()
    times = ("left", "came", "done")
    rows = [row | {name: row[name] - began for name in times} | {"got": got[0] - began} for row in world.sent.values()]
    return sorted(rows, key=lambda row: row["left"])


def own(owner: User, nbytes: int, objects: list[int]) -> Script:
    """Put the object."""
    objects.append((yield from owner.put(nbytes)))


def read(reader: User, object: int, got: list[float]) -> Script:
    """Read it, and let go."""
    outer = yield from reader.put(10)
    reader.find(outer, object)
    yield from reader.get(object)
    got.append(reader.now())
    reader.drop(object)


# ------------------------------------------------------------------ figures, and a sentence


def space_time(rows: Rows, value: str) -> Figure:
    """Draw each process as a line, on which time goes to the right, and each message as an arrow."""
    figure, axes = drawn(3.0)
    some = rows.where(value=value, seed=0)
    end = max(row["done"] for row in some) * 1e6
    axes.set(xlabel="time (us); at the vertical line the value is there", xlim=(-0.02 * end, 1.02 * end))
    axes.set_yticks(range(len(LANES)), LANES)
    axes.set_ylim(len(LANES) - 0.5, -0.5)
    for number, row in enumerate(some):
        draw_message(axes, row, 0.35 + 0.15 * (number % 3))
    axes.axvline(some.rows[0]["got"] * 1e6, color=COLOURS[1], linewidth=0.8)
    return figure


def draw_message(axes: Axes, row: Row, part: float) -> None:
    """Draw a message as an arrow that is named at a part of its way, and how long its receiver is busy with it."""
    low, high = (LANES.index(row[end]) for end in ("from", "to"))
    left, came, done = (row[name] * 1e6 for name in ("left", "came", "done"))
    colour = COLOURS[0] if row["left"] <= row["got"] else GREY
    arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 6}
    axes.annotate("", (came, high), (left, low), arrowprops=arrow)
    axes.plot([came, done], [high, high], color=colour, linewidth=3, solid_capstyle="butt")
    axes.text(
        left + part * (came - left),
        low + part * (high - low),
        row["message"].replace("Query", "?").replace("Reply", "!").replace("Notice", ""),
        fontsize=5,
        color=colour,
        ha="center",
        va="center",
        rotation=degrees(atan2(high - low, came - left)),
        transform_rotates_text=True,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4},
    )


def conclude(rows: Rows) -> str:
    """Say what each takes."""
    said = []
    for value in rows.values("value"):
        some = rows.where(value=value)
        before = Rows([row for row in some if row["left"] <= row["got"]])
        seeds = len(rows.values("seed"))
        took, early, all_of_them = some.over_seeds("got"), len(before) // seeds, len(some) // seeds
        said.append(
            f"{value}: {shown(took.middle, 's')}, {early} messages until the value is there, {all_of_them} in all"
        )
    return f"One resolution on another node. {'; '.join(said)}."


STUDY = Study(
    "resolution",
    "One resolution, message by message: who waits for whom?",
    {"value": tuple(VALUES)},
    run,
    conclude,
    {
        "resolution-reply": lambda rows: space_time(rows, "small, in the reply"),
        "resolution-promoted": lambda rows: space_time(rows, "small, promoted"),
        "resolution-large": lambda rows: space_time(rows, "128 KiB"),
    },
    seeds=3,
    compares=("value",),
)
