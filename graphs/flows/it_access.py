"""Membership of a group, for some days: collect, check, plan, approve, grant, read back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from langgraph.graph import END, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from graphs import acting, approvals, cases, memberships, steps
from graphs.admission import Refused
from graphs.approvals import Proposal
from graphs.effects import Effect, Held
from graphs.kit import Case, Workflow
from graphs.memberships import Deadlines, Governed
from graphs.ports import Connection
from graphs.records import Approval, Field, Run, RunStatus
from graphs.steps import State

NAME = "it_access"
OPERATION = "directory.add_to_group"
ENDING = ("it_access_end", 1)  # the workflow that ends what this one granted


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestableGroup:
    """A group that may be asked for. Members of the groups `approvers` may approve, `quorum` of them must."""

    approvers: tuple[str, ...]
    max_days: int
    quorum: int = 1
    escalate_to: tuple[str, ...] = ()  # groups whose members may decide as well, late


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """What the installation has decided about access."""

    groups: Mapping[str, RequestableGroup]
    clause_document: str
    clause_anchor: str
    deadlines: Deadlines = field(default_factory=Deadlines)


def workflow(rules: Rules) -> Workflow:
    """Return the workflow under these rules."""
    most = max((group.max_days for group in rules.groups.values()), default=1)
    fields = (
        Field(name="group", label="Which access", kind="choice", options=tuple(sorted(rules.groups))),
        Field(name="days", label="For how many days", kind="number", least=1, most=most, narrows="less"),
        Field(
            name="reason",
            label="What for",
            kind="text",
            most=500,
            theirs=True,
            help="The approver reads this, in your words.",
        ),
    )
    return Workflow(
        name=NAME,
        title="Access to data",
        version=2,
        fields=fields,
        build=lambda: _machine(_Access(rules), fields),
    )


def _machine(access: "_Access", fields: tuple[Field, ...]) -> StateGraph[State, Case, State, State]:
    return memberships.lending(
        fields,
        check=access.check,
        propose=access.propose,
        grant=acting.execute(access.propose, lasts=_lasts, also=_schedule_end),
        confirm=acting.confirm(_granted),
    )


class _Access:
    """The nodes that only this workflow has."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    async def check(self, state: State, runtime: Runtime[Case]) -> Command[str]:
        """Is the person allowed to ask, and does the request stay within the group's limit?"""
        case = runtime.context
        values = (await case.row()).run.values
        rule = self._rules.groups.get(values["group"])
        if rule is None:
            return steps.refuse(Refused("not_requestable", group=values["group"]))
        if int(values["days"]) > rule.max_days:
            return steps.refuse(Refused("too_long", group=values["group"], most=str(rule.max_days)))
        try:
            await memberships.may_request(case, NAME, {"group": values["group"], "days": int(values["days"])})
        except Refused as refusal:
            return steps.refuse(refusal)
        async with case.writing() as conn:
            await cases.note(conn, case.id, "checked")
        return Command(goto="plan")

    async def propose(self, case: Case, run: Run) -> Proposal:
        """Read the world and say exactly what would be done. Raises Refused where it cannot be."""
        name, days = run.values["group"], int(run.values["days"])
        rule = self._rules.groups.get(name)
        if rule is None:
            raise Refused("not_requestable", group=name)
        governed = Governed(
            clause_document=self._rules.clause_document,
            clause_anchor=self._rules.clause_anchor,
            approvers=rule.approvers,
            quorum=rule.quorum,
            deadlines=self._rules.deadlines,
            escalation=rule.escalate_to,
        )
        lasts = f"{days} day{'' if days == 1 else 's'}"
        return await memberships.propose(case, run, governed, group=name, terms={"days": days}, lasts=lasts)


def _lasts(held: Held) -> timedelta:
    return timedelta(days=int(held.run.values["days"]))


async def _schedule_end(conn: Connection, held: Held, effect: Effect) -> Mapping[str, Any]:
    """Make the end of what was granted a run of its own."""
    return await memberships.schedule_end(
        conn,
        held,
        effect,
        ENDING,
        {"run": held.run.id, "approval": effect.approval, "group": held.run.values["group"]},
    )


async def _granted(case: Case, effect: Effect, approval: Approval) -> Command[str]:
    assert effect.ends_at is not None
    facts = {
        "group": str(effect.payload["group"]),
        "until": effect.ends_at.isoformat(),
        "by": approvals.names(approval),
    }
    async with case.writing() as conn:
        await cases.note(conn, case.id, "confirmed")
    await steps.end(case, RunStatus.DONE, None, facts, notice="granted")
    return Command(goto=END)
