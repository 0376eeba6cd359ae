"""What every recorded incident is answered with, as text files by family that a person can read and compare."""
