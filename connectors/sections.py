"""What a room of the house says of its settings: a table of `countersign.toml`, read and checked for it."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict


class Section(BaseModel):
    """A table of `countersign.toml`: a key that nobody declared is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _span(value: object) -> object:
    """Read a length of time such as "15m", "24h" or "3d"; bounds are checked after it."""
    if isinstance(value, timedelta):
        return value
    found = re.fullmatch(r"([1-9]\d{0,3})([mhd])", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError('must be a length of time such as "15m", "24h" or "3d"')
    return timedelta(**{{"m": "minutes", "h": "hours", "d": "days"}[found[2]]: int(found[1])})


def _http(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise ValueError("must begin with https:// or http://")
    return url.rstrip("/")


Span = Annotated[timedelta, BeforeValidator(_span)]
Url = Annotated[str, AfterValidator(_http)]
