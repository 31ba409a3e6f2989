"""Wrong programs about tasks: each line with a mark is refused, with the code that the mark names, and no other."""

from __future__ import annotations

import freehold
from freehold import ObjectRef


@freehold.remote
def describe(number: int, name: str = "x", *, loud: bool = False) -> str:
    return f"{name}{number}{'!' * loud}"


@freehold.remote(num_returns=2)
def both(number: int) -> tuple[int, str]:
    return number, str(number)


number, name = freehold.put(5), freehold.put("five")

describe(5)  # error: operator
describe.remote()  # error: call-overload
describe.remote("five")  # error: call-overload
describe.remote(name)  # error: arg-type
describe.remote(number, number)  # error: arg-type
describe.remote(5, 5)  # error: call-overload
describe.remote(number, 5)  # error: call-overload
describe.remote(5, "five", True)  # error: call-overload
describe.remote(5, louder=True)  # error: call-overload
describe.remote(number, loud="yes")  # error: call-overload
describe.remote([number])  # error: call-overload
describe.remote(number=number)  # error: call-overload
wrong: ObjectRef[int] = describe.remote(5)  # error: assignment
wrong_too: int = freehold.get(describe.remote(number))  # error: assignment
both.remote(5).hex()  # error: attr-defined
describe.options(num_gpus=1)  # error: call-overload
describe.options(name=5)  # error: call-overload
describe.options(num_returns=2).remote("five")  # error: call-overload
freehold.remote(5)  # error: call-overload
freehold.remote(describe)  # error: call-overload
freehold.remote(retries=3)  # error: call-overload
