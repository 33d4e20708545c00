"""A folder for each outside system, and what they share."""
