"""The policies beside an oracle that shares nothing with them, and beside their mutants (P1, P3, P4, P5)."""

import itertools
import logging
import random
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import cedarpy

from graphs.policy import cases
from graphs.policy.cases import Someone
from graphs.policy.engine import Policy, PolicyInvalid, Ruling
from tests import mutants, oracle
from tests.figures.record import Figure, none_wrong

PEOPLE = ("ada", "grace", "ben")
HUMANS = ("", "", "employee 7", "employee 8")  # two accounts may have one; many have none
GROUPED = ("approvers", "escalation", "reviewers", "groups")  # lists of groups; others are of people
GROUPS = ("data-owners", "Data-Owners", "people-team")
EQUIVALENT: Mapping[str, str] = {  # mutants that decide as the policies do, each with the reason
    f"{name}: {what}": "no other action is told of a holder"
    for name in (
        "stand-ins-decide",
        "stand-ins-have-what-the-holder-has",
        "nobody-decides-through-a-stand-in-on-what-they-asked-for",
    )
    for what in ("any action", *(f"also {one}" for one in ("request", "read", "resolve", "revert", "review")))
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
            ("request", "read", "approve", "approve", "execute", "execute", "resolve", "revert", "review")
        )
        made = Question(
            who=_who(chance, action),
            action=action,
            kind=oracle.DONE_TO[action],
            resource=_filled(oracle.MADE_OF[oracle.DONE_TO[action]], chance),
            context=_told(action, chance),
        )
        yield _spoilt(made, chance) if chance.random() < 0.1 else made


def _who(chance: random.Random, action: str) -> Someone | None:
    if chance.random() < (0.7 if action == "revert" else 0.05):
        return None
    groups = frozenset(group for group in GROUPS if chance.random() < 0.6)
    human, active = chance.choice(HUMANS), chance.random() < 0.8
    return Someone(subject=chance.choice(PEOPLE), human=human, groups=groups, active=active)


def _told(action: str, chance: random.Random) -> dict[str, Any]:
    told = _filled(oracle.TOLD[action], chance)
    if action in {"approve", "execute"} and chance.random() < 0.4:
        told["holder"] = _filled(oracle.HOLDER, chance)
    return told


def _filled(wanted: Mapping[str, type], chance: random.Random) -> dict[str, Any]:
    return {name: _value(name, kind, chance) for name, kind in wanted.items()}


def _value(name: str, kind: type, chance: random.Random) -> Any:
    if kind is dict:
        known = [each for each in oracle.PARAMETERS if chance.random() < 0.7]
        return {each: _value(each, oracle.PARAMETERS[each], chance) for each in known}
    if kind is bool:
        return chance.random() < 0.8
    if kind is int:
        return chance.choice((59, 60, 61)) if name == "minutes" else chance.choice((0, 1, 2, 2, 3, 4))
    if kind is list:
        return chance.sample(
            GROUPS if name in GROUPED else (*PEOPLE, *HUMANS[2:]), chance.choice((0, 1, 1, 2))
        )
    if name == "workflow":
        return chance.choice(("it_access", "break_glass"))
    return chance.choice(PEOPLE)


def _spoilt(made: Question, chance: random.Random) -> Question:
    """Return a request that is not of its form: something is missing, unknown, of another type or kind."""
    which = chance.choice(("resource", "context"))
    part = dict(getattr(made, which))
    match chance.randrange(4):
        case 0 if part:
            part.pop(chance.choice(sorted(part)))
        case 1 if part:
            name = chance.choice(sorted(part))
            part[name] = 7 if isinstance(part[name], str) else "7"
        case 2 if isinstance(part.get("parameters"), dict):
            part["parameters"] = {**part["parameters"], chance.choice(("colour", "days")): "7"}
        case 3:
            return replace(made, kind=chance.choice(sorted(oracle.MADE_OF)))
        case _:
            part["colour"] = "red"
    return replace(made, **{which: part})


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


def hunt(policy: Policy) -> Hunt:
    """Change one thing of the policies at a time, and see whether their cases notice."""
    killed, refused, survived = 0, 0, []
    known = cases.shipped()
    with quiet():
        for mutant in mutants.of(policy.text):
            try:
                changed = Policy(schema=policy.schema, text=mutant.text)
            except PolicyInvalid:
                refused += 1
                continue
            if all(outcome.passed for outcome in cases.run(changed, known)):
                survived.append(mutant.what)
            else:
                killed += 1
    return Hunt(killed=killed, refused=refused, survived=tuple(survived))


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
    taken = microseconds(policy, count=2_000 if quick else 20_000)
    yield Figure(
        promise="P5",
        what="one decision, median in microseconds",
        tried=1,
        wrong=int(taken >= 1_000),
        value=round(taken),
        goal="below 1,000",
        holds=taken < 1_000,
    )
