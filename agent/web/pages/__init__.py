"""The page: incidents in a list, one as it develops, and the dialog in which a person approves one exact change."""
