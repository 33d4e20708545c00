"""The credentials of this process: from the environment, else from where secrets are kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from bot.settings import Settings, SettingsError
from connectors.errors import ConnectorError
from connectors.keys import Keys
from connectors.sdk import secret_of
from connectors.secrets import NoKeyring, Secrets, open_secrets

CHECKPOINT_KEY = "checkpoint_key"  # seals what waiting requests have come to
AUDIT_KEY = "audit_key"  # wraps the key of each person in the record, and signs
OWN_KEYS = (CHECKPOINT_KEY, AUDIT_KEY)  # the bot makes them at its first start; no variable holds them

_WANTED = {
    "slack_bot_token": ("SLACK_BOT_TOKEN", "the app's bot token (xoxb-…)"),
    "slack_app_token": ("SLACK_APP_TOKEN", "the app-level token for Socket Mode (xapp-…)"),
    "directory_token": ("COUNTERSIGN_DIRECTORY_TOKEN", "the token that reads the directory"),
    "directory_write_token": (
        "COUNTERSIGN_DIRECTORY_WRITE_TOKEN",
        "the token that changes groups in the directory",
    ),
    "model_key": ("COUNTERSIGN_MODEL_KEY", "the key of the language model's provider"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """What lets us in. `signing_secret` is needed over HTTP only; "" refuses every request there."""

    bot_token: str = field(repr=False)
    app_token: str = field(repr=False)
    directory_token: str = field(repr=False)
    directory_write_token: str = field(repr=False)
    signing_secret: str = field(repr=False, default="")
    model_key: str | None = field(repr=False, default=None)
    connectors: Mapping[str, str] = field(repr=False, default_factory=dict)  # by scope
    store: Callable[[], Secrets] = field(repr=False)  # opens the secrets afresh, for keys of our own


def read(settings: Settings, *, key: str | None = None) -> Credentials:
    """Read what a running bot needs. `key` opens the home's encrypted file where the settings have none.

    Raises SettingsError with what is missing and how to give it.
    """
    store = _store(settings, key)
    return Credentials(
        bot_token=store.need("slack_bot_token", settings.slack_bot_token),
        app_token=store.need("slack_app_token", settings.slack_app_token),
        directory_token=store.need("directory_token", settings.directory_token),
        directory_write_token=store.need("directory_write_token", settings.directory_write_token),
        signing_secret=settings.slack_signing_secret.get_secret_value()
        if settings.slack_signing_secret
        else "",
        model_key=_model_key(settings, store),
        connectors={
            scope: store.need(secret_of(scope), _given(settings, secret_of(scope)))
            for scope in scopes(settings)
        },
        store=store.open,
    )


def directory_token(settings: Settings, *, key: str | None = None) -> str:
    """Read only what opens the directory, for a command that looks somebody up. Raises as `read` does."""
    return _store(settings, key).need("directory_token", settings.directory_token)


def needed(settings: Settings) -> tuple[str, ...]:
    """Return the names of the secrets without which the bot does not start, with these settings."""
    names = ["slack_bot_token", "slack_app_token"]
    if settings.directory is not None:
        names += ["directory_token", "directory_write_token"]
    if settings.model is not None and settings.model.needs_key:
        names.append("model_key")
    return (*names, *map(secret_of, scopes(settings)))


def scopes(settings: Settings) -> Mapping[str, str]:
    """Return the scopes of the connectors that are switched on, each with what its credential is for."""
    rooms = [settings.rooms.connector(name) for name, _ in settings.connectors.items()]
    return {scope: what for room in rooms if room is not None for scope, what in room.scopes.items()}


def one(settings: Settings, name: str, *, key: str | None = None) -> str:
    """Read one of the `needed` secrets. Raises as `read` does."""
    return _store(settings, key).need(name, _given(settings, name))


def _given(settings: Settings, name: str) -> SecretStr | None:
    """Return a secret that the environment holds."""
    if name in _WANTED:
        given: SecretStr | None = getattr(settings, name)
        return given
    return settings.connector_tokens.get(name.removesuffix("_token"))


def has_own(settings: Settings, name: str, *, key: str | None = None) -> bool:
    """Whether one of `OWN_KEYS` has been made, and is whole. Raises SettingsError when it cannot be read."""
    kept = _store(settings, key).find(name)
    try:
        return bool(kept) and bool(Keys.parse(kept))
    except ConnectorError as error:
        raise SettingsError(f"The secret {name} cannot be read: {error}.") from error


def source_token(settings: Settings, name: str, *, key: str | None = None) -> Callable[[], str]:
    """Return what reads a source's token when it is needed: "" where none is given or kept.

    It is COUNTERSIGN_SOURCE_TOKENS__NAME, else the secret source_NAME_token. Raises SettingsError when it is
    called and the secrets do not open.
    """

    def read() -> str:
        given = settings.source_tokens.get(name)
        if given is not None:
            return given.get_secret_value().strip()
        return _store(settings, key).find(f"source_{name}_token")

    return read


def model_key(settings: Settings, *, key: str | None = None) -> str | None:
    """Read only what opens the language model; None where its server wants none. Raises as `read` does."""
    return _model_key(settings, _store(settings, key))


def _model_key(settings: Settings, store: "_Store") -> str | None:
    if settings.model is None:
        return None
    if settings.model.needs_key:
        return store.need("model_key", settings.model_key)
    given = settings.model_key
    return (given.get_secret_value().strip() if given else "") or store.find("model_key") or None


def _store(settings: Settings, key: str | None) -> "_Store":
    given = settings.secrets_key
    return _Store(settings.home, given.get_secret_value() if given else key)


class _Store:
    def __init__(self, home: Path, key: str | None) -> None:
        self._home = home
        self._key = key
        self._secrets: Secrets | None = None

    def open(self) -> Secrets:
        """Open the secrets afresh. Raises NoKeyring."""
        return open_secrets(home=self._home, key=self._key)

    def find(self, name: str) -> str:
        try:
            if self._secrets is None:
                self._secrets = self.open()
            return self._secrets.get(name) or ""
        except NoKeyring:
            return ""
        except ConnectorError as error:
            raise SettingsError(f"The secret {name} cannot be read: {error}.") from error

    def need(self, name: str, given: SecretStr | None) -> str:
        """Return a secret. Raises SettingsError with how to give it."""
        if given is not None and given.get_secret_value().strip():
            return given.get_secret_value().strip()
        variable, what = _WANTED.get(name) or (
            f"COUNTERSIGN_CONNECTOR_TOKENS__{name.removesuffix('_token').upper()}",
            "the credential that [connectors] needs",
        )
        advice = f"Set {variable} to {what}, or keep it with: countersign secrets set {name}"
        try:
            if self._secrets is None:
                self._secrets = self.open()
            kept = self._secrets.get(name)
        except ConnectorError as error:
            raise SettingsError(f"{advice}. No secrets can be read here: {error}.") from error
        if kept is None:
            raise SettingsError(f"{advice}.")
        return kept
