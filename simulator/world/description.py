"""What a simulated cluster is made of, as a user writes it down: a small TOML file with units.

    nodes = 100
    cpus = 4
    store = "2 GiB"

    [network]
    topology = "racks"
    per_rack = 20
    oversubscription = 4
    bandwidth = "10 Gbit/s"

    [[faults]]
    kind = "crash"
    node = 3
    at = "2 s"

Everything has a default.  What is wrong is told with file, line and value, before anything runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
import networkx as nx
from msgspec import Meta

from freehold.core.uninterrupted import converted
from freehold.simulator.world.costs import Costs
from freehold.simulator.world.tasks import Tasks, recorded
from freehold.simulator.world.topology import Unfit, checked, fat_tree, racks, star
from freehold.simulator.world.units import Bytes, Number, Rate, Seconds, quantity

Share = Annotated[float, Meta(ge=0, lt=1)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
END = float("inf")


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the description."""


class Cable(Part, frozen=True, kw_only=True):
    """One cable of a graph; where it says nothing the network's values hold."""

    between: tuple[str, str]
    bandwidth: Rate | None = None
    latency: Seconds | None = None


class Network(Part, frozen=True, kw_only=True):
    """How nodes are linked.  The defaults are a rack of servers with 10 Gbit/s each."""

    topology: Literal["star", "racks", "fat-tree", "graph"] = "star"
    bandwidth: Rate = 1.25e9  # of a node's cable, each way
    latency: Seconds = 7.5e-6  # of each cable
    flow: Rate = END  # the most that goes from one node to another, as clouds limit one connection
    per_rack: Count = 20
    spines: Annotated[int, Meta(ge=1, le=1024)] = 1
    oversubscription: Annotated[float, Meta(gt=0)] = 1.0
    cables: tuple[Cable, ...] = ()  # of a graph
    contention: bool = True  # False: transfers do not share links, each has all of its way


class Machine(Part, frozen=True, kw_only=True):
    """What nodes run on."""

    nodes: Count = 1  # that share one machine, in the order of their numbers
    cores: Annotated[float, Meta(ge=1, le=4096, multiple_of=1)] = END
    memory: Rate = END  # bytes a second that all copies of one machine make together


class Fault(Part, frozen=True, kw_only=True, tag_field="kind"):
    """Something that breaks at some time."""

    at: Seconds


class Crash(Fault, frozen=True, kw_only=True, tag="crash"):
    """A node dies, with its workers; ``restart`` seconds later another one joins, with a new name."""

    node: Count  # n0, the head node, takes the cluster with it
    restart: Seconds | None = None


class Partition(Fault, frozen=True, kw_only=True, tag="partition"):
    """What one node sends to another is lost; and the other way round, unless it is one way only."""

    between: tuple[Number, Number]
    one_way: bool = False
    until: Seconds = END


class Slow(Fault, frozen=True, kw_only=True, tag="slow"):
    """A cable has a fraction of its bandwidth, or everything a node does takes as many times as long."""

    cable: tuple[str, str] | None = None
    node: Number | None = None
    factor: Annotated[float, Meta(gt=1)]
    until: Seconds = END


class Lossy(Fault, frozen=True, kw_only=True, tag="lossy"):
    """Frames between nodes are lost, come twice, or late."""

    loss: Share = 0.0
    duplication: Share = 0.0
    delay: Seconds = 0.0  # at most, evenly spread
    until: Seconds = END


class Description(Part, frozen=True, kw_only=True):
    """A simulated cluster."""

    nodes: Count = 1
    cpus: Annotated[float, Meta(gt=0, le=1_000_000)] = 2.0  # of each node, whatever this machine has
    store: Bytes = 2.0 * 2**30  # of each node; bytes are only taken when used
    detection: Seconds = 0.0  # after a node's crash, until those who were linked with it hear of that
    network: Network = Network()
    machine: Machine = Machine()
    costs: Costs = Costs()
    tasks: Tasks = Tasks()
    faults: tuple[Crash | Partition | Slow | Lossy, ...] = ()


def graph_of(description: Description) -> nx.Graph:
    """Return the nodes, switches and cables of a description."""
    network, nodes = description.network, description.nodes
    if network.topology == "racks":
        return racks(
            nodes,
            network.bandwidth,
            network.latency,
            per_rack=network.per_rack,
            spines=network.spines,
            oversubscription=network.oversubscription,
        )
    if network.topology == "fat-tree":
        return fat_tree(nodes, network.bandwidth, network.latency)
    if network.topology == "star":
        return star(nodes, network.bandwidth, network.latency)
    graph = nx.Graph()
    for cable in network.cables:
        bandwidth = network.bandwidth if cable.bandwidth is None else cable.bandwidth
        latency = network.latency if cable.latency is None else cable.latency
        graph.add_edge(*cable.between, bandwidth=bandwidth, latency=latency)
    return checked(graph, nodes)


def read(path: str | Path, said: Mapping[str, Any] | None = None) -> Description:
    """Read a description from a file; what is said beside it goes before it.

    Raises:
        ValueError: one sentence with file, line and value.
        OSError: there is no such file.
    """
    raw, source = written(path)
    return described({**raw, **(said or {})}, source)


def written(path: str | Path) -> tuple[dict[str, Any], Source]:
    """Return what a file of TOML holds, and where.

    Raises:
        ValueError: it is none; one sentence with its name.
        OSError: there is no such file.
    """
    import tomllib

    try:
        text = Path(path).read_text("utf-8")
        return tomllib.loads(text), Source(str(path), text)
    except ValueError as error:  # of which bytes that are no text, and an endless number, are kinds
        raise ValueError(f"{path}: {error}") from None


class Source:
    """Where a description was written."""

    def __init__(self, name: str, text: str = "") -> None:
        self.name = name
        self.lines = text.splitlines()

    def place(self, *keys: str | int) -> str:
        """Return file and line of a key, as exactly as it can be found: if it is not there, those of its table."""
        found = next(filter(None, [self.line(keys[:count]) for count in range(len(keys), 0, -1)]), 0)
        return f"{self.name}:{found}" if found else self.name

    def line(self, keys: tuple[str | int, ...]) -> int:
        """Return the line of a key, 0 if it is none."""
        names = [key for key in keys if isinstance(key, str)]
        which = next((key for key in keys if isinstance(key, int)), 0)  # of tables of the same name
        table, found = "", 0
        seen = {"": 0}
        for number, content in enumerate(self.lines, 1):
            head = content.strip()
            if head.startswith("["):
                table = head.partition("]")[0].strip("[ ")
                seen[table] = seen.get(table, -1) + 1
                key = [*table.split(".")]
            else:
                key = [*(table.split(".") if table else ()), head.partition("=")[0].strip().strip("\"'")]
            if key == names and seen[table] == which and not found:
                found = number
        return found


def described(raw: Mapping[str, Any], source: Source | None = None) -> Description:
    """Return the description that a mapping holds, as TOML reads it.

    Raises:
        ValueError: one sentence with file, line and value.
    """
    source = source or Source("cluster")
    plain = measured(dict(raw), Description, source, ())
    try:
        return possible(converted(plain, Description), source)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        keys = parts(path.rstrip("`"))
        unknown = what.partition("unknown field `")[2].rstrip("`")
        if unknown:
            keys, what = (*keys, unknown), f"there is no {unknown!r}"
        raise ValueError(f"{source.place(*keys) if keys else source.name}: {what}{value_at(raw, keys)}") from None


def possible(description: Description, source: Source) -> Description:
    """Return a description, if all of it can be, and all that is to break is there.

    Raises:
        ValueError: one sentence with file, line and value.
    """
    if description.costs.batch and description.machine.cores == END:
        what = "messages wait until their sender has nothing else to do, which only a machine with cores tells"
        raise ValueError(f"{source.place('costs', 'batch')}: {what}; give [machine] some")
    if description.tasks.recorded:
        try:
            recorded(description.tasks.recorded)
        except ValueError as error:
            raise ValueError(f"{source.place('tasks', 'recorded')}: {error}") from None
    check_cables(description, source)
    for index, fault in enumerate(description.faults):
        for key, what in wrong(fault, description):
            raise ValueError(f"{source.place('faults', index, key)}: {what}")
    return description


def check_cables(description: Description, source: Source) -> None:
    """Refuse cables of which no cluster can be made.

    Raises:
        ValueError: one sentence with file, line and value.
    """
    network, known = description.network, set[frozenset[str]]()
    if network.topology != "graph":
        if network.cables:
            what = f"cables are those of a graph, and the topology is {network.topology!r}; say topology = 'graph'"
            raise ValueError(f"{source.place('network', 'cables')}: {what}")
        return
    for index, cable in enumerate(network.cables):
        one, other = cable.between
        ends = frozenset(cable.between)
        what = f"both ends of this cable are {one!r}" if one == other else ""
        if ends in known:
            what = f"a cable between {one!r} and {other!r} is there already"
        if what:
            raise ValueError(f"{source.place('network', 'cables', index)}: {what}")
        known.add(ends)
    try:
        graph_of(description)
    except Unfit as error:
        at = [index for index, cable in enumerate(network.cables) if error.name in cable.between][:1]
        raise ValueError(f"{source.place('network', 'cables', *at)}: {error}") from None


def wrong(fault: Crash | Partition | Slow | Lossy, description: Description) -> Iterator[tuple[str, str]]:
    """Yield what cannot be of a fault, each with its key."""
    nodes: dict[str, tuple[int, ...]] = {"between": fault.between} if isinstance(fault, Partition) else {}
    if isinstance(fault, Crash | Slow) and fault.node is not None:
        nodes = {"node": (fault.node,)}
    for key, some in nodes.items():
        if max(some) >= description.nodes:
            yield key, f"there are {description.nodes} nodes, from 0 on, and no {max(some)}"
    if isinstance(fault, Partition) and fault.between[0] == fault.between[1]:
        yield "between", f"nothing is between node {fault.between[0]} and itself; name two nodes"
    if isinstance(fault, Slow) and fault.cable is not None:
        one, other = fault.cable
        if not graph_of(description).has_edge(one, other):
            yield "cable", f"no cable is between {fault.cable}"
    if isinstance(fault, Slow) and fault.cable is None and fault.node is None:
        yield "kind", "say which node or cable is slow"
    until = getattr(fault, "until", END)
    if until <= fault.at:
        yield "until", f"it is over before it begins: {until:g} s"


def measured(raw: Any, kind: type[msgspec.Struct], source: Source, keys: tuple[str | int, ...]) -> Any:
    """Return a table with quantities instead of text."""
    if not isinstance(raw, dict):
        return raw
    hints = get_type_hints(kind, include_extras=True)
    return {key: amount(value, hints.get(key), source, (*keys, key)) for key, value in raw.items()}


def amount(value: Any, hint: Any, source: Source, keys: tuple[str | int, ...]) -> Any:
    """Return a value as a quantity, if its field is one.

    Raises:
        ValueError: it is none, or endless; one sentence with file, line and value.
    """
    if isinstance(value, float) and not isfinite(value):
        name = [key for key in keys if isinstance(key, str)][-1]
        what = f"{name} is {value!r}, and has to be finite; leave it out if it has no limit"
        raise ValueError(f"{source.place(*keys)}: {what}")
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return measured(value, hint, source, keys)
    inner = getattr(hint, "__args__", ())
    metas = [meta for meta in getattr(hint, "__metadata__", ()) if isinstance(meta, Meta) and meta.extra]
    if metas and isinstance(value, str):
        try:
            return quantity(value, str((metas[0].extra or {})["unit"]))
        except ValueError as error:
            raise ValueError(f"{source.place(*keys)}: {error}") from None
    if isinstance(value, dict) and getattr(hint, "__origin__", None) is dict:
        return {key: named(one, hint.__args__[1], source, (*keys, key)) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [amount(one, several(hint, one), source, (*keys, index)) for index, one in enumerate(value)]
    for one in inner:
        if getattr(one, "__metadata__", ()) or (isinstance(one, type) and issubclass(one, msgspec.Struct)):
            return amount(value, one, source, keys)
    return value


def named(value: Any, hint: Any, source: Source, keys: tuple[str | int, ...]) -> Any:
    """Return a value of a table in which any name may stand: of those msgspec does not tell which one is wrong."""
    try:
        return converted(amount(value, hint, source, keys), hint)
    except msgspec.ValidationError as error:
        raise ValueError(f"{source.place(*keys)}: {error}: {value!r}") from None


def several(hint: Any, value: Any) -> Any:
    """Return the type of an element of a list: of a union of tables, the one whose kind the element names."""
    (first, *_) = getattr(hint, "__args__", (None,))
    options = getattr(first, "__args__", (first,))
    kinds = {one.__struct_config__.tag: one for one in options if hasattr(one, "__struct_config__")}  # type: ignore[union-attr]
    kind = value.get("kind") if isinstance(value, dict) else None
    return kinds.get(kind, first) if isinstance(kind, str) else first


def parts(path: str) -> tuple[str | int, ...]:
    """Return the keys in a path of msgspec's, ``.network.cables[2].latency``."""
    found: list[str | int] = []
    for part in path.replace("[", ".[").split("."):
        if part.startswith("["):
            found.append(int(part.strip("[]")) if part.strip("[]").isdigit() else 0)
        elif part:
            found.append(part)
    return tuple(found)


def value_at(raw: Any, keys: tuple[str | int, ...]) -> str:
    """Return the value that is wrong, for a message."""
    for key in keys:
        try:
            raw = raw[key]
        except (KeyError, IndexError, TypeError):
            return ""
    return f": {raw!r}" if keys else ""
