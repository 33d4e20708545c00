"""Membership of a group in an emergency: two people approve, an alarm says so, a review follows."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from pydantic import Field as Limit

from connectors.base import Operation
from connectors.directory import AddToGroup
from graphs.admission import Refused
from graphs.effects import Effect
from graphs.engine.workflow import Next, Results, RunContext, Workflow, stage
from graphs.kit import Kind
from graphs.memberships import membership
from graphs.plans import Approvers
from graphs.records import Approval, Field, Run
from graphs.sections import Channel, ClauseRef, GroupName, Groups, Section, Span, Times

LONGEST = 60  # minutes
QUORUM = 2  # whatever the installation says


class EmergencyGroup(Section):
    """A group that may be entered in an emergency. Two members of the groups `approvers` approve it."""

    approvers: Groups
    max_minutes: int = Limit(default=LONGEST, ge=1, le=LONGEST)


class Rules(Section):
    """What the installation has decided about emergencies: where they are decided, announced, reviewed."""

    channel: Channel
    alarm_channel: Channel
    review_channel: Channel
    reviewers: GroupName  # whose members review it afterwards
    clause: ClauseRef
    groups: dict[GroupName, EmergencyGroup]
    times: Times = Times(decide=timedelta(hours=1))
    review_every: Span = Limit(default=timedelta(hours=24), ge=timedelta(hours=1), le=timedelta(days=7))


class BreakGlass(Workflow[Rules]):
    """Asked for, announced, approved by two, granted, ended and reviewed."""

    name, title, version = "break_glass", "Emergency access", 2
    continues = (1,)
    urgent = True
    ending = ("break_glass_end", 1)
    described: ClassVar[Mapping[str, type[str | int]]] = {"group": str, "minutes": int}

    @property
    def fields(self) -> tuple[Field, ...]:
        """Which group, for how long, and what has happened."""
        most = max((group.max_minutes for group in self.rules.groups.values()), default=1)
        options = tuple(sorted(self.rules.groups))
        return (
            Field(name="group", label="Which access", kind="choice", options=options),
            Field(name="minutes", label="For how many minutes", kind="number", least=1, most=most),
            Field(
                name="reason",
                label="What has happened, and what for",
                kind="text",
                most=500,
                help="Two people read this before they approve, and a third one afterwards.",
            ),
        )

    @property
    def needs(self) -> Sequence[type[Operation[Any, Any]]]:
        """A membership."""
        return (AddToGroup,)

    @property
    def channels(self) -> Mapping[str, str]:
        """Where it is decided, reviewed and said aloud."""
        rules = self.rules
        return {"cards": rules.channel, "reviews": rules.review_channel, "alarms": rules.alarm_channel}

    @classmethod
    def ends(cls) -> Iterable[Kind]:
        """Return what ends a membership, and has it reviewed."""
        from graphs.workflows.break_glass import end  # noqa: PLC0415  # LangGraph takes seconds to import

        return (end.workflow(),)

    def require_allowed(self, values: Mapping[str, str]) -> None:
        """Return if the rules let anybody ask for this. Raises Refused."""
        rule = self.rules.groups.get(values["group"])
        if rule is None:
            raise Refused("not_requestable", group=values["group"])
        if int(values["minutes"]) > rule.max_minutes:
            raise Refused("too_many_minutes", most=str(rule.max_minutes))

    def parameters(self, values: Mapping[str, str]) -> Mapping[str, str | int]:
        """Return what the policies are told of a request."""
        return {"group": values["group"], "minutes": int(values["minutes"])}

    @stage(first=True)
    async def grant(self, run: RunContext) -> Next:
        """Add whoever asks to the group for the minutes."""
        name, minutes = run.asked["group"], int(run.asked["minutes"])
        return await membership(
            run,
            group=name,
            lasts=timedelta(minutes=minutes),
            words=f"{minutes} minute{'' if minutes == 1 else 's'}",
            approvers=Approvers(groups=self.rules.groups[name].approvers, quorum=QUORUM),
            clause=self.rules.clause,
            deadlines=self.rules.times.deadlines,
        )

    def facts(self, approval: Approval, results: Results) -> Mapping[str, str]:
        """Return which group it is about."""
        return {"group": str(approval.steps[0].sends["group"])}

    def end_values(self, run: Run, effect: Effect) -> Mapping[str, str]:
        """Return what the end has to know, and who reviews."""
        return {
            **super().end_values(run, effect),
            "group": run.values["group"],
            "reviewers": self.rules.reviewers,
            "every": str(int(self.rules.review_every.total_seconds())),
        }
