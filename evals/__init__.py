"""The fault lab: real servers with real faults."""
