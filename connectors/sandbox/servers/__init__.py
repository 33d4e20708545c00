"""Launchers of the sandbox's servers: they run in `.venv-sandbox`, and import nothing of ours."""
