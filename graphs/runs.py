"""start, submit, decide, advance: all that the bot may call."""
