"""What a server says of itself: one tool a module."""
