"""The search: all states of a model, nearest first, so that the first counterexample is a shortest one.

Refuses to know what is modelled.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from random import Random
from typing import NamedTuple

from freehold.core.trace import Ring, Step, detail
from freehold.specs.lending import Action, Lending, State

LIKELY = {"deliver": 6.0, "call": 3.0, "end": 2.0, "drop": 2.0, "forget": 1.0, "read": 1.0, "die": 0.25}


class Found(NamedTuple):
    """What a search has found."""

    states: int
    steps: int
    depth: int
    seconds: float
    exhausted: bool  # every state that can be reached was visited
    violations: list[tuple[str, tuple[Action, ...]]]  # what is wrong, and the shortest way there


def explore(
    model: Lending,
    *,
    states_max: int = 10_000_000,
    violations_max: int = 1,
    each_layer: Callable[[int, int], None] = lambda depth, states: None,
) -> Found:
    """Visit all states, nearest first, until all are known or enough is.

    Args:
        model: what is explored.
        states_max: give up after so many.
        violations_max: be content with so many.
        each_layer: called with the depth that is finished and the states known.
    """
    start = time.perf_counter()
    first = model.first()
    ways: dict[int, tuple[int, Action]] = {(key := model.key(first)): (0, ())}
    layer, depth, steps = deque([(key, first)]), -1, 0
    violations: list[tuple[str, tuple[Action, ...]]] = []
    while layer and len(ways) < states_max:
        depth += 1
        for _ in range(len(layer)):
            key, state = layer.popleft()
            for action in model.actions(state):
                steps += 1
                try:
                    after = model.step(state, action)
                    after_key = model.key(after)
                    if after_key in ways:
                        continue
                    ways[after_key] = key, action
                    model.check(after)
                    layer.append((after_key, after))
                except AssertionError as error:
                    violations.append((str(error), (*way_to(ways, key), action)))
                    if len(violations) == violations_max:
                        return Found(len(ways), steps, depth, time.perf_counter() - start, False, violations)
        each_layer(depth, len(ways))
    seconds = time.perf_counter() - start
    return Found(len(ways), steps, depth, seconds, not layer, violations)


def wander(model: Lending, *, seed: int, walks: int, steps_max: int = 90) -> Found:
    """Take walks by chance, to places for which ``explore`` is too slow: in each some channels are slow.

    Args:
        model: what is walked through.
        seed: of the chances.
        walks: how many.
        steps_max: of each.
    """
    start, chance = time.perf_counter(), Random(seed)
    steps = deepest = 0
    for _ in range(walks):
        state, way = model.first(), list[Action]()
        pace: dict[Action, float] = {}  # a delivery -> how soon it comes
        try:
            while len(way) < steps_max and (actions := list(model.actions(state))):
                kind = chance.choices(
                    *zip(*[(k, LIKELY[k]) for k in {action[0]: 0 for action in actions}], strict=True)
                )[0]
                some = [action for action in actions if action[0] == kind]
                paces = [pace.setdefault(action, chance.choice((1.0, 1.0, 0.01))) for action in some]
                way.append(chance.choices(some, paces)[0])
                steps, deepest = steps + 1, max(deepest, len(way))
                state = model.step(state, way[-1])
                model.check(state)
        except AssertionError as error:
            seconds = time.perf_counter() - start
            return Found(len(model.snapshots), steps, deepest, seconds, False, [(str(error), tuple(way))])
    return Found(len(model.snapshots), steps, deepest, time.perf_counter() - start, False, [])


def way_to(ways: dict[int, tuple[int, Action]], key: int) -> tuple[Action, ...]:
    """Return the actions that lead to a state."""
    actions: list[Action] = []
    while ways[key][1]:
        key, action = ways[key]
        actions.append(action)
    return tuple(reversed(actions))


def replay(model: Lending, actions: Iterable[Action]) -> tuple[list[str], list[str], list[Step]]:
    """Go a way once more; return what user code does, that with the messages in between, and the steps of parties."""
    ring = Ring()
    for worker in model.workers:
        worker.watch = ring
    model.memory.clear()
    state = model.first()
    program = [f"{model.called(0)}: x = put(...)"]
    everything = list(program)
    for action in actions:
        line = described(model, state, action)
        everything.append(line)
        if action[0] != "deliver":
            program.append(line)
        try:
            state = model.step(state, action)
            model.check(state)
        except AssertionError as error:
            everything.append(f"WRONG: {error}")
    for worker in model.workers:
        worker.watch = None
    return program, everything, ring.steps()


def described(model: Lending, state: State, action: Action) -> str:
    """Return an action in words."""
    name = model.called(action[1])
    match action:
        case ("deliver", source, target):
            message = model.messages[state.wires[source * len(model.names) + target][0]]
            told = f"{type(message).__name__} {detail(message)}".rstrip()
            return f"    {name} -> {model.called(target)}  {told}"
        case ("call", _, to, lend):
            return f"{name}: r = f.remote({'[x]' * lend})  # runs on {model.called(to)}"
        case ("end", _, keep, give):
            return f"{name}: {'KEPT = x; ' * keep}return {'[x]' if give else 'None'}"
        case ("drop", _):
            return f"{name}: del x"
        case ("forget", _, _):
            return f"{name}: del r"
        case ("read", _, _):
            return f"{name}: x, = get(r)"
    return f"{name} dies"
