"""Speed and cost, measured against real servers in one run, and held to limits where the measurement can tell."""
