"""Whether this process serves, and which version it is."""
