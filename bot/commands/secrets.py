"""`countersign secrets`: what lets the bot into other systems, kept in the keyring."""

import asyncio
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bot import strength
from bot.commands.opened import secrets_of
from bot.commands.options import Config, Failure, Home, Json, failing, write_json
from bot.credentials import AUDIT_KEY, CHECKPOINT_KEY, OWN_KEYS
from bot.demo import home as demo
from bot.settings import home_from, load
from connectors.keys import Keys
from connectors.secrets import FILE, EncryptedFile, Secrets, demo_key

app = typer.Typer(help="Tokens and keys, kept in the system's keyring.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Such as slack_bot_token or directory_token.")]


@app.command(name="set")
def keep(name: Name, home: Home = None) -> None:
    """Keep a secret. It is asked for, or read from standard input; never given on the command line."""
    with failing():
        value = _typed(name)
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


@app.command()
def rotate(
    name: Annotated[str, typer.Argument(help=f"{CHECKPOINT_KEY} or {AUDIT_KEY}.")] = CHECKPOINT_KEY,
    home: Home = None,
) -> None:
    """Make a new key of the bot itself. The old ones still open what they closed; then restart the bot."""
    with failing():
        if name not in OWN_KEYS:
            raise Failure(
                f"Only {' and '.join(OWN_KEYS)} are made by the bot. Set {name} where it comes from."
            )
        kept = _open(home)
        held = kept.get(name)
        if held is None:
            raise Failure(f"There is no {name} yet: the bot makes it at its first start.")
        rotated = Keys.parse(held).rotated()
        kept.set(name, rotated.text())
    Console().print(
        f"The {name} is {rotated.newest.id} now. Bring it to every machine with secrets of its own, then "
        "restart each bot and worker.",
        highlight=False,
    )
    if name == AUDIT_KEY:
        Console().print(
            "Then give auditors the new public key as well: countersign audit key", highlight=False
        )


@app.command()
def key() -> None:
    """Make a key for COUNTERSIGN_SECRETS_KEY, and print it and nothing else. It is kept nowhere."""
    sys.stdout.write(f"{strength.fresh()}\n")


@app.command()
def rekey(home: Home = None) -> None:
    """Close the encrypted file with another key. COUNTERSIGN_SECRETS_KEY is the key that it has now.

    The new key is asked for, or read from standard input.
    """
    with failing():
        settings = load(home_from(home), as_it_is=True)
        if settings.secrets_key is None:
            raise Failure("Set COUNTERSIGN_SECRETS_KEY to the key that the file has now.")
        fresh = _typed("The new key")
        if why := strength.weakness(fresh):
            raise Failure(f"The new key is too weak: {why}. {strength.ADVICE}")
        file = EncryptedFile(settings.home / FILE, settings.secrets_key.get_secret_value())
        file.rekey(fresh)
    Console().print(
        f"{settings.home / FILE} opens with the new key now, and no longer with the old one. Set "
        "COUNTERSIGN_SECRETS_KEY to it, then restart each bot and worker of this home.",
        highlight=False,
        soft_wrap=True,
    )


@app.command()
def check(home: Home = None, config: Config = None, as_json: Json = False) -> None:
    """Say of each secret that the settings need whether it is there and accepted. Exit code 1: one is not."""
    from bot import accepted  # noqa: PLC0415  # asks Slack and the directory; the others need neither

    where = home_from(home)

    async def look() -> list[accepted.Finding]:
        settings = load(where, config)
        return [one async for one in accepted.look(settings, secrets_key=_demo_key(where))]

    with failing():
        found = asyncio.run(look())
    if as_json:
        write_json({"secrets": [asdict(one) for one in found]})
    else:
        for one in found:
            Console().print(
                f"{one.name:<24}{one.state}{f': {one.detail}' if one.detail else ''}",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )
    if not all(one.is_well for one in found):
        raise typer.Exit(1)


def _typed(name: str) -> str:
    """Ask for a value, which is not shown, or read it from standard input."""
    if sys.stdin.isatty():
        return str(typer.prompt(name, hide_input=True))
    return sys.stdin.readline().rstrip("\n")


def _open(option: Path | None) -> Secrets:
    return secrets_of(load(home_from(option)))


def _demo_key(home: Path) -> str | None:
    return demo_key(home) if demo.is_demo(home) else None
