"""What can be reached, read and asked from here, each part looked at by itself."""
