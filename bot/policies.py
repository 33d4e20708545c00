"""The policies that this installation runs under."""

from dataclasses import replace
from pathlib import Path

from bot.settings import Settings, SettingsError
from graphs.policy.engine import Policy, PolicyInvalid


def of(settings: Settings) -> Policy:
    """Return the shipped policies with those of the installation. Raises SettingsError."""
    own = settings.policy
    found = Policy.shipped() if own is None else read(settings.home / own.file.expanduser())
    return replace(found, confirmable=frozenset(settings.confirm.workflows))


def read(file: Path) -> Policy:
    """Return the shipped policies with those of a file, which can only forbid. Raises SettingsError."""
    try:
        return Policy.shipped(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The policies {file} cannot be read: {error}.") from error
    except PolicyInvalid as error:
        raise SettingsError(f"The policies {file} cannot be used: {error}.") from error
