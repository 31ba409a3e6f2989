"""The default backend: a cluster of real processes on this machine, with one object store a node."""
