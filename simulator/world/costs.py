"""What things cost in simulated time: constants, and nothing that uses them.

The defaults are round figures for a server of today; ``freehold sim calibrate`` measures a machine.
"""

from __future__ import annotations

from math import inf

import msgspec

from freehold.simulator.world.units import Number, PerByte, Seconds, Some


class Costs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Constants of a process, and of what lies between two processes of one machine.

    A message costs ``send`` at its sender and ``receive`` at its receiver, which also has to wake up if it has been
    idle for longer than it spins.  A call of the user costs ``call``, a task ``run`` beside its body.  Where processes
    share cores (``hosts.py``) they have to be switched to, and keep a core for a ``slice`` if others want it.
    """

    send: Seconds = 5e-6
    receive: Seconds = 5e-6  # with what the receiver makes of it
    call: Seconds = 5e-6
    submit: Seconds = 0.0  # of a task, beside the call
    run: Seconds = 10e-6
    event: Seconds = 0.0  # that takes no stride: what is usual does (core/strides.py)
    step: Seconds = 0.0  # of a record, in such an event
    turn: Seconds = 0.0  # until a process that had nothing to do has begun to read what came
    wake: Seconds = 0.0  # until a process that sleeps runs again, at the least
    linger: Seconds = 0.0  # beside that, on average
    spin: Seconds = 0.0  # so long it looks for messages before it sleeps
    switch: Seconds = 0.0  # of a core to another process, for each that has used its caches since
    slice: Seconds = 0.003
    batch: Number = 0  # messages wait for an answer from their target, until so many do, or it has nothing else to do
    calm: Some = inf  # on average, a process runs so long until something else takes its processor
    interruption: Seconds = 0.0  # for so long, on average
    local: Seconds = 10e-6  # between two processes of one machine, beside the above
    pickle: PerByte = 1e-10  # a value that travels in a message, at either end
    copy: PerByte = 1e-10  # into an object store
    touch: PerByte = 0.0  # of a store that nothing has used before: its memory has to be found


DEFAULT = Costs()
NOTHING = Costs(send=0.0, receive=0.0, call=0.0, run=0.0, local=0.0, pickle=0.0, copy=0.0)
