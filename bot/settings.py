"""What the operator decides: `countersign.toml` in the home, overridden by the environment.

This is the only module that reads the environment.
"""

import logging
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import (
    AfterValidator,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    create_model,
    field_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bot import homes, strength
from bot.rooms import RoomInvalid, Rooms
from bot.schedule import known_zone
from bot.source_settings import AnySource
from connectors.sections import Section, Url
from graphs.sections import Channel

logger = logging.getLogger(__name__)

CONFIG = "countersign.toml"
SECRETS = frozenset(
    {
        "slack_bot_token",
        "slack_app_token",
        "slack_signing_secret",
        "secrets_key",
        "directory_token",
        "directory_write_token",
        "source_tokens",
        "connector_tokens",
        "model_key",
    }
)
_MODELS = {
    "anthropic": "https://api.anthropic.com",
    "openai": "https://api.openai.com/v1",
    "ollama": "http://127.0.0.1:11434",
}


class SettingsError(Exception):
    """The settings cannot be used. The message is a sentence that says what to change."""


class DirectorySettings(Section):
    """The directory server: where it is, and the name under which it vouches for its people."""

    url: Url
    issuer: str = Field(min_length=1)


class Switched(Section):
    """The rooms that are switched on, each with its settings, by name."""

    def items(self) -> Iterator[tuple[str, Section]]:
        """Yield the name and the settings of each."""
        for name in type(self).model_fields:
            if (given := getattr(self, name)) is not None:
                yield name, given

    def get(self, name: str) -> Any:
        """Return the settings of one; None where it is not switched on."""
        return getattr(self, name, None)


class ModelSettings(Section):
    """The language model that words answers. Without this table there is none."""

    provider: Literal["anthropic", "openai", "ollama"]
    name: str = Field(min_length=1)
    base_url: Url | None = None
    timeout: float = Field(default=20, gt=0, le=120)

    @property
    def address(self) -> str:
        """Where the model is asked."""
        return self.base_url or _MODELS[self.provider]

    @property
    def needs_key(self) -> bool:
        """Whether nobody is served there without a key: true of the providers' own addresses."""
        return self.base_url is None and self.provider != "ollama"


class GapSettings(Section):
    """Questions that were not answered well, and for how long they are kept."""

    keep_days: int = Field(default=180, ge=1, le=3650)


class PolicySettings(Section):
    """Policies of the installation's own, beside those that ship: they can only forbid more."""

    file: Path


class ConfirmSettings(Section):
    """The workflows whose requesters may confirm alone what can be undone and concerns nobody else."""

    workflows: tuple[Annotated[str, Field(min_length=1)], ...] = ()


class AuditSettings(Section):
    """The record: where its checkpoints are copied to, and how long what stands beside it is kept."""

    copies: Path | None = None  # a folder; without it, one in the home
    keep_days: int = Field(default=2557, ge=1)  # seven years


class RequestSettings(Section):
    """How much one person may ask for."""

    most_open: int = Field(default=20, ge=1, le=1000)  # requests of a person that may be open at a time


class OperatorSettings(Section):
    """Those who run the bot: the channel in which they are told what needs them."""

    channel: Channel


class KnowledgeSettings(Section):
    """Old editions: how many are kept beside the one that serves, and for how long after they last served."""

    keep_editions: int = Field(default=20, ge=1)
    keep_days: int = Field(default=365, ge=1)


class Settings(BaseSettings):
    """Everything the operator decides, read once and passed on."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix="COUNTERSIGN_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
    )

    home: Path
    database_url: str | None = None
    database_owner_url: str | None = None
    secrets_key: SecretStr | None = None
    directory_token: SecretStr | None = None
    directory_write_token: SecretStr | None = None
    source_tokens: dict[str, SecretStr] = Field(default_factory=dict)
    model_key: SecretStr | None = None
    slack_bot_token: SecretStr | None = Field(default=None, validation_alias="slack_bot_token")
    slack_app_token: SecretStr | None = Field(default=None, validation_alias="slack_app_token")
    slack_signing_secret: SecretStr | None = Field(default=None, validation_alias="slack_signing_secret")
    slack_api_url: str = Field(default="https://slack.com/api/", validation_alias="slack_api_url")
    directory: DirectorySettings | None = None
    knowledge: KnowledgeSettings = KnowledgeSettings()
    model: ModelSettings | None = None
    workflows: Switched = Switched()
    connectors: Switched = Switched()
    connector_tokens: dict[str, SecretStr] = Field(default_factory=dict)  # by scope, "tickets_write"
    extensions: dict[str, str] = Field(default_factory=dict)  # that may run: name and hash
    gaps: GapSettings = GapSettings()
    policy: PolicySettings | None = None
    confirm: ConfirmSettings = ConfirmSettings()
    audit: AuditSettings = AuditSettings()
    operator: OperatorSettings | None = None
    requests: RequestSettings = RequestSettings()
    time_zone: Annotated[str, AfterValidator(known_zone)] = "UTC"
    sources: tuple[AnySource, ...] = ()
    _rooms: Rooms = PrivateAttr(default_factory=lambda: Rooms(allowed={}))

    @property
    def rooms(self) -> Rooms:
        """The workflows and connectors that may run here, switched on or not."""
        return self._rooms

    @field_validator("sources")
    @classmethod
    def _distinct(cls, sources: tuple[AnySource, ...]) -> tuple[AnySource, ...]:
        names = [source.name for source in sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two of them have the name {twice[0]}")
        return sources

    @field_validator("slack_api_url")
    @classmethod
    def _closed(cls, url: str) -> str:
        return url if url.endswith("/") else f"{url}/"

    @property
    def audit_copies(self) -> Path:
        """Where checkpoints of the record are copied to."""
        return self.audit.copies or self.home / "audit-checkpoints"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment override the file, and read nothing else."""
        return (env_settings, init_settings)


def home_from(option: Path | None) -> Path:
    """Return the Countersign home: the option, else COUNTERSIGN_HOME, else the platform's data folder."""
    if option is not None:
        return option.expanduser().absolute()
    named = os.environ.get("COUNTERSIGN_HOME")
    if named:
        return Path(named).expanduser().absolute()
    return platformdirs.user_data_path("countersign", appauthor=False)


def load(home: Path, config: Path | None = None, *, as_it_is: bool = False) -> Settings:
    """Read the settings of this home. A file named by `config` must exist; the home's own need not.

    A home that others may look into is closed first, and the log says so. A weak key of the secrets is
    refused. `as_it_is` leaves both to a command that looks at them or mends them. Raises SettingsError.
    """
    if not as_it_is:
        _secure(home)
    path = config if config is not None else home / CONFIG
    values = _file(path, required=config is not None)
    kept = sorted(SECRETS & values.keys())
    if kept:
        raise SettingsError(
            f"{path} holds the secret '{kept[0]}'. Keep it in the keyring or the environment."
        )
    try:
        settings = made({**values, "home": home})
    except RoomInvalid as error:
        raise SettingsError(str(error)) from error
    except ValidationError as error:
        raise SettingsError(_sentence(path, error)) from error
    if settings.secrets_key is not None and not as_it_is:
        _require_strong(settings.secrets_key)
    return settings


def made(values: Mapping[str, Any]) -> Settings:
    """Return the settings of these values and the environment, with the tables of the rooms that they name.

    Raises RoomInvalid and pydantic's ValidationError.
    """
    rooms = Rooms.allowing(Path(values["home"]), _pins(values))
    settings = _of(rooms, values)(**values)
    settings._rooms = rooms
    return settings


def _pins(values: Mapping[str, Any]) -> Mapping[str, str]:
    """Return what `[extensions]` allows, as far as it can be read; what cannot is refused with the rest."""
    given = values.get("extensions")
    return given if isinstance(given, dict) and all(isinstance(pin, str) for pin in given.values()) else {}


def _of(rooms: Rooms, values: Mapping[str, Any]) -> type[Settings]:
    """Return the settings with a table for each room that the file or the environment names."""
    workflows = _switched({name: rooms.workflow(name) for name in _named(values, "workflows")})
    connectors = _switched({name: rooms.connector(name) for name in _named(values, "connectors")})
    return create_model(
        "Settings",
        __base__=Settings,
        workflows=(workflows, workflows()),
        connectors=(connectors, connectors()),
    )


def _named(values: Mapping[str, Any], table: str) -> set[str]:
    given, prefix = values.get(table), f"COUNTERSIGN_{table.upper()}__"
    of_file = set(given) if isinstance(given, dict) else set()
    return of_file | {
        name.removeprefix(prefix).partition("__")[0].lower() for name in os.environ if name.startswith(prefix)
    }


def _switched(rooms: Mapping[str, Any]) -> type[Switched]:
    """Return the table of these rooms. A name that no room has is left to be refused."""
    fields: dict[str, Any] = {
        name: (room.settings | None, None) for name, room in sorted(rooms.items()) if room is not None
    }
    return create_model("Switched", __base__=Switched, **fields)


def _secure(home: Path) -> None:
    try:
        for done in homes.secure(home):
            logger.warning("%s", done)
    except homes.HomeRefused as error:
        raise SettingsError(str(error)) from error


def _require_strong(key: SecretStr) -> None:
    why = strength.weakness(key.get_secret_value())
    if why:
        raise SettingsError(
            f"COUNTERSIGN_SECRETS_KEY is too weak: {why}. {strength.ADVICE}. If secrets.crypt exists "
            "already, take the new key into use with: countersign secrets rekey"
        )


def _file(path: Path, *, required: bool) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError as error:
        if required:
            raise SettingsError(f"There is no settings file {path}.") from error
        return {}
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}.") from error
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from error


def _sentence(path: Path, error: ValidationError) -> str:
    """Say what is wrong with which keys, and never what their values are."""
    lines = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            lines.append(f"the key '{key}' is not known")
        elif problem["type"] == "missing":
            lines.append(f"the key '{key}' is missing")
        else:
            lines.append(f"the key '{key}': {problem['msg'].removeprefix('Value error, ')}")
    return f"The settings ({path} and the environment) cannot be used: {'; '.join(lines)}."
