"""The policies that this installation runs under."""

from pathlib import Path

from bot.settings import Settings, SettingsError
from graphs.policy.engine import Policy, PolicyInvalid


def of(settings: Settings) -> Policy:
    """Return the shipped policies with those of the installation. Raises SettingsError."""
    if settings.policy is None:
        return Policy.shipped()
    return read(settings.home / settings.policy.file.expanduser())


def read(file: Path) -> Policy:
    """Return the shipped policies with those of a file, which can only forbid. Raises SettingsError."""
    try:
        return Policy.shipped(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The policies {file} cannot be read: {error}.") from error
    except PolicyInvalid as error:
        raise SettingsError(f"The policies {file} cannot be used: {error}.") from error
