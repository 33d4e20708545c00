"""Who may request, approve and execute, in Cedar, and the engine around it."""
