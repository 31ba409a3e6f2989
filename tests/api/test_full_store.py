"""An object larger than the store: refused at once, however long a create may wait for room."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import freehold
from freehold.exceptions import ObjectStoreFullError

pytestmark = [pytest.mark.nodes(1), pytest.mark.timeout(30)]
MIB = 2**20


@freehold.remote
def make(nbytes: int):
    return np.zeros(nbytes, np.uint8)


@freehold.remote
def size(array) -> int:
    return int(array.nbytes)


@pytest.fixture(autouse=True)
def small_store(world) -> Iterator[None]:
    """A store of 8 MiB, in which creates would wait for an hour; afterwards it has room for what fits."""
    world.start(object_store_memory=8 * MIB, store_wait=3600.0)
    yield
    assert freehold.get(size.remote(freehold.put(np.zeros(4 * MIB, np.uint8)))) == 4 * MIB
    world.assert_clean("full store")


def test_a_put() -> None:
    with pytest.raises(ObjectStoreFullError, match="8,388,608") as caught:
        freehold.put(np.zeros(9 * MIB, np.uint8))
    assert "asked 9,437," in str(caught.value) and caught.value.object and caught.value.advice


def test_an_argument() -> None:
    with pytest.raises(ObjectStoreFullError, match="8,388,608"):
        size.remote(np.zeros(9 * MIB, np.uint8))


def test_a_return() -> None:
    ref = make.remote(9 * MIB)
    for _ in range(2):
        with pytest.raises(ObjectStoreFullError, match="8,388,608"):
            freehold.get(ref)


def test_what_depends_on_it() -> None:
    with pytest.raises(ObjectStoreFullError, match="8,388,608"):
        freehold.get(size.remote(make.remote(9 * MIB)))


def test_references_inside_it() -> None:
    inner = freehold.put(b"inner")
    with pytest.raises(ObjectStoreFullError):
        freehold.put([inner, np.zeros(9 * MIB, np.uint8)])
    assert freehold.get(inner) == b"inner"
