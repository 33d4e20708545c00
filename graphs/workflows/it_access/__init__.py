"""Membership of a group, for some days."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from pydantic import Field as Limit

from connectors.base import Operation
from connectors.directory import AddToGroup
from connectors.tickets import Close, OpenTicket
from graphs.admission import Refused
from graphs.effects import Effect
from graphs.engine.workflow import Next, Results, RunContext, Workflow, stage
from graphs.kit import Kind
from graphs.memberships import membership
from graphs.plans import ONLY, Approvers
from graphs.records import Approval, Field, Run
from graphs.sections import Channel, ClauseRef, GroupName, Groups, Section, Times
from graphs.words import WorkflowHints
from graphs.workflows.it_access.ticket import with_ticket

# What the word "access" may be followed by instead of the name of a group.
SYSTEMS = """
    data database databases db group groups system systems tool tools log logs table tables crm server
    servers
    """


class RequestableGroup(Section):
    """A group that people may ask to join, and who decides: `quorum` members of the groups `approvers`."""

    title: str = ""
    approvers: Groups
    quorum: int = Limit(default=1, ge=1, le=10)
    max_days: int = Limit(default=30, ge=1, le=366)
    escalate_to: GroupName | None = None  # a group whose members may decide as well, late


class Rules(Section):
    """What the installation has decided about access."""

    channel: Channel
    clause: ClauseRef
    groups: dict[GroupName, RequestableGroup]
    times: Times = Times()
    tickets: bool = False  # whether each access has a ticket, which is opened before and closed after it


def hints(groups: Iterable[str]) -> WorkflowHints:
    """Return the words by which people ask for access to one of these groups."""
    return WorkflowHints(
        nouns=frozenset({"access", "permission", "permissions", "membership"}),
        options=frozenset(groups),
        targets=frozenset(SYSTEMS.split()),
        choice="group",
        duration="days",
        reason="reason",
    )


class ItAccess(Workflow[Rules]):
    """Asked for, approved, granted, read back; and it ends by itself."""

    name, title, version = "it_access", "Access to data", 3
    continues = (2,)
    ending = ("it_access_end", 1)
    described: ClassVar[Mapping[str, type[str | int]]] = {"group": str, "days": int}

    @property
    def fields(self) -> tuple[Field, ...]:
        """Which group, for how long, and what for."""
        most = max((group.max_days for group in self.rules.groups.values()), default=1)
        options = tuple(sorted(self.rules.groups))
        return (
            Field(name="group", label="Which access", kind="choice", options=options),
            Field(
                name="days",
                label="For how many days",
                kind="number",
                least=1,
                most=most,
                narrows="less",
                binds="lasts",
            ),
            Field(
                name="reason",
                label="What for",
                kind="text",
                most=500,
                requester_only=True,
                help="The approver reads this, in your words.",
            ),
        )

    @property
    def needs(self) -> Sequence[type[Operation[Any, Any]]]:
        """A membership, and a ticket where the rules want one."""
        return (AddToGroup, OpenTicket, Close) if self.rules.tickets else (AddToGroup,)

    @property
    def hints(self) -> WorkflowHints:
        """How people ask for access."""
        return hints(self.rules.groups)

    @property
    def channels(self) -> Mapping[str, str]:
        """Where it is decided."""
        return {"cards": self.rules.channel}

    @classmethod
    def ends(cls) -> Iterable[Kind]:
        """Return what ends a membership."""
        from graphs.workflows.it_access import end  # noqa: PLC0415  # LangGraph takes seconds to import

        return (end.workflow(),)

    def require_allowed(self, values: Mapping[str, str]) -> None:
        """Return if the rules let anybody ask for this. Raises Refused."""
        rule = self.rules.groups.get(values["group"])
        if rule is None:
            raise Refused("not_requestable", group=values["group"])
        if int(values["days"]) > rule.max_days:
            raise Refused("too_long", group=values["group"], most=str(rule.max_days))

    def parameters(self, values: Mapping[str, str]) -> Mapping[str, str | int]:
        """Return what the policies are told of a request."""
        return {"group": values["group"], "days": int(values["days"])}

    @stage(first=True)
    async def grant(self, run: RunContext) -> Next:
        """Add whoever asks to the group for the days."""
        name, days = run.asked["group"], int(run.asked["days"])
        rule = self.rules.groups[name]
        later = (rule.escalate_to,) if rule.escalate_to else ()
        plan = await membership(
            run,
            group=name,
            lasts=timedelta(days=days),
            words=f"{days} day{'' if days == 1 else 's'}",
            approvers=Approvers(groups=rule.approvers, quorum=rule.quorum, later=later),
            clause=self.rules.clause,
            deadlines=self.rules.times.deadlines,
        )
        return with_ticket(plan, await run.requester(), name) if self.rules.tickets else plan

    def facts(self, approval: Approval, results: Results) -> Mapping[str, str]:
        """Return which group it is about."""
        return {"group": str((approval.step(ONLY) or approval.steps[0]).sends["group"])}

    def end_values(self, run: Run, effect: Effect) -> Mapping[str, str]:
        """Return what the end has to know."""
        return {**super().end_values(run, effect), "group": run.values["group"]}
