"""The answer and the progress, as a person reads them."""
