"""Wrong programs about values: each line with a mark is refused, with the code that the mark names, and no other."""

from __future__ import annotations

import freehold
from freehold import ObjectRef

one, two = freehold.put(1), freehold.put("two")

number: int = one  # error: assignment
text: str = freehold.get(one)  # error: assignment
texts: list[str] = freehold.get([one])  # error: list-item
narrow: ObjectRef[int] = two  # error: assignment
freehold.get(5)  # error: call-overload
freehold.get([one, 5])  # error: arg-type
freehold.get(one, timeout="3")  # error: call-overload
freehold.get(one, 3)  # error: call-overload
freehold.wait(one)  # error: arg-type
freehold.wait([one], num_returns="1")  # error: arg-type
ready: list[ObjectRef[int]] = freehold.wait([one])  # error: assignment
freehold.as_completed(5)  # error: arg-type
freehold.as_completed([one], order=True)  # error: call-arg
freehold.cancel(5)  # error: arg-type
for ref in freehold.as_completed([one]):
    ref.upper()  # error: attr-defined
for ref in one:  # error: attr-defined
    pass
one + 1  # error: operator
one.shape  # error: attr-defined
len(two)  # error: arg-type


async def awaited() -> None:
    letters: str = await one  # error: assignment
    async for done in freehold.as_completed([one]):
        word: str = await done  # error: assignment
    one.future().result().upper()  # error: attr-defined
