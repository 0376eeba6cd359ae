"""The conversation with a model, up to a diagnosis that it submits."""
