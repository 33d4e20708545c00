"""All that a connector needs of Countersign, and stays as it is: from here, and from `connectors.http`.

A connector is one room: a class that says what there is to know of one outside system, and its operations.
Nothing else in Countersign names it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar, get_args

from connectors.base import Change, Finding, Health, Operation, Payload, Result, Sight
from connectors.errors import (
    Ambiguous,
    Conflict,
    ConnectorError,
    Denied,
    Invalid,
    Mismatch,
    NotFound,
    Unavailable,
)
from connectors.references import Ref, Referable
from connectors.sections import Section, Span, Url

__all__ = [
    "Ambiguous",
    "Change",
    "Conflict",
    "Connector",
    "ConnectorError",
    "Denied",
    "Finding",
    "Health",
    "Invalid",
    "Mismatch",
    "NotFound",
    "Opened",
    "Operation",
    "Payload",
    "Ref",
    "Referable",
    "Result",
    "Section",
    "Sight",
    "Span",
    "Unavailable",
    "Url",
]

SettingsT = TypeVar("SettingsT", bound=Section)


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """A connected system: its operations, and what the stages of workflows may ask, which only reads."""

    operations: Sequence[Operation[Any, Any]]
    reads: Sequence[object] = ()


class Connector(ABC, Generic[SettingsT]):
    """One outside system.

    `name` is the first part of the names of its operations, and its table in the settings
    (`[connectors.NAME]`). `title` is how people read it: "the ticket system". `scopes` says of each scope
    that an operation acts with, and of "NAME:read", what its credential is for: each is a secret of its own.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    scopes: ClassVar[Mapping[str, str]]
    operations: ClassVar[Sequence[type[Operation[Any, Any]]]]
    settings: ClassVar[type[Section]] = Section  # from the class's parameter

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for base in getattr(cls, "__orig_bases__", ()):
            for settings in get_args(base):
                if isinstance(settings, type) and issubclass(settings, Section):
                    cls.settings = settings
        _require_whole(cls)

    def __init__(self, settings: SettingsT, credentials: Mapping[str, str]) -> None:
        """Take its settings, and its credentials by scope."""
        self.given = settings
        self.credentials = credentials

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[Opened]:
        """Connect, for as long as the block lasts. No request is sent before one is needed."""


def secret_of(scope: str) -> str:
    """Return the name of the secret that holds the credential of a scope."""
    return f"{scope.replace(':', '_')}_token"


def _require_whole(cls: type[Connector[Any]]) -> None:
    """Raise TypeError with what a connector has to say of itself."""
    said = cls.__name__
    name = getattr(cls, "name", "")
    if not name.isidentifier() or not name.islower():
        raise TypeError(f"{said} needs a name of small letters: name = 'tickets'")
    if not getattr(cls, "title", ""):
        raise TypeError(f"{said} needs a title as people read it: title = 'the ticket system'")
    if not getattr(cls, "operations", ()):
        raise TypeError(f"{said} names its operations: operations = (OpenTicket, ...)")
    scopes = getattr(cls, "scopes", {})
    for operation in cls.operations:
        if operation.name.partition(".")[0] != name:
            raise TypeError(f"{operation.__name__} of {said} needs a name like '{name}.verb'")
        if operation.scope not in scopes:
            raise TypeError(f"{said} says what the credential of {operation.scope} is for: scopes = {{...}}")
