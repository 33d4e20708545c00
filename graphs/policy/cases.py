"""Cases: what the policies must say, written down so that a person can read them and a machine run them."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from graphs.policy.engine import Action, Attribute, Policy, Ruling

Attributes = dict[str, Attribute]
Kind = Literal["Workflow", "Run", "Approval", "Review"]


class CasesInvalid(Exception):
    """The file of cases cannot be read. The message is a sentence that says where."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Someone(_Part):
    """A person as the policies see one."""

    subject: str
    human: str = ""
    groups: frozenset[str] = Field(default=frozenset(), strict=False)
    active: bool = True


class Case(_Part):
    """One question to the policies, and the answer that is expected. `who` is None for the bot itself."""

    name: str = Field(alias="case")
    who: Someone | None
    action: Action = Field(alias="does")
    to: Annotated[dict[Kind, Attributes], Field(min_length=1, max_length=1)]
    context: Attributes = Field(default_factory=dict)
    expected: Literal["allow", "forbid"]
    by: tuple[str, ...] = Field(strict=False)

    @model_validator(mode="before")
    @classmethod
    def _bot(cls, given: Any) -> Any:
        return {**given, "who": None} if isinstance(given, dict) and given.get("who") == "bot" else given


class _Usual(_Part):
    to: dict[Kind, Attributes] = Field(default_factory=dict)
    context: dict[Action, Attributes] = Field(default_factory=dict)


class _File(_Part):
    usual: _Usual = _Usual()
    cases: tuple[Case, ...] = Field(strict=False, min_length=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What the policies said to a case."""

    case: Case
    ruling: Ruling

    @property
    def passed(self) -> bool:
        """Whether they said what was expected, and for the reasons that were expected."""
        allowed = self.case.expected == "allow"
        return (self.ruling.allowed, set(self.ruling.policies)) == (allowed, set(self.case.by))


def read(text: str) -> tuple[Case, ...]:
    """Read a file of cases. Raises CasesInvalid."""
    try:
        found = _File.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise CasesInvalid(f"This is not YAML: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise CasesInvalid(f"{where}: {first['msg']}.") from error
    return tuple(_whole(case, found.usual) for case in found.cases)


def shipped() -> tuple[Case, ...]:
    """Return the cases of this package."""
    return read((resources.files("graphs.policy") / "cases.yaml").read_text(encoding="utf-8"))


def run(policy: Policy, cases: Iterable[Case]) -> list[Outcome]:
    """Ask the policies all the cases."""
    return [Outcome(case=case, ruling=_ask(policy, case)) for case in cases]


def _ask(policy: Policy, case: Case) -> Ruling:
    ((kind, attributes),) = case.to.items()
    return policy.rule(case.action, case.who, (kind, "case", attributes), case.context)


def _whole(case: Case, usual: _Usual) -> Case:
    """Fill in what the case leaves as usual."""
    ((kind, given),) = case.to.items()
    to = {kind: {**usual.to.get(kind, {}), **given}}
    told = {**usual.context.get(case.action, {}), **case.context}
    context = {name: value for name, value in told.items() if value is not None}
    return case.model_copy(update={"to": to, "context": context})
