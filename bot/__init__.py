"""The Slack face, and the only place that knows every part."""
