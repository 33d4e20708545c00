"""What is abused: every operation by itself, and every workflow of the product that uses one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from connectors.directory import AddToGroup, Membership, Person
from graphs.engine.machine import kind
from graphs.kit import Kind
from graphs.workflows import break_glass
from graphs.workflows.break_glass import BreakGlass
from graphs.workflows.break_glass import end as break_glass_end
from graphs.workflows.it_access import ItAccess, RequestableGroup
from graphs.workflows.it_access import end as it_access_end
from tests.abuse import anything
from tests.scenario.desk import RULES

TARGETS = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """One workflow that carries out one operation, and how a request for it is made."""

    name: str
    operation: str
    workflow: str
    for_others: bool  # whether somebody may ask for another person
    member_before: bool  # how the world is before: an operation that takes away needs something to take
    first: tuple[str, ...] = ()  # who has approved already when a case begins

    def values(self, target: str, person: str, *, days: int = 3) -> dict[str, str]:
        """Return what the requester fills in."""
        if self.workflow == ItAccess.name:
            return {"group": target, "days": str(days), "reason": "close the quarter"}
        if self.workflow == BreakGlass.name:
            return {"group": target, "minutes": "30", "reason": "the sensor cloud is down"}
        return {"target": target, "person": person, "days": str(days)}


def _membership(values: Mapping[str, str], person: Person) -> Membership:
    return Membership(group=values["target"], group_id=values["target_id"], person=person.id)


# How each registered operation is tried. One without an entry here fails a test.
OPERATIONS: Mapping[str, tuple[anything.Payloads, bool]] = {
    "directory.add_to_group": (_membership, False),
    "directory.remove_from_group": (_membership, True),
}
# The product's workflows that people ask for, and the operation that each carries out.
WORKFLOWS: Mapping[str, str] = {ItAccess.name: AddToGroup.name}


def scenes() -> list[Scene]:
    """Return every operation by itself, and every workflow of the product that uses one."""
    alone = [
        Scene(
            name=name,
            operation=name,
            workflow=f"any {name}",
            for_others=True,
            member_before=before,
        )
        for name, (_, before) in OPERATIONS.items()
    ]
    used = [
        Scene(
            name=f"{name} in {workflow}",
            operation=name,
            workflow=workflow,
            for_others=False,
            member_before=OPERATIONS[name][1],
        )
        for workflow, name in WORKFLOWS.items()
    ]
    return [*alone, *used]


def workflows() -> Iterator[Kind]:
    """Return the workflows of all scenes."""
    groups = {
        target(number): RequestableGroup(approvers=(anything.APPROVERS,), max_days=30)
        for number in range(TARGETS)
    }
    yield kind(ItAccess(RULES.model_copy(update={"groups": groups})))
    yield it_access_end.workflow()
    emergencies = {
        name: break_glass.EmergencyGroup(approvers=group.approvers) for name, group in groups.items()
    }
    yield kind(
        BreakGlass(
            break_glass.Rules(
                groups=emergencies,
                clause=RULES.clause,
                channel="C0ACCESS",
                alarm_channel="C0ALARMS",
                review_channel="C0REVIEWS",
                reviewers="people-team",
            )
        )
    )
    yield break_glass_end.workflow()
    for name, (payload, _) in OPERATIONS.items():
        yield anything.workflow(f"any {name}", name, payload)


def target(number: int) -> str:
    """Return the name of a group that a case may be about; the names come again after a while."""
    return f"abused-{number % TARGETS}"
