"""What the service answers by HTTP: its interface, its page, and who may use them."""
