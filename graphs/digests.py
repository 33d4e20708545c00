"""What an approval is bound to, as one number, and what differs between two of them. Pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import rfc8785

from graphs.records import Difference


def digest(tenant: str, action: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical JSON (RFC 8785) of the tenant and the action, in hexadecimal."""
    return hashlib.sha256(rfc8785.dumps({"tenant": tenant, **action})).hexdigest()


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Name what is no longer as it was, one line for each value."""
    old, new = dict(_leaves(before)), dict(_leaves(after))
    return tuple(
        Difference(name=name, before=old.get(name, ""), after=new.get(name, ""))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    )


def _leaves(value: Mapping[str, Any], path: str = "") -> Iterable[tuple[str, str]]:
    for key, inner in value.items():
        if key == _SENT and isinstance(inner, Mapping):
            yield from _sent(inner, f"{path}{key}")
        elif isinstance(inner, Mapping):
            yield from _leaves(inner, f"{path}{key}.")
        elif isinstance(inner, list) and any(isinstance(one, Mapping) for one in inner):
            yield from _leaves(_named(inner), f"{path}{key}.")
        elif isinstance(inner, list):
            yield f"{path}{key}", ", ".join(str(one) for one in inner)
        else:
            yield f"{path}{key}", str(inner)


_SENT = "parameters"
_ORDER = "(order)"  # no record is called so


def _sent(value: Any, path: str) -> Iterable[tuple[str, str]]:
    """Yield what a step sends, value by value: entries of lists by their places, as in `items[2].quantity`.

    How many entries a list has is a value too, so that an empty one differs from none.
    """
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _sent(inner, f"{path}.{name}")
    elif isinstance(value, list):
        yield f"{path}.count", str(len(value))
        for place, inner in enumerate(value, start=1):
            yield from _sent(inner, f"{path}[{place}]")
    else:
        yield path, value if isinstance(value, str) else json.dumps(value)


def _named(records: Sequence[Any]) -> Mapping[str, Any]:
    """Return a list of records by their names or, where they have none, by their places from 1 on.

    What has a name has its place too, so that records in another order are another list.
    """
    names = [one.get("name", "") if isinstance(one, Mapping) else "" for one in records]
    if all(names) and len({*names}) == len(names):
        return {**dict(zip(names, records, strict=True)), _ORDER: names}
    return {str(place): one for place, one in enumerate(records, start=1)}
