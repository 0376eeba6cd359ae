"""What can be reached, read and asked from here, each part examined separately."""
