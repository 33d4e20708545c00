"""Somebody borrows a device of the laboratory for a day: it is reserved, and prepared, under one approval."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from graphs.sdk import (
    Approval,
    Approvers,
    Channel,
    ClauseRef,
    Field,
    Groups,
    Next,
    Operation,
    Plan,
    Refused,
    Results,
    RunContext,
    Section,
    Shown,
    Workflow,
    WorkflowHints,
    ref,
    stage,
    step,
)  # fmt: skip
from larkfield_lab.connector import Calendar, Preparation, Prepare, Reservation, Reserve


class Rules(Section):
    channel: Channel
    keepers: Groups
    clause: ClauseRef
    devices: tuple[str, ...]


class Loan(Workflow[Rules]):
    name, title, version = "loan", "Loan of a device", 1
    examples = ("I need a loan of the balance-3 for a day",)
    described: ClassVar[Mapping[str, type[str | int]]] = {"device": str}
    sentences: ClassVar[Mapping[str, str]] = {
        "loan.taken": "somebody else has the {device} on that day",
        "loan.done": "The {device} is yours on {day}, reservation {number}.",
    }

    @property
    def fields(self) -> tuple[Field, ...]:
        return (
            Field(name="device", label="Which device", kind="choice", options=self.rules.devices),
            Field(name="day", label="On which day", kind="date"),
            Field(name="note", label="How it has to be prepared", kind="text", most=200),
        )

    @property
    def needs(self) -> Sequence[type[Operation[Any, Any]]]:
        return (Reserve, Prepare)

    @property
    def hints(self) -> WorkflowHints:
        return WorkflowHints(
            nouns=frozenset({"loan"}), options=frozenset(self.rules.devices), choice="device"
        )

    @property
    def channels(self) -> Mapping[str, str]:
        return {"cards": self.rules.channel}

    def parameters(self, values: Mapping[str, str]) -> Mapping[str, str | int]:
        return {"device": values["device"]}

    @stage(first=True)
    async def lend(self, run: RunContext) -> Next:
        device, day, person = run.asked["device"], run.asked["day"], await run.requester()
        if not await run.use(Calendar).free(device, day):
            raise Refused("loan.taken", device=device)
        reservation = Reservation(device=device, person=person.user_name, day=day)
        preparation = Preparation(number=ref("reserve.number"), note=run.asked["note"])
        return Plan(
            steps=(step("reserve", Reserve, reservation), step("prepare", Prepare, preparation)),
            approvers=Approvers(groups=self.rules.keepers),
            clause=(self.rules.clause.document, self.rules.clause.anchor),
            beneficiary=person,
            lines=(Shown(label="Device", value=device), Shown(label="Day", value=day)),
            then="loan.done",
        )

    def facts(self, approval: Approval, results: Results) -> Mapping[str, str]:
        sent = approval.steps[0].sends
        return {"device": sent["device"], "day": sent["day"], "number": results["reserve"]["number"]}
