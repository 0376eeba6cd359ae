"""Recorded incidents: investigated again, compared with, captured."""
