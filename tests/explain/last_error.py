"""After an error at the prompt objects of the function that failed stay: sys.last_value has them (ipython#12879)."""

import sys

import freehold

freehold.init(num_cpus=1)


@freehold.remote
def nothing(): ...


def rest():
    """Let what is on its way arrive."""
    freehold.get(nothing.remote())


def fail():
    rows = freehold.put(bytes(200_000))
    raise KeyError(rows)


try:
    fail()
except KeyError as error:  # what the interpreter does with an error that nobody catches
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
    (kept,) = error.args
rest()
print(freehold.explain(kept))
freehold.shutdown()
