"""Is the simulator right about this machine?  The same programs, really and simulated."""
