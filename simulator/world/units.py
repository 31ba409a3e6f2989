"""Quantities with units: ``"10 Gbit/s"``, ``"7.5 us"``, ``"64 MiB"``, and numbers, which are bytes and seconds."""

from __future__ import annotations

import re
from math import inf, isfinite
from typing import Annotated

from msgspec import Meta

SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
PREFIXES = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
BYTES = {prefix + "B": float(factor) for prefix, factor in {**PREFIXES, **BINARY}.items()}
RATES = {
    **{f"{unit}/s": factor for unit, factor in BYTES.items()},
    **{f"{prefix}bit/s": factor / 8 for prefix, factor in PREFIXES.items()},
}
UNITS = {"s": SECONDS, "B": BYTES, "B/s": RATES, "s/B": {"s/B": 1.0, "ns/B": 1e-9, "ps/B": 1e-12}, "": {}}
PATTERN = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(\S*)\s*")


def quantity(value: object, unit: str) -> float:
    """Return a quantity in the base unit.

    Args:
        value: a number of that unit, or text with a unit, such as ``"10 Gbit/s"``.
        unit: the base unit, ``"s"``, ``"B"``, ``"B/s"``, ``"s/B"``, or "" for none.

    Raises:
        ValueError: it is none, or of another kind.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number, factor = float(value), 1.0
        except OverflowError:
            number, factor = inf, 1.0
    else:
        match = PATTERN.fullmatch(value) if isinstance(value, str) else None
        known = UNITS[unit]
        if match is None or match[2] not in known:
            some = ", ".join(known) if known else "a number without a unit"
            raise ValueError(f"{value!r} is not a quantity in one of {some}" if known else f"{value!r} is not {some}")
        number, factor = float(match[1]), known[match[2]]
    if not isfinite(number):
        raise ValueError(f"{value!r} is not finite")
    return number * factor


def shown(amount: float, unit: str) -> str:
    """Return a quantity with a unit that suits its size: ``1.25 GB/s``, ``7.5 us``."""
    if unit == "" or amount == inf:
        return f"{amount:g}"
    steps = SECONDS if unit == "s" else {f"{prefix}{unit}": factor for prefix, factor in PREFIXES.items()}
    fitting = [(factor, name) for name, factor in steps.items() if factor <= abs(amount) * (1 + 1e-9) and name != "µs"]
    factor, name = max(fitting, default=(min(steps.values()), min(steps, key=lambda name: steps[name])))
    return f"{amount / factor:.4g} {name}"


def sized(nbytes: float) -> str:
    """Return a size in the powers of two in which objects are measured: ``100 KiB``."""
    units = [("B", 1), *[(f"{prefix}B", factor) for prefix, factor in BINARY.items()]]
    name, factor = [unit for unit in units if unit[1] <= max(nbytes, 1)][-1]
    return f"{nbytes / factor:.3g} {name}"


# ------------------------------------------------------------------ types of fields that are quantities

Seconds = Annotated[float, Meta(ge=0, extra={"unit": "s"})]
Some = Annotated[float, Meta(gt=0, extra={"unit": "s"})]  # seconds, but not none
Bytes = Annotated[float, Meta(ge=1, extra={"unit": "B"})]
Rate = Annotated[float, Meta(gt=0, extra={"unit": "B/s"})]
Number = Annotated[int, Meta(ge=0)]
PerByte = Annotated[float, Meta(ge=0, extra={"unit": "s/B"})]
