"""Drivers that really do what the core asks for: in this process, or on a cluster of processes."""

if __name__ != "freehold.backends":  # imported as a top-level package, from the repository's root
    raise ImportError(f"import freehold.backends, not {__name__}")
