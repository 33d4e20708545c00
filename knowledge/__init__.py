"""What the company has written, and what it answers."""
