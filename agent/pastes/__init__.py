"""What people paste in place of a server, as an incident that is investigated like any other."""
