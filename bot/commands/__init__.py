"""The commands, by topic. Each parses its options, calls, and prints."""
