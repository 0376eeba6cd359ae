"""Attacks on this program, each as its intruder, sick server or hostile endpoint would: `make attack` runs all of them.

A module of this package is a kind of attack. It has `HOLDS`, a sentence that says what must hold, and `attempts`, which
makes up to so many tries against the real program and yields what came of each.
"""
