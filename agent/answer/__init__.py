"""What everyone shares: the diagnosis, the events, the taxonomy of causes."""
