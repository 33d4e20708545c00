"""The demo: a workspace, a directory server and the bot on this machine, for a fictional company."""
