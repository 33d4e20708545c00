"""The policy engine: Cedar, validated when loaded, refusing on any error."""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from typing import Any, Literal, Protocol, Self

import cedarpy

from connectors.references import refs
from connectors.registry import SHIPPED
from graphs.policy import names, types
from graphs.policy.types import Described

Action = Literal["request", "read", "approve", "confirm", "execute", "resolve", "revert", "review"]
Attribute = Any  # plain JSON, as Cedar has it
Context = Mapping[str, Attribute | Mapping[str, Attribute]]
Resource = tuple[str, str, Mapping[str, Attribute]]  # type, id, attributes
Fault = Literal["failed", "late", "unclear"]
OWN = "nobody-decides-on-their-own-request"
AUTHORS = "nobody-decides-on-what-they-wrote"
THROUGH = "nobody-decides-through-a-stand-in-on-what-they-asked-for"
NOT_PERMITTED = "confirmed-where-permitted"
NOT_ALONE = "confirmed-alone-concerns-nobody-else"
TOOK_PART = "nobody-reviews-what-they-took-part-in"
INACTIVE = "inactive-people-do-nothing"
WITHIN = 1.0  # seconds; with 200 operations a decision takes half a millisecond
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


class _Misfit(Exception):
    """A question that cannot be put to the policies. The message never repeats a value."""


PARAMETERS: Mapping[str, type[str | int]] = {"group": str, "days": int, "minutes": int}  # of access


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

    `groups` are those that the policies name, each with the directory's id: see `group_names`. `operations`
    are those of which the schema speaks, by name. `confirmable` are the workflows whose requesters the
    installation lets confirm what concerns nobody else.
    """

    schema: str
    text: str
    timer: Callable[[], float] = time.monotonic
    groups: Mapping[str, str] = field(default_factory=dict)
    confirmable: frozenset[str] = frozenset()
    operations: Mapping[str, Described] = field(default_factory=lambda: {one.name: one for one in SHIPPED})

    def __post_init__(self) -> None:
        self._validate()
        seen: set[str] = set()
        for rule in self.rules:
            if not rule.id or not rule.says:
                raise PolicyInvalid(f"the policy {rule.id or '?'} needs an @id and an @says")
            if rule.id in seen:
                raise PolicyInvalid(f"two policies have the @id {rule.id}")
            seen.add(rule.id)

    @classmethod
    def shipped(
        cls,
        more: str = "",
        *,
        operations: Iterable[Described] = SHIPPED,
        parameters: Mapping[str, type[str | int]] = PARAMETERS,
    ) -> Self:
        """Return the policies of this package, and `more` of the installation's own, which only forbid.

        They speak of these operations, of these parameters of requests, and of no other. Raises
        PolicyInvalid, also for an operation of which no policy can speak.
        """
        folder = resources.files("graphs.policy")
        schema = (folder / "schema.cedarschema").read_text(encoding="utf-8")
        known = tuple(operations)
        try:
            schema += types.parameters(parameters) + types.schema(known)
        except types.Undescribable as error:
            raise PolicyInvalid(str(error)) from error
        by_name = {one.name: one for one in known}
        text = (folder / "policies.cedar").read_text(encoding="utf-8")
        if not more:
            return cls(schema=schema, text=text, operations=by_name)
        for rule in _rules(_plain(more)):
            if rule.effect != "forbid":
                raise PolicyInvalid(f"the policy {rule.id or '?'} permits; policies of your own only forbid")
        return cls(schema=schema, text=f"{text}\n{more}", operations=by_name)

    @cached_property
    def group_names(self) -> frozenset[str]:
        """The groups that the policies compare somebody's groups, or a request's, with. Resolve them once.

        What is asked of the policies has ids. Each name stands in place of the id of its group, and of no
        other: a policy that names a group is about that group, whatever the directory calls others. What is
        compared with a parameter of an operation is not resolved: parameters are told as they are sent.
        """
        found = self._plain["staticPolicies"].values()
        return frozenset(_literals([policy["conditions"] for policy in found]))

    @cached_property
    def hash(self) -> str:
        """SHA-256 over schema and policies."""
        return hashlib.sha256(f"{self.schema}\0{self.text}".encode()).hexdigest()

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The policies in their order."""
        return _rules(self._plain)

    @cached_property
    def _plain(self) -> Mapping[str, Any]:
        return _plain(self.text)

    @cached_property
    def _parsed(self) -> tuple[cedarpy.PolicySet, cedarpy.Schema]:
        """Parsed once: parsing took seven eighths of a decision."""
        return cedarpy.PolicySet.from_str(self.text), cedarpy.Schema.from_str(self.schema)

    def _validate(self) -> None:
        """Return if the policies pass strict validation, and hold no mistake that it lets pass."""
        try:
            _, schema = self._parsed
            known = names.read(str(schema))
            for policy in self._plain["staticPolicies"].values():
                for mistake in known.mistakes(policy):
                    raise PolicyInvalid(f"the policy {_annotation(policy, 'id') or '?'} {mistake}")
            result = cedarpy.validate_policies(self.text, schema)
        except ValueError as error:
            raise PolicyInvalid(str(error)) from error
        if not result.validation_passed:
            named = result.id_annotations_by_policy_id
            raise PolicyInvalid("; ".join(_said(error, named) for error in result.errors))

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
        except _Misfit as error:
            log.error("the policies could not be asked: %s", error)  # noqa: TRY400  # a trace shows values
            return self._faulty("unclear")
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

    def rule_all(
        self, action: Action, person: Who | None, asked: Sequence[tuple[Resource, Context]]
    ) -> Ruling:
        """Say whether `person` may do `action` to every step of a plan: the first refusal is the answer."""
        rulings = []
        for resource, context in asked:
            rulings.append(self.rule(action, person, resource, context))
            if not rulings[-1].allowed:
                return rulings[-1]
        named = {name for ruling in rulings for name in ruling.policies}
        return Ruling(allowed=bool(rulings), policies=tuple(sorted(named)), hash=self.hash)

    def _ask(
        self, action: str, person: Who | None, resource: Resource, context: Context | None
    ) -> cedarpy.AuthzResult:
        kind, name, attributes = resource
        told = {key: self._told(key, value) for key, value in (context or {}).items()}
        if action in names.OF_OPERATIONS:
            operation = attributes.get("operation")
            told["parameters"] = self._parameters(
                operation, told.get("parameters"), whole=action == "execute"
            )
            action = f"{action}:{operation}"
        attributes = {key: self._named(key, value) for key, value in attributes.items()}
        principal = self._entity(person)
        request = {
            "principal": principal["uid"],
            "action": {"type": "Action", "id": action},
            "resource": {"type": kind, "id": name},
            "context": told,
        }
        entities = [principal, {"uid": request["resource"], "attrs": attributes, "parents": []}]
        policies, schema = self._parsed
        return cedarpy.is_authorized(request, policies, entities, schema=schema)

    def _parameters(self, operation: Attribute, given: Any, *, whole: bool) -> Mapping[str, Attribute]:
        """Return what a step sends as the policies see it; `whole`: with no reference left in it."""
        known = self.operations.get(operation) if isinstance(operation, str) else None
        if known is None:
            raise _Misfit("the policies know no such operation")
        if whole and any(refs(given)):
            raise _Misfit(f"what {known.name} is about to send still holds a reference")
        try:
            return types.plain(given, known.payload)
        except types.Unfit as error:
            raise _Misfit(f"{known.name}: {error}") from error
        except ValueError:  # it names the values, which are nobody's business in a log
            raise _Misfit(f"the parameters do not fit {known.name}") from None

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

    def _told(self, key: str, value: Attribute) -> Any:
        if key == "holder":
            return {name: self._named(name, inner) for name, inner in value.items()}
        return value

    def _named(self, key: str, value: Attribute) -> Attribute:
        """Put the names that the policies have for groups in place of the ids of these groups."""
        if key not in _GROUPS or not isinstance(value, list):
            return value
        named = {name: group for name, group in self.groups.items() if group in value}
        return sorted((set(value) - self.groups.keys() - {*named.values()}) | named.keys())

    def _faulty(self, fault: Fault) -> Ruling:
        return Ruling(allowed=False, policies=(), hash=self.hash, fault=fault)


def _said(error: cedarpy.ValidationError, named: Mapping[str, str]) -> str:
    """Return an error with the name that people know its policy by."""
    told = error.error.removeprefix(f"for policy `{error.policy_id}`, ")
    name = named.get(error.policy_id) or error.policy_id
    return f"the policy {name}: {told}" if name else told


def _plain(text: str) -> Mapping[str, Any]:
    """Return policies as plain JSON. Raises PolicyInvalid for what cannot be read."""
    try:
        return dict(json.loads(cedarpy.policies_to_json_str(text)))
    except ValueError as error:
        raise PolicyInvalid(str(error)) from error


def _rules(found: Mapping[str, Any]) -> tuple[Rule, ...]:
    """Read the policies' annotations. Raises PolicyInvalid for templates, which permit nothing alone."""
    if found["templates"]:
        raise PolicyInvalid("templates are not supported; write the policy out")
    rules = {
        int(key.removeprefix("policy")): Rule(
            id=_annotation(policy, "id"), effect=policy["effect"], says=_annotation(policy, "says")
        )
        for key, policy in found["staticPolicies"].items()
    }
    return tuple(rules[number] for number in sorted(rules))


def _annotation(policy: Mapping[str, Any], name: str) -> str:
    return str(policy.get("annotations", {}).get(name) or "")


def _literals(policies: object) -> Iterator[str]:
    """Yield the strings with which policies of Cedar compare groups."""
    for operator, inner in names.nodes(policies):
        if operator in _COMPARES and any(_holds_groups(one) for one in inner.values()):
            yield from (
                text for kind, text in names.nodes(inner) if kind == "Value" and isinstance(text, str)
            )


def _holds_groups(expression: Mapping[str, Any]) -> bool:
    """Whether it is an attribute that holds groups. A parameter is told as it is sent, whatever its name."""
    path = names.path(expression) or ()
    return path[:2] != ("context", "parameters") and expression.get(".", {}).get("attr") in _GROUPS


_GROUPS = frozenset({"groups", "approvers", "escalation", "reviewers"})  # attributes that hold groups
_COMPARES = frozenset({"contains", "containsAny", "containsAll", "==", "!="})
