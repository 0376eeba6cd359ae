"""One incident, from the first reading to a verdict."""
