"""What the provider of a managed service says of it by its own interface: figures, settings, and what it did itself."""
