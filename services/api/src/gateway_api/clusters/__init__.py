"""A user's clusters: list, create, read, wait for, stop, scale, adapt."""
