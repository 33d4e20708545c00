"""A Slack workspace on this machine: Web API, Socket Mode, people who act, and a page in the browser.

The unchanged Bolt app talks to it through `SLACK_API_URL`; tests and the page act as any person through
`/control`. What it must get right, and where Slack's own words are, is said beside each rule.
"""
