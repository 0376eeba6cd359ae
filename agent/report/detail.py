"""How much of an answer is printed as text: a line (-q), a screen, with -v the evidence, with -vv all readings."""

QUIET, SCREEN, EVIDENCE, READINGS = -1, 0, 1, 2
