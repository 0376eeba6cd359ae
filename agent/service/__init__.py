"""The service: incidents that arrive by machine, kept until somebody closes them."""
