"""Membership of a group in an emergency: two people approve, an alarm says so, a review follows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from graphs.admission import Refused
from graphs.effects import Effect
from graphs.engine.workflow import Next, RunContext, Workflow, stage
from graphs.memberships import membership
from graphs.plans import Approvers, Deadlines
from graphs.records import Approval, Field, Run

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


class BreakGlass(Workflow[Rules]):
    """Asked for, announced, approved by two, granted, ended and reviewed."""

    name, title, version = "break_glass", "Emergency access", 2
    continues = (1,)
    urgent = True
    ending = ("break_glass_end", 1)

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
            clause=(self.rules.clause_document, self.rules.clause_anchor),
            deadlines=self.rules.deadlines,
        )

    def facts(self, approval: Approval) -> Mapping[str, str]:
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
