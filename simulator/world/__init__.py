"""The world that a simulated cluster lives in: cables, machines, what things cost, what breaks; no protocol."""
