"""Whether Slack would take the blocks and views it is sent, in Slack's own words where it would not."""
