"""Doors and wiring: HTTP, command line, Python. The only reader of the environment."""
