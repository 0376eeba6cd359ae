"""The answer and the progress, for a person to read."""
