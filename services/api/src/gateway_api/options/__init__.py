"""What a user may choose for a cluster, and the configuration that follows from it."""
