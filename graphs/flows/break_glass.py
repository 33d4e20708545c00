"""Membership of a group in an emergency: two people approve, an alarm says so, a review follows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from langgraph.graph import END, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from graphs import acting, alarms, approvals, cases, memberships, steps
from graphs.admission import Refused
from graphs.approvals import Plain, Proposal
from graphs.effects import Effect, Held
from graphs.kit import Case, Workflow
from graphs.memberships import Deadlines, Governed
from graphs.ports import Connection
from graphs.records import Approval, Field, Run, RunStatus
from graphs.steps import State

NAME = "break_glass"
ENDING = ("break_glass_end", 1)  # the workflow that ends what this one granted
LONGEST = 60  # minutes
QUORUM = 2  # whatever the installation says


@dataclass(frozen=True, kw_only=True, slots=True)
class EmergencyGroup:
    """A group that may be entered in an emergency. Members of the groups `approvers` may approve."""

    approvers: tuple[str, ...]
    max_minutes: int = LONGEST

    def __post_init__(self) -> None:
        """Refuse a longer time than an emergency may last."""
        if not 1 <= self.max_minutes <= LONGEST:
            raise ValueError("emergency access lasts at most an hour")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """What the installation has decided about emergencies."""

    groups: Mapping[str, EmergencyGroup]
    clause_document: str
    clause_anchor: str
    reviewers: str  # the group whose members review it afterwards
    review_every: timedelta = timedelta(hours=24)  # between two reminders
    deadlines: Deadlines = field(
        default_factory=lambda: Deadlines(
            decide_within=timedelta(hours=1),
            remind_after=timedelta(minutes=15),
            escalate_after=timedelta(minutes=45),
        )
    )


def workflow(rules: Rules) -> Workflow:
    """Return the workflow under these rules."""
    most = max((group.max_minutes for group in rules.groups.values()), default=1)
    fields = (
        Field(name="group", label="Which access", kind="choice", options=tuple(sorted(rules.groups))),
        Field(name="minutes", label="For how many minutes", kind="number", least=1, most=most),
        Field(
            name="reason",
            label="What has happened, and what for",
            kind="text",
            most=500,
            help="Two people read this before they approve, and a third one afterwards.",
        ),
    )
    return Workflow(
        name=NAME,
        title="Emergency access",
        version=1,
        fields=fields,
        urgent=True,
        build=lambda: _machine(_Emergency(rules), fields),
    )


def _machine(emergency: "_Emergency", fields: tuple[Field, ...]) -> StateGraph[State, Case, State, State]:
    grant = acting.execute(emergency.propose, lasts=_lasts, also=emergency.schedule_end)
    return memberships.lending(
        fields,
        check=emergency.check,
        propose=emergency.propose,
        grant=grant,
        confirm=acting.confirm(_granted),
    )


class _Emergency:
    """The nodes that need the rules."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    async def check(self, state: State, runtime: Runtime[Case]) -> Command[str]:
        """Is the person allowed to ask, and is it within the limit? If so, raise the alarm."""
        case = runtime.context
        values = (await case.row()).run.values
        try:
            self._require_within(values["group"], int(values["minutes"]))
            asked: dict[str, Plain] = {"group": values["group"], "minutes": int(values["minutes"])}
            await memberships.may_request(case, NAME, asked)
        except Refused as refusal:
            return steps.refuse(refusal)
        facts = {name: values[name] for name in ("group", "minutes", "reason")}
        async with case.writing() as conn:
            await cases.note(conn, case.id, "checked")
            await alarms.sound(conn, case.kit.notifier, case.id, "asked", facts)
        return Command(goto="plan")

    async def propose(self, case: Case, run: Run) -> Proposal:
        """Read the world and say exactly what would be done. Raises Refused where it cannot be."""
        group, minutes = run.values["group"], int(run.values["minutes"])
        governed = Governed(
            clause_document=self._rules.clause_document,
            clause_anchor=self._rules.clause_anchor,
            approvers=self._rule(group).approvers,
            quorum=QUORUM,
            deadlines=self._rules.deadlines,
        )
        lasts = f"{minutes} minute{'' if minutes == 1 else 's'}"
        return await memberships.propose(
            case, run, governed, group=group, terms={"minutes": minutes}, lasts=lasts
        )

    def _require_within(self, group: str, minutes: int) -> None:
        most = self._rule(group).max_minutes
        if minutes > most:
            raise Refused("too_many_minutes", most=str(most))

    def _rule(self, group: str) -> EmergencyGroup:
        rule = self._rules.groups.get(group)
        if rule is None:
            raise Refused("not_requestable", group=group)
        return rule

    async def schedule_end(self, conn: Connection, held: Held, effect: Effect) -> Mapping[str, Any]:
        """Make the end of what was granted a run of its own, which knows who reviews it."""
        return await memberships.schedule_end(
            conn,
            held,
            effect,
            ENDING,
            {
                "run": held.run.id,
                "approval": effect.approval,
                "group": held.run.values["group"],
                "reviewers": self._rules.reviewers,
                "every": str(int(self._rules.review_every.total_seconds())),
            },
            urgent=True,
        )


def _lasts(held: Held) -> timedelta:
    return timedelta(minutes=int(held.run.values["minutes"]))


async def _granted(case: Case, effect: Effect, approval: Approval) -> Command[str]:
    """Say aloud that somebody has emergency access, and end the run."""
    assert effect.ends_at is not None
    facts = {
        "group": str(effect.payload["group"]),
        "until": effect.ends_at.isoformat(),
        "by": approvals.names(approval),
    }
    async with case.writing() as conn:
        await cases.note(conn, case.id, "confirmed")
        await alarms.sound(conn, case.kit.notifier, case.id, "granted", facts)
    await steps.end(case, RunStatus.DONE, None, facts, notice="granted")
    return Command(goto=END)
