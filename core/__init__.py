"""The protocol: pure state machines, and around them serialization, references, the session and the API."""

if __name__ != "freehold.core":  # imported as a top-level package, from the repository's root
    raise ImportError(f"import freehold.core, not {__name__}")

from freehold.core.uninterrupted import uninterrupted

with uninterrupted():  # msgspec swallows what comes while it imports datetime, and ends the process when it needs that
    import msgspec as msgspec
