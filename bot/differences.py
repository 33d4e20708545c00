"""What is said of an approval that counts no more, and of what has changed since."""

from collections.abc import Mapping, Sequence

from bot.render import Markup, join, line, ours
from graphs.records import PlanStep


def void(key: str, facts: Mapping[str, str]) -> Markup:
    """Say why an approval counts no more."""
    by = facts.get("by")
    if key == "withdrawn" and facts.get("of") == "requester":
        return ours("Withdrawn by its requester. Nothing was done.")
    if key == "voter_lost" and by:
        return join(ours("Had approved this, and may not any more: "), line(by, 300), ours("."))
    if key in {"edited", "narrowed"} and by:
        changes = line(facts.get("changes", ""), 600)
        counts = " That only takes away, so it is their approval." if key == "narrowed" else ""
        return join(line(by, 200), ours(" changed it: "), changes, ours(f".{counts}"))
    return ours(VOID.get(key, VOID["changed"]))


def difference(name: str, steps: Sequence[PlanStep] = ()) -> str:
    """Name a part of what an approval is bound to, as people call it. `steps` are those of its plan."""
    step, name = _of_step(name, steps)
    head, _, rest = name.partition(".")
    known = _PARTS.get(name) or _PARTS.get(head)
    detail = (rest or name).replace("_", " ")
    return f"{step}{detail if known is None else known.replace('{}', detail)}"


def _of_step(name: str, steps: Sequence[PlanStep]) -> tuple[str, str]:
    """Return the step that a part belongs to, where it is of one, and how the part is called there."""
    head, _, inner = name.partition(".")
    step, _, rest = inner.partition(".")
    if head != "steps" or not rest:
        return "", name
    number = next((at for at, one in enumerate(steps, start=1) if one.name == step), None)
    if number is not None and len(steps) == 1:
        return "", rest
    return f"Step {step if number is None else number}: ", rest


_PARTS: Mapping[str, str] = {
    "parameters": "What is sent, {}",
    "terms": "Agreed, {}",  # of earlier releases
    "steps.order": "The steps",
    "name": "How the step is called",
    "then": "How it ends",
    "reversible": "Whether it can be undone",
    "preconditions": "What was found, {}",
    "undo": "What becomes of it when a later step fails",
    "lasts": "Seconds after which it ends by itself",
    "effect": "How far it reaches",
    "scope": "With which right",
    "approvers": "Who may decide",
    "escalation": "Who may decide as well, late",
    "authors": "Who changed the request",
    "quorum": "Approvals needed",
    "clause": "The policy section",
    "level": "The level of authority",
    "target": "What it is about",
    "execute_within": "Seconds to carry it out",
    "version": "The version of the workflow",
    "operation": "What is done",
    "requester": "Who asks",
    "beneficiary": "Who gets it",
}
VOID: Mapping[str, str] = {
    "changed": "Something changed after the request was checked.",
    "edited": "An approver changed what is asked for; others have to approve it.",
    "narrowed": "An approver took something away from what is asked for, and so approved the rest.",
    "clause": "The policy section that governs it has changed.",
    "voter_lost": "Somebody who had approved this may not approve it any more.",
    "person_erased": "Somebody who had approved or changed this has been erased.",
    "withdrawn": "Withdrawn: the data of whoever asked for it are erased. Nothing was done.",
}
