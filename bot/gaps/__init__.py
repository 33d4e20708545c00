"""What people asked and did not get, and what owners do about it."""
