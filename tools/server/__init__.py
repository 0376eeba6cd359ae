"""What a server says about itself: one tool per module."""
