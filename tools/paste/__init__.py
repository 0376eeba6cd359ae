"""What people paste in place of a server: text in, and out of it the replies, logs and figures that stand in it."""
