"""The records of a Roundup tracker, as it sends them with `@verbose=2` or more."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from connectors.errors import Mismatch

TICKET_FIELDS = "title,status,priority,assignedto,keyword,messages,creator,creation,activity"
MESSAGE_FIELDS = "author,date,messageid,content"
_MOMENT = "%Y-%m-%d.%H:%M:%S"  # how Roundup writes a date, in UTC for an account without a time zone

Json = Mapping[str, Any]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str


class Ticket(_Record):
    """A ticket. People, status, priority and keywords are names; "" is nobody or nothing. `messages` are ids.

    `version` is what a change must name, so that it replaces nothing that somebody else has written since;
    it is empty in what a search found.
    """

    title: str
    status: str
    priority: str
    assignee: str
    keywords: tuple[str, ...]
    messages: tuple[str, ...]
    creator: str
    created: datetime
    changed: datetime
    version: str = Field(default="", repr=False)


class Message(_Record):
    """What somebody wrote on a ticket, exactly as they did. `mark` is its Message-ID, ours or none."""

    author: str
    written: datetime
    text: str
    mark: str


class Hits(BaseModel):
    """What a search found, the most recently changed first. `every` is False where there is more."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tickets: tuple[Ticket, ...]
    every: bool


def ticket(found: Json, *, version: str = "") -> Ticket:
    """The ticket that a record describes. Raises `Mismatch`."""
    return Ticket(
        id=identifier(found),
        title=_text(found.get("title")),
        status=_label(found.get("status"), "name"),
        priority=_label(found.get("priority"), "name"),
        assignee=_label(found.get("assignedto"), "username"),
        keywords=tuple(sorted(_label(one, "name") for one in _list(found.get("keyword")))),
        messages=tuple(identifier(one) for one in _list(found.get("messages"))),
        creator=_label(found.get("creator"), "username"),
        created=_moment(found.get("creation")),
        changed=_moment(found.get("activity")),
        version=version,
    )


def message(found: Json) -> Message:
    """The message that a record describes. Raises `Mismatch`."""
    return Message(
        id=identifier(found),
        author=_label(found.get("author"), "username"),
        written=_moment(found.get("date")),
        text=_text(found.get("content")),
        mark=_text(found.get("messageid")),
    )


def identifier(found: object) -> str:
    """The id of a record, or of what it points to. Raises `Mismatch` for what is no record."""
    value = found.get("id") if isinstance(found, dict) else None
    if not isinstance(value, str | int) or not str(value).isdecimal():
        raise Mismatch("the ticket system sent a record without an id")
    return str(value)


def written(moment: datetime) -> str:
    """A moment as Roundup writes it, to the second."""
    return moment.astimezone(UTC).strftime(_MOMENT)


def _label(found: object, name: str) -> str:
    if found is None:
        return ""
    if not isinstance(found, dict) or not isinstance(found.get(name), str):
        raise Mismatch(f"the ticket system sent a link without its {name}")
    label: str = found[name]
    return label


def _list(found: object) -> list[Any]:
    if not isinstance(found, list | None):
        raise Mismatch("the ticket system sent something that is no list")
    return found or []


def _text(found: object) -> str:
    if not isinstance(found, str | None):
        raise Mismatch("the ticket system sent something that is no text")
    return found or ""


def _moment(found: object) -> datetime:
    try:
        return datetime.strptime(_text(found), _MOMENT).replace(tzinfo=UTC)
    except ValueError as error:
        raise Mismatch("the ticket system sent a date that cannot be read") from error
