"""Membership of a group, for some days."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from graphs.admission import Refused
from graphs.effects import Effect
from graphs.engine.workflow import Next, RunContext, Workflow, stage
from graphs.memberships import membership
from graphs.plans import Approvers, Deadlines
from graphs.records import Approval, Field, Run


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


class ItAccess(Workflow[Rules]):
    """Asked for, approved, granted, read back; and it ends by itself."""

    name, title, version = "it_access", "Access to data", 3
    continues = (2,)
    ending = ("it_access_end", 1)

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
                theirs=True,
                help="The approver reads this, in your words.",
            ),
        )

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
        return await membership(
            run,
            group=name,
            lasts=timedelta(days=days),
            words=f"{days} day{'' if days == 1 else 's'}",
            approvers=Approvers(groups=rule.approvers, quorum=rule.quorum, later=rule.escalate_to),
            clause=(self.rules.clause_document, self.rules.clause_anchor),
            deadlines=self.rules.deadlines,
        )

    def facts(self, approval: Approval) -> Mapping[str, str]:
        """Return which group it is about."""
        return {"group": str(approval.steps[0].sends["group"])}

    def end_values(self, run: Run, effect: Effect) -> Mapping[str, str]:
        """Return what the end has to know."""
        return {**super().end_values(run, effect), "group": run.values["group"]}
