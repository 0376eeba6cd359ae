"""The loop, the checks, the diagnosis and the plan: from readings to an answer."""
