"""The words behind `bot.router`: how people ask, want, greet and give up."""
