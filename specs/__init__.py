"""What must be true, written without the core's help: rules, oracle, properties, explorer, kit."""

if __name__ != "freehold.specs":  # imported as a top-level package, from the repository's root
    raise ImportError(f"import freehold.specs, not {__name__}")
