"""What a workflow's settings are made of. Whoever needs every channel, group or clause finds them by type."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BeforeValidator, Field

from connectors.sections import Section, Span
from graphs.plans import Deadlines

__all__ = ["Channel", "ClauseRef", "GroupName", "Groups", "Section", "Span", "Times", "marked"]


class Mark:
    """What a setting names, beyond its type."""


CHANNEL, GROUP = Mark(), Mark()


def _channel_id(channel: str) -> str:
    if channel[:1] not in {"C", "G"} or not channel.isalnum() or not channel.isupper():
        raise ValueError("must be the id of a channel, such as C0123456789 (not its name)")
    return channel


def _one_or_several(names: object) -> object:
    return (names,) if isinstance(names, str) else names


Channel = Annotated[str, AfterValidator(_channel_id), CHANNEL]
GroupName = Annotated[str, Field(min_length=1), GROUP]
Groups = Annotated[tuple[GroupName, ...], BeforeValidator(_one_or_several), Field(min_length=1)]


class ClauseRef(Section):
    """The section of a policy that governs a workflow, by document and heading anchor."""

    document: str = Field(min_length=1)
    anchor: str = Field(min_length=1)


class Times(Section):
    """How long an approval waits, and what happens before its time is over."""

    decide: Span = Field(default=timedelta(hours=24), ge=timedelta(minutes=5), le=timedelta(days=30))
    execute: Span = Field(default=timedelta(minutes=15), ge=timedelta(minutes=1), le=timedelta(hours=24))
    remind: int = Field(default=50, ge=0, le=95)  # percent of the time to decide; 0: never
    escalate: int = Field(default=75, ge=5, le=95)  # percent of the time to decide

    @property
    def deadlines(self) -> Deadlines:
        """The times of an approval."""
        return Deadlines(
            decide_within=self.decide,
            execute_within=self.execute,
            remind_after=self.decide * self.remind / 100 if self.remind else None,
            escalate_after=self.decide * self.escalate / 100,
        )


def marked(  # noqa: PLR0912  # a branch for each kind of value
    value: Any, mark: Mark | type[Section], *, at: str = "", kind: Any = None
) -> Iterator[tuple[str, Any]]:
    """Yield where a section says something of a kind, and what: `CHANNEL`, `GROUP`, or `ClauseRef`."""
    said = getattr(kind, "__metadata__", None)  # of an Annotated
    if said is not None:
        if mark in said:
            yield at, value
        else:
            yield from marked(value, mark, at=at, kind=get_args(kind)[0])
    elif isinstance(mark, type) and isinstance(value, mark):
        yield at, value
    elif isinstance(value, Section):
        for name, field in type(value).model_fields.items():
            whole = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
            yield from marked(getattr(value, name), mark, at=f"{at} {name}".strip(), kind=whole)
    elif isinstance(value, Mapping):
        of_key, of_value = get_args(kind) or (None, None)
        for key, one in value.items():
            yield from marked(key, mark, at=at, kind=of_key)
            yield from marked(one, mark, at=f"{at} {key}", kind=of_value)
    elif isinstance(value, tuple | list):
        of_one = (get_args(kind) or (None,))[0]
        for one in value:
            yield from marked(one, mark, at=at, kind=of_one)
    elif value is not None:
        for one in get_args(kind):  # of a union, where there is a value at all
            if hasattr(one, "__metadata__"):
                yield from marked(value, mark, at=at, kind=one)
