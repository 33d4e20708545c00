"""The seed of a workspace: who is in it, which channels it has, and which app is installed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator


class Record(BaseModel):
    """A frozen record; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Team(Record):
    """The workspace itself."""

    id: str
    name: str
    domain: str


class Person(Record):
    """Somebody with an account, or a bot user."""

    id: str
    name: str
    real_name: str
    title: str = ""
    email: str = ""
    color: str = "4a6fa5"
    tz: str = "Etc/UTC"
    is_bot: bool = False
    is_restricted: bool = False
    deleted: bool = False


class Channel(Record):
    """A public or private channel and the ids of its members, the bot's included if it is one."""

    id: str
    name: str
    topic: str = ""
    private: bool = False
    archived: bool = False
    members: frozenset[str] = frozenset()
    shared: frozenset[str] = (
        frozenset()
    )  # what Slack says of it: is_shared, is_ext_shared, is_org_shared, ...


class Command(Record):
    """A slash command, with its slash."""

    command: str
    description: str = ""
    usage_hint: str = ""


class Shortcut(Record):
    """A global or message shortcut."""

    callback_id: str
    name: str
    type: Literal["global", "message"]
    description: str = ""


class App(Record):
    """The installed app: its ids, its tokens, and what its manifest grants."""

    id: str
    name: str
    bot_id: str
    bot_user: str
    bot_token: str
    app_token: str
    verification_token: str = "local-verification-token"  # noqa: S105 - Slack's legacy field, no secret
    scopes: frozenset[str]
    app_scopes: frozenset[str] = frozenset({"connections:write"})
    events: frozenset[str]
    commands: tuple[Command, ...] = ()
    shortcuts: tuple[Shortcut, ...] = ()

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any], **identity: Any) -> Self:
        """Return the app that `manifest` (version 2) describes, installed with the ids and tokens given."""
        features = manifest.get("features", {})
        settings = manifest.get("settings", {})
        fields = ("command", "description", "usage_hint")
        return cls(
            name=features.get("bot_user", {}).get("display_name") or manifest["display_information"]["name"],
            scopes=frozenset(manifest.get("oauth_config", {}).get("scopes", {}).get("bot", ())),
            events=frozenset(settings.get("event_subscriptions", {}).get("bot_events", ())),
            commands=tuple(
                Command(**{field: item[field] for field in fields if field in item})
                for item in features.get("slash_commands", ())
            ),
            shortcuts=tuple(Shortcut.model_validate(item) for item in features.get("shortcuts", ())),
            **identity,
        )


class World(Record):
    """Everything a workspace starts with."""

    team: Team
    app: App
    people: tuple[Person, ...]
    channels: tuple[Channel, ...]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        ids = [person.id for person in self.people]
        if len(set(ids)) != len(ids) or self.app.bot_user in ids:
            raise ValueError("two people have one id")
        known = {*ids, self.app.bot_user}
        for channel in self.channels:
            if strangers := channel.members - known:
                raise ValueError(f"#{channel.name} has members that nobody knows: {sorted(strangers)}")
        return self

    @classmethod
    def read(cls, file: Path) -> Self:
        """Return the world that a JSON file holds."""
        return cls.model_validate_json(file.read_text(encoding="utf-8"))

    @property
    def bot(self) -> Person:
        """The app's bot user."""
        name = self.app.name.lower().replace(" ", "")
        return Person(id=self.app.bot_user, name=name, real_name=self.app.name, is_bot=True)

    @property
    def everyone(self) -> dict[str, Person]:
        """People and the bot, by id."""
        return {person.id: person for person in (*self.people, self.bot)}
