"""What others have measured, and what the simulator says of it."""
