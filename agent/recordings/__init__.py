"""Recorded incidents: investigated anew, compared with, captured."""
