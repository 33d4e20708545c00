"""What is examined, and how a finding is made."""

from dataclasses import dataclass

from bot import credentials
from bot.settings import Settings
from connectors.base import Finding


@dataclass(frozen=True, kw_only=True, slots=True)
class Patient:
    """What is examined: the settings, and the key of a demo's secrets."""

    settings: Settings
    key: str | None

    def secret(self, name: str) -> str:
        """Return one of the secrets that the settings need. Raises SettingsError with how to give it."""
        return credentials.one(self.settings, name, key=self.key)


def fine(name: str, detail: str, advice: str = "") -> Finding:
    """Something needed that is there."""
    return Finding(name=name, ok=True, detail=detail, mend=advice)


def wrong(name: str, detail: str, mend: str) -> Finding:
    """Something needed that is not there, and what to change."""
    return Finding(name=name, ok=False, detail=detail, mend=mend)
