"""The policies that this installation runs under."""

from dataclasses import replace
from pathlib import Path

from bot.settings import Settings, SettingsError
from bot.systems import operations
from bot.workflows import parameters
from graphs.policy.engine import Policy, PolicyInvalid


def of(settings: Settings, file: Path | None = None) -> Policy:
    """Return the shipped policies with those of a file, which can only forbid: by default the settings' own.

    They speak of what can be done here. Raises SettingsError.
    """
    known, asked = operations(settings), parameters(settings)
    if file is None and settings.policy is not None:
        file = settings.home / settings.policy.file.expanduser()
    if file is None:
        return _permitting(settings, Policy.shipped(operations=known, parameters=asked))
    try:
        found = Policy.shipped(file.read_text(encoding="utf-8"), operations=known, parameters=asked)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The policies {file} cannot be read: {error}.") from error
    except PolicyInvalid as error:
        raise SettingsError(f"The policies {file} cannot be used: {error}.") from error
    return _permitting(settings, found)


def _permitting(settings: Settings, found: Policy) -> Policy:
    return replace(found, confirmable=frozenset(settings.confirm.workflows))
