"""What the gateway costs, measured on the embedded cluster. `make bench` runs all of it."""
