"""Faults of the lab as tasks for an agent that may act: the symptom has to go, and nothing else may change."""
