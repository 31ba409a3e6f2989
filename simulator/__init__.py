"""The driver that pretends, in simulated time, and its world: hosts, links, costs, faults and studies."""

if __name__ != "freehold.simulator":  # imported as a top-level package, from the repository's root
    raise ImportError(f"import freehold.simulator, not {__name__}")
