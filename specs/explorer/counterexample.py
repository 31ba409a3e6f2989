"""A way through a system, told: as the program of its users, with the messages in between, and step by step."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile
from typing import Any, NamedTuple

import numpy as np

from freehold.core.ids import COUNTER_MASK, object_name, party_name
from freehold.core.trace import Ring, Step, detail
from freehold.specs.explorer import fates
from freehold.specs.explorer.automata import System
from freehold.specs.explorer.hosts import Carried
from freehold.specs.explorer.lifelines import Lifelines
from freehold.specs.explorer.parties import Act, Delivery
from freehold.specs.explorer.search import Rows
from freehold.specs.explorer.sharing import TASKS, Sharing

Chosen = tuple[int, Delivery | Act, int, tuple[int, ...]]  # the first fields of a move


class Move(NamedTuple):
    """One of the things that may happen in a state."""

    party: int
    told: Delivery | Act
    wrong: int  # what goes wrong right behind it, a death or a broken link; 0 if nothing does
    arrive: tuple[int, ...]  # and so many of the messages that are on their way still arrive
    action: int
    after: Rows


class Way:
    """A walk through a system, from one of its first states."""

    def __init__(self, system: System, first: int = 0) -> None:
        self.system = system
        self.row = system.first()[first : first + 1]

    def moves(self) -> list[Move]:
        """Return what may happen next."""
        found = self.system.moves(self.row)
        return [
            Move(*decoded(self.system, action), action, found.rows[index : index + 1])
            for index, action in enumerate(found.action.tolist())
        ]

    def take(self, move: Move) -> None:
        """Go on; raise ``AssertionError`` if the state is wrong."""
        self.row = move.after
        for _, what in self.system.wrong(self.row):
            raise AssertionError(what)


def decoded(system: System, action: int) -> Chosen:
    """Return what an action's number stands for."""
    told, party, wrong, arrive = fates.decoded(action)
    return party, system.events.values[told], wrong, arrive


class Told(NamedTuple):
    """A counterexample for people."""

    program: list[str]  # what users do, and who dies
    everything: list[str]  # that with the messages
    diagram: list[str]  # the same as lines of life
    replay: str  # which of all moves was taken, each time
    steps: list[Step]  # of the parties


def tell(system: System, cluster: Sharing, way: Iterable[int]) -> Told:
    """Go a way through a system that was searched once more, and tell it."""
    first, *actions = way
    others = takewhile(lambda fate: fate not in system.fated, cluster.fates)  # whose first states come before
    before = sum([len(System(cluster, fate).first()) for fate in others])
    moves = [decoded(system, action) for action in under_one_name(system, first, actions)]
    return retold(cluster, before + first, moves)


def under_one_name(system: System, first: int, actions: list[int]) -> list[int]:
    """Return what is done on a way on which, between steps, parties may have got the names of others."""
    if not system.symmetry.renamings:
        return actions
    row = system.first()[first : first + 1]
    named, found = system.same(row), list[int]()
    for action in actions:
        told, mine = system.moves(named), system.moves(row)
        at = np.flatnonzero(told.action == action)[0]
        named = system.same(told.rows[at : at + 1])
        at = np.flatnonzero((system.same(mine.rows) == named).all(axis=1))[0]
        row = mine.rows[at : at + 1]
        found.append(int(mine.action[at]))
    return found


def replayed(cluster: Sharing, replay: str) -> Told:
    """Tell the way that ``Told.replay`` names.

    Raises:
        ValueError: there is no such way.
    """
    try:
        first, *numbers = map(int, replay.split("."))
    except ValueError:
        raise ValueError(f"{replay!r} is not a replay: numbers with full stops between") from None
    return retold(cluster, first, numbers)


def retold(cluster: Sharing, first: int, chosen: Iterable[int | Chosen]) -> Told:
    """Go a way, of which each move is named by its place among all that may be, or by what it is."""
    system = System(cluster)
    if first not in range(len(system.first())):
        raise ValueError(f"there is no first state {first}; there are {len(system.first())}")
    walk, ring, words, numbers = Way(system, first), Ring(), Words(cluster), [first]
    scene = Lifelines([cluster.called(party) for party in range(cluster.count)])
    begun = list[str]()
    for party, act in cluster.story.acts:
        name, done = cluster.called(party), words.act(act.what)
        scene.act(name, done)
        begun.append(f"{name}: {done}")
    begun += words.mishaps(None, walk.row[0], scene)
    told = Told([*begun], [*begun], [], "", [])
    for wanted in chosen:
        moves = sorted(walk.moves(), key=lambda move: (move.party, repr(move.told), move.wrong, move.arrive))
        names: list[Any] = [*range(len(moves))] if isinstance(wanted, int) else [move[:4] for move in moves]
        if wanted not in names:
            raise ValueError(f"step {len(numbers)} cannot be {wanted}: there are {len(moves)} moves")
        numbers.append(names.index(wanted))
        move = moves[numbers[-1]]
        before = system.states.values[walk.row[0, move.party]][1]
        one = cluster.parties[move.party]
        one.watch = ring
        cluster.step(move.party, before, move.told)
        one.watch = None
        words.draw(move, scene)
        lines = [*words.of(move), *words.mishaps(walk.row[0], move.after[0], scene)]
        told.everything.extend(lines)
        told.program.extend([line for line in lines if not line.startswith(" ")])
        try:
            walk.take(move)
        except AssertionError as error:
            told.everything.append(f"WRONG: {error}")
            break
    return told._replace(diagram=scene.lines(), steps=ring.steps(), replay=".".join(map(str, numbers)))


class Words:
    """Moves in words; objects are called x, y, ... in the order in which they are put, what tasks return r, s, ..."""

    def __init__(self, cluster: Sharing) -> None:
        self.cluster = cluster
        self.variables: dict[int, str] = {}
        self.objects, self.returns = iter("xyzuvw"), iter("rstpqm")

    def variable(self, object: int) -> str:
        """Return the name of the variables that refer to an object."""
        name = self.variables.get(object)
        if name is None:
            letters = self.returns if object & COUNTER_MASK >= TASKS else self.objects
            name = self.variables[object] = next(letters, object_name(object))
        return name

    def of(self, move: Move) -> list[str]:
        """Return a move in words."""
        name = self.cluster.called(move.party)
        if isinstance(move.told, Delivery):
            message: Any = move.told.message
            message = message.message if isinstance(message, Carried) else message
            said = f"{type(message).__name__} {detail(message)}".rstrip()
            return [f"    {self.cluster.called(move.told.source)} -> {name}  {said}"]
        return [f"{name}: {self.act(move.told.what)}"]

    def draw(self, move: Move, scene: Lifelines) -> None:
        """Draw a move."""
        name = self.cluster.called(move.party)
        if isinstance(move.told, Delivery):
            message: Any = move.told.message
            message = message.message if isinstance(message, Carried) else message
            about = [self.variables[each] for each in (getattr(message, "object", 0),) if each in self.variables]
            scene.message(self.cluster.called(move.told.source), name, " ".join([type(message).__name__, *about]))
        else:
            scene.act(name, self.act(move.told.what))

    def mishaps(self, before: Rows | None, after: Rows, scene: Lifelines) -> list[str]:
        """Return, and draw, what has gone wrong between two states of a system: who has died, and which link broke."""
        count, link = self.cluster.count, int(after[-1])
        gone = [party for party in range(count) if not after[party] and (before is None or before[party])]
        for party in gone:
            scene.death(self.cluster.called(party))
        alone = [party for party in gone if self.cluster.home(party) not in {*gone} - {party}]
        said = [f"{self.cluster.called(party)} dies" for party in alone]  # a node takes its processes along
        if link < 0 and (before is None or before[-1] > 0):
            ends = [self.cluster.called(end) for end in divmod(-link - count, count)]
            for one, other in (ends, ends[::-1]):
                scene.act(one, f"loses {other}")
            said.append(f"{ends[0]} and {ends[1]} lose each other")
        return said

    def act(self, what: Any) -> str:
        """Return what a user does, in Python."""
        match what:
            case ("put", object, inside):
                return f"{self.variable(object)} = put({self.listed(inside) if inside else '...'})"
            case ("drop", object):
                return f"del {self.variable(object)}"
            case ("read", container, inside, _):
                return f"{self.listed(inside)} = get({self.variable(container)})"
            case ("close", object):
                return f"del value_of_{self.variable(object)}"
            case ("get", object, timeout):
                return f"get({self.variable(object)}{', timeout=1' * (timeout > 0)})  # in a thread of its own"
            case ("timer", _):
                return "time is up"
            case ("call", task, to, lent, given, returns):
                result = f"{self.variable(task)} = " if returns else ""
                arguments = ", ".join(map(self.variable, given)) or self.listed(lent)
                return f"{result}f.remote({arguments})  # runs on {party_name(to)}"
            case ("end", kept, given, _):
                keep = "".join([f"KEPT = {self.variable(object)}; " for object in kept])
                return f"{keep}return {self.listed(given) if given else 'None'}"
        raise ValueError(what)

    def listed(self, objects: Iterable[int]) -> str:
        """Return a list of objects."""
        return f"[{', '.join(map(self.variable, objects))}]"
