"""Who may do what: everything a request has to pass before the service's own routes see it."""
