"""One file per Slack surface: parse, delegate, acknowledge."""
