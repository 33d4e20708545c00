"""Front matter: the few lines of YAML at the top of a file that say whose it is and who may read it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime

import yaml

from knowledge.documents import EVERYONE, Terms
from knowledge.errors import Closed
from knowledge.hidden import visible
from knowledge.sources import declared

_FRONT = re.compile(r"\A---[ \t]*\n(.*?)(?:\n|(?<=\n))(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_HERE = "say it as `audience: [group]` in front matter, between two lines of --- at the very top"
_NO_GROUP = re.compile(r"[\[\]{}<>\"`;|\t\n]|^'|'$|^[-#&*!%@]")
_KEYS = "title owner effective expires review audience url version regions region language lang"
_KNOWN = frozenset(_KEYS.split())
Pairs = list[tuple[str, object]]


def separate(text: str, *, page: bool = False) -> tuple[Terms, str]:
    """Return what the front matter says, and the text after it.

    Raises Closed when it cannot be understood, or when an audience is declared anywhere else: a document
    whose audience is misspelt must not be shown to everyone. A `page` of HTML is searched when it is parsed.
    """
    match = _FRONT.match(text)
    pairs = _pairs(match[1]) if match else None
    body = text[match.end() :] if match and pairs is not None else text
    terms = terms_of(pairs) if pairs else Terms()
    if not page:
        refuse(declared.in_text(body))
    return terms, body


def refuse(place: str) -> None:
    """Raise Closed where an audience was found at a place that is not front matter."""
    if place:
        raise Closed(f"it names an audience where none is understood ({place}); {_HERE}")


def _pairs(front: str) -> Pairs | None:
    """Return the keys and values of front matter in order; None for a ruler at the top. Raises Closed."""
    try:
        loader = yaml.SafeLoader(front)
        node = loader.get_single_node()
        if node is None:
            return []
        if not isinstance(node, yaml.MappingNode):
            refuse(declared.in_keys([("", loader.construct_document(node))]))
            return None
        twice = _twice(str(key.value) for key, _ in node.value)
        data = loader.construct_document(node)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = getattr(error, "problem", None) or str(error)
        raise Closed(f"its front matter is not valid YAML ({reason})") from error
    if twice:
        raise Closed(f"its front matter says {twice} more than once")
    return [(str(key), value) for key, value in data.items()]


def _twice(keys: Iterable[str]) -> str:
    """Return a key that stands there twice, in whatever case, if it is one that means something here."""
    seen: set[str] = set()
    for key in (name.strip().casefold() for name in keys):
        if key in seen and key in _KNOWN:
            return key
        seen.add(key)
    return ""


def of_row(pairs: Pairs) -> Terms:
    """Return the terms in a row of JSON, whose keys may come twice. Raises Closed."""
    twice = _twice(key for key, _ in pairs)
    if twice:
        raise Closed(f"it says {twice} more than once")
    return terms_of(pairs)


def terms_of(pairs: Pairs) -> Terms:
    """Return the terms in a mapping; keys that mean nothing here are left alone. Raises Closed.

    A key that could mean an audience and is not `audience` at the top is none that means nothing.
    """
    meant = declared.in_keys(pairs)
    if meant:
        raise Closed(f"its front matter has {meant[:40]!r}, which may mean its audience; {_HERE}")
    data = {key.strip().casefold(): value for key, value in pairs}
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
        raise Closed(f"its front matter's {key} is not one line of text")
    return " ".join(visible(str(value))[0].split())


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
        raise Closed(f"its front matter's {key} is not a date such as 2026-01-31: {value!r}") from error


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
        raise Closed("its front matter's audience is neither everyone nor a list of groups")
    found = frozenset(visible(name)[0].strip() for name in names)
    wrong = sorted(name for name in found if not name or _NO_GROUP.search(name))
    if wrong:
        raise Closed(f"its front matter's audience has {wrong[0][:40]!r}, which is no group's name")
    return found


def _regions(data: dict[str, object]) -> frozenset[str]:
    value = data.get("regions", data.get("region"))
    if value is None or value == "":
        return frozenset()
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) and name.strip() for name in names):
        raise Closed(
            "its front matter's regions are not a list of country codes such as [NL, DE] (quote 'NO')"
        )
    return frozenset(visible(name)[0].strip().upper() for name in names)


def _url(data: dict[str, object]) -> str:
    value = _line(data, "url")
    if value and not re.match(r"https?://[^\s<>|]+$", value):
        raise Closed(f"its front matter's url is not an http or https address: {value!r}")
    return value
