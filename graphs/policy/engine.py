"""The policy engine: Cedar, validated when loaded, refusing on any error."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import Any, Literal, Self

import cedarpy

from connectors.directory import Person

Action = Literal["request", "approve", "execute", "revert"]
Attribute = str | int | bool


class PolicyInvalid(Exception):
    """The policies do not fit the schema; the bot does not start with them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ruling:
    """What the policies say to one request, and which of them said it."""

    allowed: bool
    policies: tuple[str, ...]
    hash: str  # of policies and schema together


@dataclass(frozen=True, kw_only=True)
class Policy:
    """One loaded set of policies. Raises PolicyInvalid when they do not pass strict validation."""

    schema: str
    text: str

    def __post_init__(self) -> None:
        result = cedarpy.validate_policies(self.text, self.schema)
        if not result.validation_passed:
            raise PolicyInvalid("; ".join(str(error) for error in result.errors))

    @classmethod
    def shipped(cls) -> Self:
        """Return the policies of this package."""
        folder = resources.files("graphs.policy")
        return cls(
            schema=(folder / "schema.cedarschema").read_text(encoding="utf-8"),
            text=(folder / "policies.cedar").read_text(encoding="utf-8"),
        )

    @cached_property
    def hash(self) -> str:
        """SHA-256 over schema and policies."""
        return hashlib.sha256(f"{self.schema}\0{self.text}".encode()).hexdigest()

    @cached_property
    def _names(self) -> Mapping[str, str]:
        """Cedar numbers policies in order; people know them by their `@id`."""
        static = json.loads(cedarpy.policies_to_json_str(self.text))["staticPolicies"]
        return {key: policy.get("annotations", {}).get("id", key) for key, policy in static.items()}

    def rule(
        self,
        action: Action,
        person: Person | None,
        resource: tuple[str, str, Mapping[str, Attribute]],
        context: Mapping[str, Attribute] | None = None,
    ) -> Ruling:
        """Say whether `person` (None: the bot itself) may do `action` to `resource` (type, id, attributes).

        Any evaluation error is a refusal: Cedar by itself skips a `forbid` that fails to evaluate.
        """
        kind, name, attributes = resource
        principal = _entity(person)
        entities = [
            principal,
            {"uid": {"type": kind, "id": name}, "attrs": dict(attributes), "parents": []},
        ]
        request = {
            "principal": principal["uid"],
            "action": {"type": "Action", "id": action},
            "resource": {"type": kind, "id": name},
            "context": dict(context or {}),
        }
        result = cedarpy.is_authorized(request, self.text, entities, schema=self.schema)
        names = tuple(self._names.get(reason, reason) for reason in result.diagnostics.reasons)
        return Ruling(
            allowed=result.allowed and not result.diagnostics.errors,
            policies=names,
            hash=self.hash,
        )


def _entity(person: Person | None) -> dict[str, Any]:
    if person is None:
        return {"uid": {"type": "Service", "id": "countersign"}, "attrs": {}, "parents": []}
    return {
        "uid": {"type": "Person", "id": person.subject},
        "attrs": {"subject": person.subject, "active": person.active, "groups": sorted(person.groups)},
        "parents": [],
    }
