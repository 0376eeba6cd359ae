"""The plan: what could be done, and what would show that it helped."""
