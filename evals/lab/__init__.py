"""Real servers with real faults: for tests, for the demo and for tuning."""
