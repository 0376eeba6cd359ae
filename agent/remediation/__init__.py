"""Steps that a person approves: asked about, carried out, measured, rolled back."""
