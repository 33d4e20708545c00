"""The ledger's workflow: some entries under one approval, in order; what a refusal leaves is taken back."""

from dataclasses import dataclass
from datetime import timedelta

from connectors.base import Repeat
from graphs.engine import machine
from graphs.engine.workflow import Next, RunContext, Workflow, stage
from graphs.kit import Kind
from graphs.plans import ONLY, Approvers, Deadlines, Plan, Step, ref, step
from graphs.records import Field, Shown
from tests.ledger.system import APPROVERS, Entry

NAME = "ledger"
WITHIN = timedelta(minutes=15)
PIVOT = "+"  # an entry that ends so is the pivot
KEPT = "="  # one that ends so may stand when a later one fails


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """How long an approval may wait until it is begun to be carried out."""

    execute_within: timedelta = WITHIN


class Entries(Workflow[Rules]):
    """Make entries. `refs` are the entries, with blanks between them; `operation` is how."""

    name, title, version = NAME, "Entries", 2
    continues = (1,)

    @property
    def fields(self) -> tuple[Field, ...]:
        return (
            Field(name="operation", label="How", kind="text"),
            Field(name="refs", label="What", kind="text"),
        )

    @stage(first=True)
    async def post(self, run: RunContext) -> Next:
        refs = run.asked["refs"].split()
        person = await run.requester()
        return Plan(
            steps=tuple(_entry(run.asked["operation"], place, name) for place, name in enumerate(refs)),
            approvers=Approvers(groups=(APPROVERS,)),
            clause=("ledger.md", "entries"),
            beneficiary=person,
            lines=(Shown(label="Entries", value=", ".join(refs)),),
            deadlines=Deadlines(
                decide_within=timedelta(hours=24),
                execute_within=self.rules.execute_within,
                remind_after=None,
            ),
            then="done",
        )


def _entry(operation: str, place: int, name: str) -> Step:
    """Return one step. The third entry and those after it say which was the first, where one can know."""
    kind: Repeat = "blind" if operation.endswith(("blind", "final")) else "keyed"
    follows = ref(f"{ONLY}.ref") if place > 1 and kind != "blind" else ""
    undo = "pivot" if name.endswith(PIVOT) else "leave" if name.endswith(KEPT) else "undo"
    return step(f"e{place}" if place else ONLY, operation, Entry(ref=name, follows=follows), undo=undo)


def workflow(execute_within: timedelta = WITHIN) -> Kind:
    """Return the workflow."""
    return machine.kind(Entries(Rules(execute_within=execute_within)))
