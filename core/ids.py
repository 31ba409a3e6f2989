"""Names of parties and objects: packed integers, minted by counters, never reused.

A *party* is a node (a machine with one object store) or a worker (a process).  Its name is
``(node index + 1, incarnation)``: incarnation 0 is the node itself, a worker gets the next free number of its
node, so a restarted process never answers to its predecessor's name.  An *object's* name is
``(owner, counter)``: who answers for it can be read off the name, and a task's returns are the numbers that
follow the task's own, so that a retry mints the same names.

Everything fits into 64 bits, which is what the wire codec can carry as one integer.
"""

INCARNATION_BITS = 14
NODE_BITS = 14
COUNTER_BITS = 36
INCARNATION_MASK = (1 << INCARNATION_BITS) - 1
COUNTER_MASK = (1 << COUNTER_BITS) - 1
INCARNATIONS_MAX = INCARNATION_MASK
NODES_MAX = (1 << NODE_BITS) - 2

PartyID = int  # a worker or a node
ObjectID = int  # also names a task: a task is called like its first return


def node_id(index: int) -> PartyID:
    """Return the name of the node with this index, counted from 0, the head node."""
    if not 0 <= index <= NODES_MAX:
        raise ValueError(f"a node index lies between 0 and {NODES_MAX}, not {index}")
    return (index + 1) << INCARNATION_BITS


HEAD = node_id(0)  # the head node keeps the list of all others


def worker_id(node: PartyID, incarnation: int) -> PartyID:
    """Return the name of a worker; incarnations of a node count from 1 and are never reused."""
    if not 1 <= incarnation <= INCARNATIONS_MAX:
        raise ValueError(f"node {node_index(node)} has started {incarnation} workers; {INCARNATIONS_MAX} is the limit")
    return node | incarnation


def node_of(party: PartyID) -> PartyID:
    """Return the node on which a party lives; a node lives on itself."""
    return party >> INCARNATION_BITS << INCARNATION_BITS


def node_index(party: PartyID) -> int:
    """Return the index, counted from 0, of the node on which a party lives."""
    return (party >> INCARNATION_BITS) - 1


def is_node(party: PartyID) -> bool:
    """Tell nodes from workers."""
    return not party & INCARNATION_MASK


def object_id(owner: PartyID, counter: int) -> ObjectID:
    """Return the name of the owner's object number ``counter``."""
    if not 0 <= counter <= COUNTER_MASK:
        raise OverflowError(f"{party_name(owner)} has created {counter} objects; {COUNTER_MASK} is the limit")
    return owner << COUNTER_BITS | counter


def owner_of(object: ObjectID) -> PartyID:
    """Return the worker that answers for an object."""
    return object >> COUNTER_BITS


def party_name(party: PartyID) -> str:
    """Return the short name that stories and errors print: ``n0`` for a node, ``n0w3`` for a worker."""
    if not party:
        return "-"
    name = f"n{node_index(party)}"
    return name if is_node(party) else f"{name}w{party & INCARNATION_MASK}"


def object_name(object: ObjectID) -> str:
    """Return the short name of an object: its owner's and its number, ``n0w1.7``."""
    return f"{party_name(owner_of(object))}.{object & COUNTER_MASK}"
