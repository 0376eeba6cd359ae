"""Recorded incidents: replayed, used for comparison, captured."""
