"""The records of a SCIM directory as servers really send them: an odd entry is left out, not the record.

A record that is not of the kind that was asked for, or that cannot be understood where it matters (its id,
its user name), is refused with `Mismatch`, which says what is wrong with it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from connectors.errors import Mismatch

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

Json = Mapping[str, Any]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str


class UserRecord(_Record):
    """A person. `emails` begin with the primary one; `groups` are ids, None where none are said."""

    user_name: str
    name: str
    emails: tuple[str, ...]
    title: str
    active: bool
    manager: str | None
    country: str
    employee: str
    groups: tuple[str, ...] | None
    modified: datetime | None


class Member(BaseModel):
    """One entry of a group's list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: str
    type: str = ""


class GroupRecord(_Record):
    """A group. `members` are None where the answer has no list, which does not say that nobody is in it."""

    display_name: str
    members: tuple[Member, ...] | None = None
    version: str | None = None
    whole: dict[str, Any] = Field(default_factory=dict, repr=False)  # as it came: what a PUT gives back

    @property
    def people(self) -> tuple[str, ...]:
        """The ids of the people in the list."""
        return tuple(one.value for one in self.members or () if one.type.casefold() != "group")


def quoted(text: str) -> str:
    """A string as a SCIM filter writes it (RFC 7644, section 3.4.2.2: as in JSON)."""
    return json.dumps(text, ensure_ascii=False)


def user(data: Any) -> UserRecord:
    """The person that a record describes. Raises `Mismatch`."""
    found = _of_kind(data, USER, "person")
    user_name = found.get("userName")
    if user_name is not None and not isinstance(user_name, str):
        raise Mismatch("the directory's record of a person has a userName that is not text")
    enterprise = found.get(ENTERPRISE)
    known: Json = enterprise if isinstance(enterprise, dict) else {}
    return UserRecord(
        id=_id(found, "person"),
        user_name=user_name or "",
        name=_name(found),
        emails=tuple(_emails(found)),
        title=_text(found.get("title")),
        active=_is_true(found.get("active")),
        manager=_manager(known.get("manager")),
        country=_country(found),
        employee=_text(known.get("employeeNumber")).strip(),
        groups=_groups(found),
        modified=_moment(found),
    )


def group(data: Any) -> GroupRecord:
    """The group that a record describes. Raises `Mismatch`."""
    found = _of_kind(data, GROUP, "group")
    listed = found.get("members")
    meta = found.get("meta")
    return GroupRecord.model_construct(
        id=_id(found, "group"),
        display_name=_text(found.get("displayName")),
        members=None if listed is None else tuple(_members(listed)),
        version=(_text(meta.get("version")) or None) if isinstance(meta, dict) else None,
        whole=found,
    )


def with_member(record: GroupRecord, person: str, *, member: bool) -> dict[str, Any]:
    """The whole record with a person added to its list or taken out of it; everything else as it came."""
    listed = record.whole.get("members") or []
    others = [one for one in listed if _value(one) != person]
    return {**record.whole, "members": [*others, {"value": person}] if member else others}


def _of_kind(data: Any, schema: str, kind: str) -> dict[str, Any]:
    schemas = data.get("schemas") if isinstance(data, dict) else None
    named = [one.casefold() for one in schemas if isinstance(one, str)] if isinstance(schemas, list) else []
    if schema.casefold() not in named:
        raise Mismatch(f"the directory answered with something that is no record of a {kind} (schemas)")
    return dict(data)


def _id(found: Json, kind: str) -> str:
    value = found.get("id")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value:
        raise Mismatch(f"the directory's record of a {kind} has no id")
    return value


def _text(value: object) -> str:
    """Return a text, with a replacement character for each one that nothing could store or send on."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value) if isinstance(value, str) else ""


_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # NUL, and halves of surrogate pairs, which JSON can name


def _is_true(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.casefold() == "true")


def _entries(value: object) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _value(entry: object) -> str:
    """The value of one entry of a list, which some servers send without a name."""
    return _text(entry.get("value")) if isinstance(entry, dict) else _text(entry)


def _emails(found: Json) -> Iterator[str]:
    """Addresses, the primary one first. An entry that is none is left out."""
    entries = sorted(
        _entries(found.get("emails")),
        key=lambda one: not (isinstance(one, dict) and _is_true(one.get("primary"))),
    )
    return (value for entry in entries if (value := _value(entry).strip()))


def _members(listed: object) -> Iterator[Member]:
    for entry in _entries(listed):
        if value := _value(entry):
            kind = _text(entry.get("type")) if isinstance(entry, dict) else ""
            yield Member.model_construct(value=value, type=kind)


def _groups(found: Json) -> tuple[str, ...] | None:
    """The groups that the record itself names; those that somebody is in by another group alone are not."""
    listed = found.get("groups")
    if not isinstance(listed, list):
        return None
    indirect = [one for one in listed if isinstance(one, dict) and one.get("type") == "indirect"]
    return tuple(value for one in listed if one not in indirect and (value := _value(one)))


def _name(found: Json) -> str:
    """The name to show."""
    name = found.get("name")
    parts: Json = name if isinstance(name, dict) else {}
    joined = " ".join(filter(None, (_text(parts.get("givenName")), _text(parts.get("familyName")))))
    return (
        _text(found.get("displayName"))
        or _text(parts.get("formatted"))
        or joined
        or _text(found.get("userName"))
    )


def _manager(value: object) -> str | None:
    """The id of the manager: an object with it, with a reference to it, or the id alone."""
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, dict):
        return _text(value.get("value")) or _text(value.get("$ref")).rpartition("/")[2] or None
    return _text(value).strip() or None


def _country(found: Json) -> str:
    """Where somebody works: their address at work, else the one that comes first for them."""
    known = [one for one in _entries(found.get("addresses")) if isinstance(one, dict)]
    known.sort(key=lambda one: (one.get("type") != "work", not _is_true(one.get("primary"))))
    for one in known[:1]:
        code = _text(one.get("country"))
        if (one.get("type") == "work" or _is_true(one.get("primary"))) and re.fullmatch("[A-Za-z]{2}", code):
            return code.upper()
    return ""


def _moment(found: Json) -> datetime | None:
    meta = found.get("meta")
    try:
        moment = datetime.fromisoformat(_text(meta.get("lastModified"))) if isinstance(meta, dict) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None
