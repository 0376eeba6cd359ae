"""An incident as a conversation: the same investigation, then questions, commands and approved steps."""
