"""What the commands' help says."""

import re
from collections.abc import Iterator

import click
import pytest
import typer
from typer.testing import CliRunner

from bot.cli import app

ROOT = typer.main.get_command(app)


def commands(command: click.Command, *path: str) -> Iterator[tuple[str, ...]]:
    """Every command, groups included, as it is called."""
    yield path
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, *path, name)


@pytest.mark.parametrize("path", list(commands(ROOT)), ids=" ".join)
def test_help_is_shown_as_it_was_written(path: tuple[str, ...]) -> None:
    """Nothing of it is taken for markup and left out: `[policy]` and `[[sources]]` are names of settings."""
    command = ROOT
    for name in path:
        command = command.commands[name]  # type: ignore[attr-defined]
    shown = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    written = [command.help, *(getattr(param, "help", None) for param in command.params)]
    for text in filter(None, written):
        assert words(text.replace("\\[", "[")) in words(shown.output)


def words(text: str) -> str:
    """Only what is read: no frames, no spacing."""
    return re.sub(r"[\s│╭╮╰╯─]+", " ", text).strip()
