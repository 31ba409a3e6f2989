"""What things cost in simulated time: constants, and nothing that uses them.

The defaults are round figures for a server of today; ``freehold sim calibrate`` measures a machine.
"""

from __future__ import annotations

import msgspec

from freehold.simulator.world.units import PerByte, Seconds


class Costs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Constants of a process, and of what lies between two processes of one machine.

    A message costs ``send`` at its sender and ``receive`` at its receiver, which also has to wake up if it has been
    idle for longer than it spins.  A call of the user costs ``call``, a task ``run`` beside its body.
    """

    send: Seconds = 5e-6
    receive: Seconds = 5e-6  # with what the receiver makes of it
    call: Seconds = 5e-6
    run: Seconds = 10e-6
    step: Seconds = 0.0  # of a record, unless it is part of a stride: what is usual takes one (core/strides.py)
    wake: Seconds = 0.0  # until a process that sleeps runs again
    spin: Seconds = 0.0  # so long it looks for messages before it sleeps
    local: Seconds = 10e-6  # between two processes of one machine, beside the above
    pickle: PerByte = 1e-10  # a value that travels in a message, at either end
    copy: PerByte = 1e-10  # into an object store


DEFAULT = Costs()
NOTHING = Costs(send=0.0, receive=0.0, call=0.0, run=0.0, local=0.0, pickle=0.0, copy=0.0)
