"""Errors of Redis clients in what people report: whose they are, at which stage, and which side they accuse."""
