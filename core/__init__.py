"""The protocol: pure state machines, and around them serialization, references, the session and the API."""

if __name__ != "freehold.core":  # imported as a top-level package, from the repository's root
    raise ImportError(f"import freehold.core, not {__name__}")
