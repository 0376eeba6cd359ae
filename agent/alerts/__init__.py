"""What an alert of a known rule asks, answered from the readings before anything else is said."""
