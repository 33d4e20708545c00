"""What an event is: one fixed envelope around what its kind has to tell, and the bytes that are hashed."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cache, cached_property
from importlib import metadata
from typing import Any

import rfc8785

GENESIS = "0" * 64
Fact = str | int | bool


class ChainBroken(Exception):
    """An event is not what was written, or one is missing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One event. What is not known of its kind is None; what has been erased is gone from `detail`."""

    seq: int
    at: datetime
    kind: str
    run: str | None
    trace: str | None  # the request that it belongs to, also over several runs
    actor: str | None  # a pseudonym; None is the bot itself
    approvers: tuple[str, ...]
    policies: tuple[str, ...]
    policy: str | None
    level: int | None
    outcome: str | None
    parameters: str | None  # the commitment to what is sent
    versions: Mapping[str, str | None]
    facts: Mapping[str, Fact]
    detail: Mapping[str, Any] | None  # None where all of it has been erased
    erased: bool  # whether any of it has been
    hash: str
    lost: tuple[tuple[str, ...], ...] = ()  # whose values those were, part by part


def plain(event: Event) -> dict[str, Any]:
    """Return an event as plain JSON."""
    return {**asdict(event), "at": event.at.isoformat(timespec="milliseconds")}


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    """What every event says beside its kind and its facts."""

    kind: str
    run: str | None = None
    trace: str | None = None
    actor: str | None = None
    approvers: Sequence[str] = ()
    policies: Sequence[str] = ()
    policy: str | None = None
    level: int | None = None
    outcome: str | None = None
    versions: Mapping[str, str | None] = field(default_factory=dict)
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Committed:
    """Values that an event commits to without holding them. The salt is erased with them."""

    of: Sequence[str]  # pseudonyms: it takes the keys of all of them
    values: Mapping[str, Any]
    salt: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    @cached_property
    def commitment(self) -> str:
        """Stand for the values without giving away a guess of them."""
        return commit(self.salt, canonical(self.values).decode())


def commit(salt: str, values: str) -> str:
    """Return the commitment to `values`: without the salt a guess of them cannot be confirmed."""
    return hashlib.sha256(f"{salt}\0{values}".encode()).hexdigest()


def canonical(value: Mapping[str, Any]) -> bytes:
    """Return the one form that is hashed (RFC 8785)."""
    return rfc8785.dumps(dict(value))


def body(
    envelope: Envelope,
    *,
    seq: int,
    previous: str,
    at: datetime,
    details: Sequence[Committed],
    parameters: str | None,
) -> bytes:
    """Return the canonical JSON of an event: the very bytes that are hashed."""
    return canonical(
        {
            "v": 2,
            "seq": seq,
            "previous": previous,
            "at": at.isoformat(timespec="milliseconds"),
            "kind": envelope.kind,
            "run": envelope.run,
            "trace": envelope.trace,
            "actor": envelope.actor,
            "approvers": list(envelope.approvers),
            "policies": list(envelope.policies),
            "policy": envelope.policy,
            "level": envelope.level,
            "parameters": parameters,
            "outcome": envelope.outcome,
            "versions": dict(envelope.versions),
            "facts": dict(envelope.facts),
            "details": [{"of": list(one.of), "commitment": one.commitment} for one in details],
        }
    )


@cache
def release() -> str:
    """Return the version of this application: that of everything that ships in it, as the connectors do."""
    return metadata.version("countersign-bot")
