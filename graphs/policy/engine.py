"""The policy engine: Cedar, validated when loaded, refusing on any error."""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from typing import Any, Literal, Protocol, Self

import cedarpy

Action = Literal["request", "read", "approve", "execute", "resolve", "revert", "review"]
Attribute = str | int | bool | list[str]
Context = Mapping[str, Attribute | Mapping[str, Attribute]]
Resource = tuple[str, str, Mapping[str, Attribute]]  # type, id, attributes
Fault = Literal["failed", "late", "unclear"]
OWN = "nobody-decides-on-their-own-request"
AUTHORS = "nobody-decides-on-what-they-wrote"
THROUGH = "nobody-decides-through-a-stand-in-on-what-they-asked-for"
TOOK_PART = "nobody-reviews-what-they-took-part-in"
INACTIVE = "inactive-people-do-nothing"
WITHIN = 1.0  # seconds; a decision takes a seventh of a millisecond
log = logging.getLogger(__name__)


class Who(Protocol):
    """What the policies know of a person: a `connectors.directory.Person`, as the directory has them now."""

    @property
    def subject(self) -> str:
        """Whose account this is, once and for all."""

    @property
    def human(self) -> str:
        """Who this is, the same for accounts that the directory links. Empty: nobody has linked any."""

    @property
    def active(self) -> bool:
        """Whether their account is."""

    @property
    def groups(self) -> frozenset[str]:
        """The groups that they are in, by the directory's ids."""


class PolicyInvalid(Exception):
    """The policies cannot be used; the bot does not start with them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ruling:
    """What the policies say to one request, and which of them said it.

    `fault` says why there is no answer to trust: the engine failed or was late, or the request or a policy
    could not be evaluated. Then it is a refusal.
    """

    allowed: bool
    policies: tuple[str, ...]
    hash: str  # of policies and schema together
    fault: Fault | None = None

    @property
    def facts(self) -> Mapping[str, str]:
        """Return what the audit keeps of it."""
        return {"policies": ", ".join(self.policies), "policy": self.hash, "fault": self.fault or ""}


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One policy as people know it: its `@id`, and its `@says` in their words."""

    id: str
    effect: Literal["permit", "forbid"]
    says: str


@dataclass(frozen=True, kw_only=True)
class Policy:
    """One loaded set of policies. Raises PolicyInvalid when they do not pass strict validation.

    `groups` are those that the policies name, each with the directory's id: see `group_names`.
    """

    schema: str
    text: str
    timer: Callable[[], float] = time.monotonic
    groups: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _validate(self.text, self.schema)
        seen: set[str] = set()
        for rule in self.rules:
            if not rule.id or not rule.says:
                raise PolicyInvalid(f"the policy {rule.id or '?'} needs an @id and an @says")
            if rule.id in seen:
                raise PolicyInvalid(f"two policies have the @id {rule.id}")
            seen.add(rule.id)

    @classmethod
    def shipped(cls, more: str = "") -> Self:
        """Return the policies of this package, and `more` of the installation's own, which only forbid."""
        folder = resources.files("graphs.policy")
        schema = (folder / "schema.cedarschema").read_text(encoding="utf-8")
        text = (folder / "policies.cedar").read_text(encoding="utf-8")
        if not more:
            return cls(schema=schema, text=text)
        _validate(more, schema)
        for rule in _rules(more):
            if rule.effect != "forbid":
                raise PolicyInvalid(f"the policy {rule.id or '?'} permits; policies of your own only forbid")
        return cls(schema=schema, text=f"{text}\n{more}")

    @cached_property
    def group_names(self) -> frozenset[str]:
        """The groups that the policies compare somebody's groups, or a request's, with. Resolve them once.

        What is asked of the policies has ids. Each name stands in place of the id of its group, and of no
        other: a policy that names a group is about that group, whatever the directory calls others.
        """
        return frozenset(_literals(json.loads(cedarpy.policies_to_json_str(self.text))["staticPolicies"]))

    @cached_property
    def hash(self) -> str:
        """SHA-256 over schema and policies."""
        return hashlib.sha256(f"{self.schema}\0{self.text}".encode()).hexdigest()

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The policies in their order."""
        return _rules(self.text)

    @cached_property
    def _parsed(self) -> tuple[cedarpy.PolicySet, cedarpy.Schema]:
        """Parsed once: parsing took seven eighths of a decision."""
        return cedarpy.PolicySet.from_str(self.text), cedarpy.Schema.from_str(self.schema)

    def rule(
        self, action: Action, person: Who | None, resource: Resource, context: Context | None = None
    ) -> Ruling:
        """Say whether `person` (None: the bot itself) may do `action` to `resource`.

        Never raises. An engine that fails or is late, and any evaluation error, is a refusal: Cedar by itself
        skips a `forbid` that fails to evaluate.
        """
        began = self.timer()
        try:
            result = self._ask(action, person, resource, context)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            log.exception("the policy engine failed")  # a panic of the engine is no Exception
            return self._faulty("failed")
        if self.timer() - began > WITHIN:
            log.error("the policy engine took more than %s s", WITHIN)
            return self._faulty("late")
        if result.diagnostics.errors:
            log.error("the policies could not be evaluated: %s", "; ".join(result.diagnostics.errors))
            return self._faulty("unclear")
        decided = result.diagnostics.id_annotations_by_reason
        return Ruling(allowed=result.allowed, policies=tuple(sorted(decided.values())), hash=self.hash)

    def _ask(
        self, action: Action, person: Who | None, resource: Resource, context: Context | None
    ) -> cedarpy.AuthzResult:
        kind, name, attributes = resource
        attributes = {key: self._named(key, value) for key, value in attributes.items()}
        principal = self._entity(person)
        request = {
            "principal": principal["uid"],
            "action": {"type": "Action", "id": action},
            "resource": {"type": kind, "id": name},
            "context": {key: self._told(value) for key, value in (context or {}).items()},
        }
        entities = [principal, {"uid": request["resource"], "attrs": attributes, "parents": []}]
        policies, schema = self._parsed
        return cedarpy.is_authorized(request, policies, entities, schema=schema)

    def _entity(self, person: Who | None) -> dict[str, Any]:
        if person is None:
            return {"uid": {"type": "Service", "id": "countersign"}, "attrs": {}, "parents": []}
        return {
            "uid": {"type": "Person", "id": person.subject},
            "attrs": {
                "subject": person.subject,
                "identities": sorted({person.subject, person.human or person.subject}),
                "active": person.active,
                "groups": self._named("groups", sorted(person.groups)),
            },
            "parents": [],
        }

    def _told(self, value: Attribute | Mapping[str, Attribute]) -> object:
        if isinstance(value, Mapping):
            return {key: self._named(key, inner) for key, inner in value.items()}
        return value

    def _named(self, key: str, value: Attribute) -> Attribute:
        """Put the names that the policies have for groups in place of the ids of these groups."""
        if key not in _GROUPS or not isinstance(value, list):
            return value
        named = {name: group for name, group in self.groups.items() if group in value}
        return sorted((set(value) - self.groups.keys() - {*named.values()}) | named.keys())

    def _faulty(self, fault: Fault) -> Ruling:
        return Ruling(allowed=False, policies=(), hash=self.hash, fault=fault)


def _validate(text: str, schema: str) -> None:
    try:
        result = cedarpy.validate_policies(text, schema)
    except ValueError as error:
        raise PolicyInvalid(str(error)) from error
    if not result.validation_passed:
        raise PolicyInvalid("; ".join(str(error) for error in result.errors))


def _rules(text: str) -> tuple[Rule, ...]:
    """Read the policies' annotations. Raises PolicyInvalid for templates, which permit nothing alone."""
    found = json.loads(cedarpy.policies_to_json_str(text))
    if found["templates"]:
        raise PolicyInvalid("templates are not supported; write the policy out")
    rules = {
        int(key.removeprefix("policy")): Rule(
            id=policy.get("annotations", {}).get("id") or "",
            effect=policy["effect"],
            says=policy.get("annotations", {}).get("says") or "",
        )
        for key, policy in found["staticPolicies"].items()
    }
    return tuple(rules[number] for number in sorted(rules))


def _literals(expression: object) -> Iterator[str]:
    """Yield the strings with which an expression of Cedar compares groups."""
    if isinstance(expression, list):
        for inner in expression:
            yield from _literals(inner)
    elif isinstance(expression, dict):
        for operator, inner in expression.items():
            if operator in _COMPARES and any(
                one.get(".", {}).get("attr") in _GROUPS for one in inner.values()
            ):
                yield from _strings(inner)
            yield from _literals(inner)


def _strings(expression: object) -> Iterator[str]:
    if isinstance(expression, list):
        for inner in expression:
            yield from _strings(inner)
    elif isinstance(expression, dict):
        if isinstance(expression.get("Value"), str):
            yield expression["Value"]
        for inner in expression.values():
            yield from _strings(inner)


_GROUPS = frozenset({"groups", "approvers", "escalation", "reviewers"})  # attributes that hold groups
_COMPARES = frozenset({"contains", "containsAny", "containsAll", "==", "!="})
