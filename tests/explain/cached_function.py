"""References outlive all variables: a cache of results and a closure keep them (ray#7358)."""

import functools

import freehold

freehold.init(num_cpus=1)


@functools.cache
def load(name: str) -> freehold.ObjectRef[bytes]:
    return freehold.put(name.encode())


def reader(ref):
    return lambda: freehold.get(ref)


read = reader(load("a"))
print(freehold.explain(load("a")))
freehold.shutdown()
