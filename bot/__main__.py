"""`python -m bot`: the command `countersign`."""

from bot.cli import main

main()
