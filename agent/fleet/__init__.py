"""Many targets looked at one beside the other: what is wrong at which, and what comes closer to a limit."""
