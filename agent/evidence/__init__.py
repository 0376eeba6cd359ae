"""Readings as the checks and the model cite them."""
