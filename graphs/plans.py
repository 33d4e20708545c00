"""Plans: several effects in order, under one approval. Pure.

A plan is data once it is approved. Its *action*, plain JSON, is what the digest of an approval covers: every
step with its payload, what is taken back, what has been found, and who decides by when.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from connectors.base import Change, Operation, Payload, Ref
from connectors.directory import Person
from connectors.references import refs
from connectors.registry import Registry
from graphs.records import Actor, Clause, Party, PlanStep, Run, Shown

FORMAT = 2
ONLY = "grant"  # how the one step is called of what was approved before there were plans
Undo = Literal["undo", "leave", "pivot"]
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class PlanInvalid(Exception):
    """A workflow has planned what cannot be approved or carried out. The message says what to change."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One effect of a plan. `undo` says what becomes of it when a later step fails.

    "undo": it is taken back. "leave": it may stand. "pivot": from here on the plan only goes forward. What
    `lasts` ends by itself, that long after it was done.
    """

    name: str
    operation: str
    payload: Payload
    undo: Undo = "undo"
    lasts: timedelta | None = None


def step(
    name: str,
    operation: type[Operation[Any, Any]] | str,
    payload: Payload,
    *,
    undo: Undo = "undo",
    lasts: timedelta | None = None,
) -> Step:
    """Return a step of a plan: an operation of a connector, and what it is given."""
    known = operation if isinstance(operation, str) else operation.name
    return Step(name=name, operation=known, payload=payload, undo=undo, lasts=lasts)


def ref(text: str) -> Any:
    """Return what an earlier step leaves behind: `ref("rma.number")` is `number` of the result of "rma"."""
    return Ref.parse(text)


@dataclass(frozen=True, kw_only=True, slots=True)
class Deadlines:
    """The times of an approval, each from the moment at which it is asked for but `execute_within`."""

    decide_within: timedelta = timedelta(hours=24)
    execute_within: timedelta = timedelta(minutes=15)  # from the decision, in which the plan must begin
    remind_after: timedelta | None = timedelta(hours=12)
    escalate_after: timedelta = timedelta(hours=18)


@dataclass(frozen=True, kw_only=True, slots=True)
class Approvers:
    """Members of which groups may decide, how many of them must approve, and who may decide as well, late."""

    groups: tuple[str, ...]
    quorum: int = 1
    later: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Requester:
    """Nobody else is asked: whoever asked confirms it, as far as the policies let them."""


REQUESTER = Requester()


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a stage wants done next. It decides nothing.

    `clause` is the document and the anchor of the section that governs it. `lines` say in words what is asked
    for. `then` is how the run ends when all is done: the key of a sentence.
    """

    steps: tuple[Step, ...]
    approvers: Approvers | Requester
    clause: tuple[str, str]
    beneficiary: Person | Party | None
    lines: tuple[Shown, ...] = ()
    reason: str = ""
    deadlines: Deadlines = field(default_factory=Deadlines)
    then: str = "done"

    def require_sound(self, registry: Registry) -> None:
        """Return if every step can be carried out, and knows what it refers to. Raises PlanInvalid."""
        if not self.steps:
            raise PlanInvalid("a plan has at least one step")
        before: dict[str, Step] = {}
        for one in self.steps:
            if not _NAME.fullmatch(one.name) or one.name in before:
                raise PlanInvalid(f"the name {one.name!r} of a step is taken, or is not a short small word")
            reversible = registry.operation(one.operation).reversible
            if one.lasts is not None and not reversible:
                raise PlanInvalid(
                    f"{one.operation} cannot be undone, so the step {one.name} cannot end by itself"
                )
            if one.undo == "undo" and one is not self.steps[-1]:
                _require(reversible, one)
            for wanted in refs(one.payload.model_dump(mode="json")):
                _require_known(wanted, before, registry, one)
            before[one.name] = one
        if sum(one.undo == "pivot" for one in self.steps) > 1:
            raise PlanInvalid("a plan has one pivot at most")


def _require(reversible: bool, one: Step) -> None:
    if not reversible:
        raise PlanInvalid(
            f"{one.operation} cannot be taken back: say undo='leave' or undo='pivot' of the step {one.name}"
        )


def _require_known(wanted: Ref, before: Mapping[str, Step], registry: Registry, one: Step) -> None:
    named = before.get(wanted.step)
    if named is None:
        raise PlanInvalid(f"the step {one.name} refers to {wanted.step}, which is no earlier step")
    operation = registry.operation(named.operation)
    if operation.repeat == "blind":
        raise PlanInvalid(f"nobody can refer to {wanted.step}: its operation is blind")
    if wanted.field not in operation.result.model_fields:
        raise PlanInvalid(f"what {wanted.step} leaves behind has no {wanted.field}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposed:
    """One step as it was looked at: what it would change, as far as that can be seen yet."""

    step: Step
    change: Change | None  # none where it rests on what an earlier step leaves behind
    effect: str
    scope: str
    reversible: bool

    @property
    def action(self) -> dict[str, Any]:
        """Return what an approval is bound to of this step."""
        plain = {
            "name": self.step.name,
            "operation": self.step.operation,
            "parameters": self.step.payload.model_dump(mode="json"),
            "undo": self.step.undo,
            "effect": self.effect,
            "scope": self.scope,
            "reversible": self.reversible,
            "target": "" if self.change is None else self.change.target,
            "preconditions": {} if self.change is None else dict(self.change.basis),
        }
        if self.step.lasts is not None:
            plain["lasts"] = int(self.step.lasts.total_seconds())
        return plain


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """A plan with everything that was read to arrive at it."""

    steps: tuple[Proposed, ...]
    clause: Clause
    beneficiary: Actor | Party | None
    approvers: Mapping[str, str]  # the groups whose members may decide, by name, each with the directory's id
    quorum: int  # how many distinct people have to approve
    lines: tuple[Shown, ...]
    reason: str
    deadlines: Deadlines
    then: str
    escalation: Mapping[str, str] = field(default_factory=dict)  # who may decide as well, late
    confirmed: bool = False  # by whoever asked, alone

    def action(self, run: Run, *, version: int, level: int, decide_by: datetime) -> dict[str, Any]:
        """Return exactly what an approval of this is bound to, as plain JSON."""
        asked_at = decide_by - self.deadlines.decide_within
        second = {"groups": _groups(self.escalation), "at": _text(asked_at + self.deadlines.escalate_after)}
        return {
            "format": FORMAT,
            "workflow": run.workflow,
            "version": version,
            "steps": [one.action for one in self.steps],
            "then": self.then,
            "requester": run.requester.subject,
            "beneficiary": whose(self.beneficiary),
            "authors": sorted(author.subject for author in run.authors),
            "approvers": _groups(self.approvers),
            "quorum": self.quorum,
            **({"confirmed": True} if self.confirmed else {}),
            "escalation": second if self.escalation else {},
            "clause": self.clause.hash,
            "level": level,
            "decide_by": _text(decide_by),
            "execute_within": int(self.deadlines.execute_within.total_seconds()),
        }


def whose(beneficiary: Actor | Party | None) -> dict[str, str]:
    """Say who gets it: a person, somebody outside, or nobody."""
    if beneficiary is None:
        return {}
    if isinstance(beneficiary, Party):
        return {"system": beneficiary.system, "id": beneficiary.id}
    return {"person": beneficiary.subject}


def _groups(groups: Mapping[str, str]) -> list[dict[str, str]]:
    """Name groups with their ids: another group of the same name is another one."""
    return [{"name": name, "id": groups[name]} for name in sorted(groups)]


def _text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def upgraded(action: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an action in today's form, whichever release made it: one effect is a plan of one step."""
    if action.get("format", 1) != 1:
        return action
    found = dict(action["preconditions"])
    ids = str(found.pop("approvers_id")).split(", ")
    names = action["approvers"]
    known = [names] if isinstance(names, str) else names  # before there were quorums
    second = action.get("escalation") or {}
    terms = action["terms"]
    lasts = int(terms.get("days", 0)) * 86_400 + int(terms.get("minutes", 0)) * 60
    only = {
        "name": ONLY,
        "operation": action["operation"],
        "parameters": action["parameters"],
        "undo": "undo",
        "target": action["target"],
        "preconditions": found,
        **({"lasts": lasts} if lasts else {}),
    }
    later = (
        {"groups": _paired(second["groups"], second["ids"].split(", ")), "at": second["at"]} if second else {}
    )
    kept = ("workflow", "version", "requester", "clause", "level", "decide_by", "execute_within")
    return {
        **{name: action[name] for name in kept},
        "format": 1,
        "steps": [only],
        "beneficiary": {"person": action["beneficiary"]},
        "authors": action.get("authors", []),
        "approvers": _paired(known, ids),
        "quorum": action.get("quorum", 1),
        "escalation": later,
    }


def _paired(names: Sequence[str], ids: Sequence[str]) -> list[dict[str, str]]:
    return [{"name": name, "id": known} for name, known in zip(names, ids, strict=False)]


def comparable(
    approved: Mapping[str, Any], now: Mapping[str, Any]
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return what was approved and what would be done now, so that they can be compared.

    Of what an earlier release approved, only what it had bound is compared.
    """
    if approved["format"] != 1:
        return approved, now
    bound = approved["steps"][0].keys()
    steps = [{**{name: one[name] for name in one.keys() & bound}, "name": ONLY} for one in now["steps"]]
    return approved, {
        **{name: now[name] for name in now.keys() & approved.keys()},
        "format": 1,
        "steps": steps,
    }


def lasting(step: PlanStep) -> timedelta | None:
    """Return how long what a step does stays; None: until something else changes it."""
    return None if step.lasts is None else timedelta(seconds=step.lasts)
