"""What may be done, and how it is governed."""
