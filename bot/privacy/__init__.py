"""What is kept of a person: where it is, how it is shown to them, and how it is erased."""
