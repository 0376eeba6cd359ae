"""Steps that a person said yes to: asked about, carried out, measured, taken back."""
