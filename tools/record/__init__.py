"""An incident as a file: what the servers answered, when, and what was read from their machines; and its replay."""
