"""The policies beside an oracle that shares nothing with them, and beside their mutants (P1, P3, P4, P5)."""

import itertools
import logging
import random
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated, Any, Literal
from unittest import mock

import cedarpy
from pydantic import Field, create_model

from connectors.base import Operation, Payload, Referable
from connectors.directory import AddToGroup
from connectors.registry import SHIPPED
from graphs.policy import cases
from graphs.policy.cases import Someone
from graphs.policy.engine import Policy, PolicyInvalid, Ruling
from tests import mutants, oracle
from tests.figures.record import Figure, none_wrong

PEOPLE = ("ada", "grace", "ben")
HUMANS = ("", "", "employee 7", "employee 8")  # two accounts may have one; many have none
GROUPS = ("data-owners", "Data-Owners", "people-team")
NAMED: Mapping[str, Sequence[str]] = {  # what is no person
    **dict.fromkeys(("approvers", "escalation", "reviewers", "groups", "group"), GROUPS),
    **dict.fromkeys(("operation", "operations"), oracle.OPERATIONS),
    "workflow": ("it_access", "it_access", "break_glass"),
    "effect": ("write", "destructive"),
    "scope": ("groups:write", "groups:admin"),
}
EQUIVALENT: Mapping[str, str] = {  # mutants that decide as the policies do, each with the reason
    "requesters-confirm: also approve": "nobody approves what they asked for, whatever permits it",
    **{
        f"{name}: {what}": "no other action is told of a holder"
        for name in (
            "stand-ins-decide",
            "stand-ins-have-what-the-holder-has",
            "nobody-decides-through-a-stand-in-on-what-they-asked-for",
        )
        for what in (
            "any action",
            *(f"also {one}" for one in ("request", "read", "confirm", "resolve", "revert", "review")),
        )
    },
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One request to the policies, in plain values."""

    who: Someone | None
    action: Any
    kind: str
    resource: Mapping[str, Any]
    context: Mapping[str, Any]

    def ruling(self, policy: Policy) -> Ruling:
        return policy.rule(self.action, self.who, (self.kind, "one", self.resource), self.context)

    def promised(self) -> bool:
        who = None if self.who is None else self.who.model_dump()
        return oracle.may(who, self.action, self.kind, self.resource, self.context)


def questions(count: int, seed: int) -> Iterator[Question]:
    """Yield random requests from universes so small that every rule has something to say; some do not fit."""
    chance = random.Random(seed)
    for _ in range(count):
        action = chance.choice(
            (*("request", "read", "resolve", "revert", "review"), *("approve", "confirm", "execute") * 2)
        )
        made = Question(
            who=_who(chance, action),
            action=action,
            kind=oracle.DONE_TO[action],
            resource=_filled(oracle.MADE_OF[oracle.DONE_TO[action]], chance),
            context=_told(action, chance),
        )
        if action == "confirm" and chance.random() < 0.5:
            made = _alone(made, chance)
        yield _spoilt(made, chance) if chance.random() < 0.1 else made


def _alone(made: Question, chance: random.Random) -> Question:
    """Return a request to confirm nearly all of which is as it has to be: by chance alone that is rare."""
    asked = chance.choice(PEOPLE)
    resource = {**made.resource, "confirmed": True, "requester": [asked], "authors": []}
    resource["beneficiary"] = chance.choice(([], [asked], [chance.choice(PEOPLE)]))
    return replace(made, resource=resource, context={**made.context, "effect": "write", "outside": False})


def _who(chance: random.Random, action: str) -> Someone | None:
    if chance.random() < (0.7 if action == "revert" else 0.05):
        return None
    groups = frozenset(group for group in GROUPS if chance.random() < 0.6)
    human, active = chance.choice(HUMANS), chance.random() < 0.8
    return Someone(subject=chance.choice(PEOPLE), human=human, groups=groups, active=active)


def _told(action: str, chance: random.Random) -> dict[str, Any]:
    told = _filled(oracle.TOLD[action], chance)
    if action == "request":
        told["parameters"] = _some(oracle.ASKED_FOR, chance)
    if action in {"approve", "confirm", "execute"}:
        told["parameters"] = _filled(oracle.SENT, chance) | _some(oracle.SENT_BESIDES, chance)
        told["plan"] = _filled(oracle.PLAN, chance)
        if chance.random() < 0.8:
            told["lasts"] = chance.choice((60, 3_599, 3_600, 3_601))
        if action != "confirm" and chance.random() < 0.4:
            told["holder"] = _filled(oracle.HOLDER, chance)
    return told


def _filled(wanted: Mapping[str, type], chance: random.Random) -> dict[str, Any]:
    return {name: _value(name, kind, chance) for name, kind in wanted.items()}


def _some(wanted: Mapping[str, type], chance: random.Random) -> dict[str, Any]:
    return {name: value for name, value in _filled(wanted, chance).items() if chance.random() < 0.7}


def _value(name: str, kind: type, chance: random.Random) -> Any:
    if name in {"outside", "confirmed"}:
        return chance.random() < 0.3
    if kind is bool:
        return chance.random() < 0.8
    if kind is int:
        return chance.choice((0, 1, 2, 2, 3, 4))
    if kind is list:
        known = NAMED.get(name, (*PEOPLE, *HUMANS[2:]))
        return chance.sample(known, chance.choice((0, 1, 1, 2)))
    return chance.choice(NAMED.get(name, PEOPLE))


def _spoilt(made: Question, chance: random.Random) -> Question:
    """Return a request that is not of its form: something is missing, unknown, of another type or kind."""
    which = chance.choice(("resource", "context"))
    part = dict(getattr(made, which))
    records = [name for name, value in part.items() if isinstance(value, dict)]
    match chance.randrange(6):
        case 0 if part:
            part.pop(chance.choice(sorted(part)))
        case 1 if part:
            name = chance.choice(sorted(part))
            part[name] = 7 if isinstance(part[name], str) else "7"
        case 2 if records:
            name = chance.choice(sorted(records))
            part[name] = {**part[name], chance.choice(("colour", "days", "steps", "active")): "7"}
        case 3 if records:
            name = chance.choice(sorted(records))
            part[name] = dict.fromkeys(part[name], 7.5) if chance.random() < 0.5 else {}
        case 4 if which == "resource" and "operation" in part:
            part["operation"] = chance.choice(("directory.rename", "approve", ""))
        case 5:
            return replace(made, kind=chance.choice(sorted(oracle.MADE_OF)))
        case _:
            part["colour"] = "red"
    return replace(made, resource=part) if which == "resource" else replace(made, context=part)


@contextmanager
def quiet() -> Iterator[None]:
    """The engine logs each request that it cannot evaluate; here that is a tenth of them."""
    logger = logging.getLogger("graphs.policy.engine")
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """How the policies and the oracle compare."""

    tried: int
    wrong: tuple[Question, ...]
    decided: Mapping[str, int]  # how often each rule did, and each fault


def agreement(policy: Policy, *, count: int, seed: int = 4) -> Agreement:
    """Ask both `count` random questions."""
    decided, wrong = Counter[str](), []
    with quiet():
        for question in questions(count, seed):
            ruling = question.ruling(policy)
            decided.update(ruling.policies or (ruling.fault or "no permit",))
            if ruling.allowed is not question.promised():
                wrong.append(question)
    return Agreement(tried=count, wrong=tuple(wrong), decided=decided)


@dataclass(frozen=True, kw_only=True, slots=True)
class Hunt:
    """What became of the mutants."""

    killed: int  # by a case whose answer changed, or its reasons
    refused: int  # by strict validation: they do not load
    survived: tuple[str, ...]


def hunt(policy: Policy, *, part: slice = slice(None)) -> Hunt:
    """Change one thing of the policies at a time, and see whether their cases notice; all, or a part."""
    killed, refused, survived = 0, 0, []
    known = cases.shipped()
    with quiet():
        for mutant in [*mutants.of(policy.text)][part]:
            try:
                changed = replace(policy, text=mutant.text)
            except PolicyInvalid:
                refused += 1
                continue
            if _unnoticed(changed, mutant, known):
                survived.append(mutant.what)
            else:
                killed += 1
    return Hunt(killed=killed, refused=refused, survived=tuple(survived))


def _unnoticed(changed: Policy, mutant: mutants.Mutant, known: Sequence[cases.Case]) -> bool:
    """Whether no case fails. Those that the policy decides come first: one of them nearly always does."""
    name = mutant.what.partition(":")[0]
    likely_first = sorted(known, key=lambda case: name not in case.by)
    return all(cases.run(changed, [case])[0].passed for case in likely_first)


def trusted_though_broken(policy: Policy, *, count: int, seed: int = 5) -> tuple[int, int]:
    """Ask an engine that is missing, breaks or is late. Returns how often, and how often it allowed."""
    broken = [ImportError("gone"), RuntimeError("broken"), MemoryError(), BaseException("a panic")]
    ticks = itertools.count(step=1.5)
    late = replace(policy, timer=lambda: next(ticks))
    allowed = 0
    with quiet():
        for number, question in enumerate(questions(count, seed)):
            error = broken[number % len(broken)]
            with mock.patch.object(cedarpy, "is_authorized", side_effect=error):
                allowed += question.ruling(policy).allowed
            allowed += question.ruling(late).allowed
    return 2 * count, allowed


def microseconds(policy: Policy, *, count: int) -> float:
    """Return the median time of one decision."""
    asked = [one for one in questions(count, seed=6) if one.action == "execute"]
    taken = []
    with quiet():
        for question in asked:
            began = time.perf_counter()
            question.ruling(policy)
            taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1e6


class Line(Payload):
    """One line of an order."""

    article: str
    number: int
    price: Annotated[Decimal, Field(decimal_places=2)]


class Order(Payload):
    """A payload with something of every kind."""

    customer: str
    kind: Literal["goods", "service"]
    total: Annotated[Decimal, Field(decimal_places=2)]
    lines: tuple[Line, ...]
    tags: tuple[str, ...] = ()
    due: str | None = None
    express: bool = False
    note: Annotated[str, Referable(pattern=r"\w*", most=200)] = ""


def many(count: int) -> list[type[Operation[Any, Any]]]:
    """Return as many operations, each with a payload of its own."""
    made: list[type[Operation[Any, Any]]] = []
    for number in range(count):
        one: type[Operation[Any, Any]] = type(
            f"Order{number}", (AddToGroup,), {"name": f"shop.order_{number}"}
        )
        one.payload = create_model(f"Order{number}", __base__=Order, **{f"field_{number}": (str, ...)})  # type: ignore[call-overload]  # named at run time
        made.append(one)
    return made


def seconds_to_load(operations: Sequence[type[Operation[Any, Any]]]) -> float:
    """Return the median time in which the policies are loaded and validated."""
    taken = []
    for _ in range(5):
        began = time.perf_counter()
        Policy.shipped(operations=operations)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


async def measure(*, quick: bool) -> AsyncIterator[Figure]:
    """Compare with the oracle, hunt the mutants, break the engine, time a decision."""
    policy = Policy.shipped()
    count = 8_000 if quick else 100_000
    found = agreement(policy, count=count)
    yield none_wrong(
        "P3", "random requests: policies against oracle", tried=count, wrong=len(found.wrong), least=count
    )
    rules = [*(rule.id for rule in policy.rules), "no permit", "unclear"]
    rare = [name for name in rules if found.decided[name] < count / 200]
    yield Figure(
        promise="P3",
        what="rules, and refusals for want of a permit or of form, that decided one request of 200",
        tried=len(rules),
        wrong=len(rare),
        value=", ".join(f"{name} {found.decided[name]}" for name in rules),
        goal="all",
        holds=not rare,
    )
    hunted = hunt(policy)
    alive = [what for what in hunted.survived if what not in EQUIVALENT]
    yield Figure(
        promise="P4",
        what="policies and clauses removed or turned round, each noticed by a case or by strict validation",
        tried=hunted.killed + hunted.refused + len(hunted.survived),
        wrong=len(alive),
        value=f"{hunted.killed} by cases, {hunted.refused} not loaded, {len(EQUIVALENT)} equal in effect",
        goal="0 survive",
        holds=not alive,
    )
    tried, allowed = trusted_though_broken(policy, count=200 if quick else 5_000)
    yield none_wrong(
        "P5",
        "requests to an engine that is missing, breaks or is late",
        tried=tried,
        wrong=allowed,
        least=400,
    )
    for figure in _times(policy, count=2_000 if quick else 20_000):
        yield figure


def _times(policy: Policy, *, count: int) -> Iterator[Figure]:
    """Time a decision, also with many operations, which then have to be loaded."""
    operations = [*SHIPPED, *many(198)]
    milliseconds = round(1_000 * seconds_to_load(operations))
    yield Figure(
        promise="P5",
        what="with 200 operations: policies loaded and validated, median in milliseconds",
        tried=5,
        wrong=int(milliseconds >= 1_000),
        value=milliseconds,
        goal="below 1,000",
        holds=milliseconds < 1_000,
    )
    for where, asked in (("", policy), ("with 200 operations: ", Policy.shipped(operations=operations))):
        taken = microseconds(asked, count=count)
        yield Figure(
            promise="P5",
            what=f"{where}one decision, median in microseconds",
            tried=1,
            wrong=int(taken >= 1_000),
            value=round(taken),
            goal="below 1,000",
            holds=taken < 1_000,
        )
