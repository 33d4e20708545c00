"""One module per workflow. They do not know each other."""
