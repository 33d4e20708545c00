"""Who may do what, in plain Python: written from the prose of the promises, not from the policies.

It shares nothing with `graphs/policy`, so that a mistake would have to be made twice.
"""

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]

MADE_OF: Mapping[str, Mapping[str, type]] = {
    "Workflow": {"name": str},
    "Run": {"workflow": str, "requester": str},
    "Approval": {
        **dict.fromkeys(("workflow", "operation"), str),
        **dict.fromkeys(("requester", "beneficiary", "authors", "approvers"), list),
    },
}
TOLD: Mapping[str, Mapping[str, type]] = {
    "request": {"parameters": dict},
    "read": {},
    "approve": {"parameters": dict, "level": int},
    "execute": {"parameters": dict, "level": int, "requester_active": bool},
    "resolve": {},
    "revert": {},
}
DONE_TO = {
    "request": "Workflow",
    "read": "Run",
    "approve": "Approval",
    "execute": "Approval",
    "resolve": "Approval",
    "revert": "Approval",
}
PARAMETERS: Mapping[str, type] = {"group": str, "person": str, "days": int}


def may(who: Json | None, action: str, kind: str, resource: Json, context: Json) -> bool:
    """Whether the promises let `who` (None: the bot) do this. What does not fit its form is refused."""
    if not _well_formed(action, kind, resource, context):
        return False
    if action == "revert":  # a declared reversal is the bot's own, whoever has left since
        return who is None
    if who is None or not who["active"]:  # a person, and one who works here
        return False
    if action == "read":  # what somebody wrote into a request is theirs
        return bool(who["subject"] == resource["requester"])
    now = action != "execute" or (context["level"] >= 2 and context["requester_active"])
    return action == "request" or (_countersigns(who, resource) and now)


def _countersigns(who: Json, resource: Json) -> bool:
    """Four eyes, by whatever account, and a group of the directory."""
    own = {*resource["requester"], *resource["beneficiary"], *resource["authors"]}
    if who["subject"] in own or (who["human"] and who["human"] in own):
        return False
    return any(group in who["groups"] for group in resource["approvers"])


def _well_formed(action: str, kind: str, resource: Json, context: Json) -> bool:
    return (
        kind == DONE_TO[action]
        and _fits(resource, MADE_OF[kind], all_of_them=True)
        and _fits(context, TOLD[action], all_of_them=True)
        and _fits(context.get("parameters", {}), PARAMETERS, all_of_them=False)
    )


def _fits(given: Json, wanted: Mapping[str, type], *, all_of_them: bool) -> bool:
    if given.keys() - wanted.keys() or (all_of_them and wanted.keys() - given.keys()):
        return False
    return all(type(value) is wanted[name] for name, value in given.items())
