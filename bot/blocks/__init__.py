"""Pure functions from what we know to what Slack shows."""
