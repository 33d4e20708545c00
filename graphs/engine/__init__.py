"""What makes a state machine of a workflow, and carries it out."""
