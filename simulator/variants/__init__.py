"""Other protocols, for comparison: models of messages and of what they cost, for the same workloads."""
