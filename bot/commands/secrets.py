"""`countersign secrets`: what lets the bot into other systems, kept in the keyring."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bot.commands.options import Failure, Home, failing
from bot.demo import home as demo
from bot.settings import home_from, load
from connectors.secrets import Secrets, demo_key, open_secrets

app = typer.Typer(help="Tokens and keys, kept in the system's keyring.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Such as slack_bot_token, slack_app_token or directory_token.")]


@app.command(name="set")
def keep(name: Name, home: Home = None) -> None:
    """Keep a secret. It is asked for, or read from standard input; never given on the command line."""
    with failing():
        if sys.stdin.isatty():
            value = typer.prompt(f"{name}", hide_input=True)
        else:
            value = sys.stdin.readline().rstrip("\n")
        kept = _open(home)
        kept.set(name, value)
    Console().print(f"Kept {name} in {kept!r}.", highlight=False)


@app.command(name="list")
def names(home: Home = None) -> None:
    """List the names of what is kept; never a value."""
    with failing():
        found = _open(home).names()
    Console().print("\n".join(found) or "Nothing is kept yet.", highlight=False)


@app.command()
def delete(name: Name, home: Home = None) -> None:
    """Forget a secret."""
    with failing():
        kept = _open(home)
        if name not in kept.names():
            raise Failure(f"There is no secret {name}.")
        kept.delete(name)
    Console().print(f"Forgot {name}.", highlight=False)


def _open(option: Path | None) -> Secrets:
    home = home_from(option)
    given = load(home).secrets_key
    if given is not None:
        return open_secrets(home=home, key=given.get_secret_value())
    return open_secrets(home=home, key=demo_key(home) if demo.is_demo(home) else None)
