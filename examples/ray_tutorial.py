"""The ten code cells of Ray's tutorial on remote objects, with only the name `ray` replaced.

A program for Ray's remote functions and objects runs unchanged once its imports name freehold.  The notebook beside
this file has the same cells, each timed by `%%time`.
"""
# mypy: disable-error-code="no-untyped-def"

# %%
import logging
import time

import freehold

# %%
freehold.init(ignore_reinit_error=True, logging_level=logging.ERROR)

# %%
# %%time
obj_ref = freehold.put([23, 42, 93])
print(obj_ref)

# %%
# %%time
print(freehold.get(obj_ref))


# %%
# %%time


@freehold.remote
def my_function(num_list):
    return sum(num_list)


calc_ref = my_function.remote(obj_ref)

# %%
# %%time
print(freehold.get(calc_ref))

# %%
# %%time
print(freehold.get([freehold.put(i) for i in range(3)]))


# %%
@freehold.remote
def long_running_function():
    time.sleep(10)
    return 42


# %%
# %%time
from freehold.exceptions import GetTimeoutError  # noqa: E402

obj_ref = long_running_function.remote()
try:
    freehold.get(obj_ref, timeout=6)
except GetTimeoutError:
    print("`get` timed out")

# %%
freehold.shutdown()
