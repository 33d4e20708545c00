"""Front matter: the few lines of YAML at the top of a file that say whose it is and who may read it."""

from __future__ import annotations

import re
from datetime import date, datetime

import yaml

from knowledge.documents import EVERYONE, Terms
from knowledge.errors import Unreadable

_FRONT = re.compile(r"\A---[ \t]*\n(.*?)(?:\n|(?<=\n))(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)


def separate(text: str) -> tuple[Terms, str]:
    """Return what the front matter says, and the text after it.

    Raises Unreadable when it cannot be understood: a document whose audience is misspelt must not be shown
    to everyone.
    """
    match = _FRONT.match(text)
    if not match:
        return Terms(), text
    try:
        data = yaml.safe_load(match[1])
    except (yaml.YAMLError, ValueError) as error:
        reason = getattr(error, "problem", None) or str(error)
        raise Unreadable(f"its front matter is not valid YAML ({reason})") from error
    if data is None:
        return Terms(), text[match.end() :]
    if not isinstance(data, dict):
        return Terms(), text  # a ruler at the top, not front matter
    return terms_of({str(key).strip().lower(): value for key, value in data.items()}), text[match.end() :]


def terms_of(data: dict[str, object]) -> Terms:
    """Return the terms in a mapping; keys that mean nothing here are left alone."""
    return Terms(
        title=_line(data, "title"),
        owner=_line(data, "owner"),
        effective=_date(data, "effective"),
        expires=_date(data, "expires"),
        review=_date(data, "review"),
        audience=_audience(data),
        url=_url(data),
        version=_line(data, "version"),
        regions=_regions(data),
        language=(_line(data, "language") or _line(data, "lang")).lower(),
    )


def _line(data: dict[str, object], key: str) -> str:
    value = data.get(key)
    if value is None:
        return ""
    if isinstance(value, dict | list):
        raise Unreadable(f"its front matter's {key} is not one line of text")
    return " ".join(str(value).split())


def _date(data: dict[str, object], key: str) -> date | None:
    value = data.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value).strip())
    except ValueError as error:
        raise Unreadable(f"its front matter's {key} is not a date such as 2026-01-31: {value!r}") from error


def _audience(data: dict[str, object]) -> frozenset[str]:
    if "audience" not in data:
        return frozenset({EVERYONE})
    value = data["audience"]
    names = value.split(",") if isinstance(value, str) else value
    if (
        not isinstance(names, list)
        or not names
        or not all(isinstance(name, str) and name.strip() for name in names)
    ):
        raise Unreadable("its front matter's audience is neither everyone nor a list of groups")
    return frozenset(name.strip() for name in names)


def _regions(data: dict[str, object]) -> frozenset[str]:
    value = data.get("regions", data.get("region"))
    if value is None or value == "":
        return frozenset()
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) and name.strip() for name in names):
        raise Unreadable(
            "its front matter's regions are not a list of country codes such as [NL, DE] (quote 'NO')"
        )
    return frozenset(name.strip().upper() for name in names)


def _url(data: dict[str, object]) -> str:
    value = _line(data, "url")
    if value and not re.match(r"https?://[^\s<>|]+$", value):
        raise Unreadable(f"its front matter's url is not an http or https address: {value!r}")
    return value
