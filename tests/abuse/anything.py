"""Any registered operation through the machine that all workflows share.

So that an operation is tried under abuse before a workflow of the product uses it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from connectors.base import Payload
from connectors.directory import Person
from connectors.errors import NotFound
from graphs.admission import Refused
from graphs.effects import Effect
from graphs.engine import machine
from graphs.engine.workflow import Next, RunContext, Workflow, stage
from graphs.kit import Kind
from graphs.plans import Approvers, Deadlines, Plan, step
from graphs.records import Field, Run, Shown

APPROVERS = "data-owners"
DOCUMENT, ANCHOR = "it-access.md", "temporary-access-to-data"
DECIDE_WITHIN, EXECUTE_WITHIN = timedelta(hours=24), timedelta(minutes=15)
FIELDS = (
    Field(name="target", label="What", kind="text", most=100),
    Field(name="person", label="For whom", kind="text", most=100),  # their e-mail address
    Field(name="days", label="Days", kind="number", least=1, most=30, narrows="less", binds="lasts"),
)

Payloads = Callable[[Mapping[str, str], Person], Payload]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """Which operation, and how what it is given is made of the fields."""

    operation: str
    payload: Payloads


class Anything(Workflow[Rules]):
    """Carries out one operation on what its fields name."""

    version = 1
    ending = ("it_access_end", 1)

    @property
    def fields(self) -> tuple[Field, ...]:
        return FIELDS

    def parameters(self, values: Mapping[str, str]) -> Mapping[str, str | int]:
        return {"days": int(values["days"])}

    def end_values(self, run: Run, effect: Effect) -> Mapping[str, str]:
        return {**super().end_values(run, effect), "group": run.values["target"]}

    @stage(first=True)
    async def act(self, run: RunContext) -> Next:
        await run.requester()
        target = run.asked["target"]
        try:
            person = await run.directory.person_by_email(run.asked["person"])
            ids = await run.group_ids(target)
            payload = self.rules.payload({**run.asked, "target_id": ids[target]}, person)
            lasts = timedelta(days=int(run.asked["days"]))
            one = step("act", self.rules.operation, payload, lasts=lasts)
            change = await run.preview(one)
        except NotFound as error:
            raise Refused("person_inactive") from error
        if not change.needed:
            raise Refused("already_member")
        return Plan(
            steps=(one,),
            approvers=Approvers(groups=(APPROVERS,)),
            clause=(DOCUMENT, ANCHOR),
            beneficiary=person,
            lines=(Shown(label="What", value=change.after),),
            deadlines=Deadlines(
                decide_within=DECIDE_WITHIN, execute_within=EXECUTE_WITHIN, remind_after=None
            ),
            then="done",
        )


def workflow(name: str, operation: str, payload: Payloads) -> Kind:
    """Return a workflow that carries out one operation on what its fields name."""
    made = type("Anything", (Anything,), {"name": name, "title": operation, "act": Anything.act})
    return machine.kind(made(Rules(operation=operation, payload=payload)))
