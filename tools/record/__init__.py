"""An incident as a file: what the servers answered, when, and what was read of their machines; and its replay."""
