"""Scoring arms over recorded incidents."""
