"""What can be asked of a Redis deployment and its host, and the one gated way to change it."""
