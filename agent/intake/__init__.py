"""What arrives by webhook, checked and turned into submissions."""
