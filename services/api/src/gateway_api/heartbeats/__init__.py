"""What a scheduler reports about its cluster: how many workers it wants."""
