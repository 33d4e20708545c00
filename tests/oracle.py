"""Who may do what, in plain Python: written from the prose of the promises, not from the policies.

It shares nothing with `graphs/policy`, so that a mistake would have to be made twice.
"""

from collections.abc import Callable, Mapping
from typing import Any

Json = Mapping[str, Any]

MADE_OF: Mapping[str, Mapping[str, type]] = {
    "Workflow": {"name": str},
    "Run": {"workflow": str, "requester": str},
    "Approval": {
        **dict.fromkeys(("workflow", "operation"), str),
        **dict.fromkeys(("requester", "beneficiary", "authors", "approvers", "escalation"), list),
        "quorum": int,
    },
    "Review": {"reviewers": list, "took_part": list},
}
TOLD: Mapping[str, Mapping[str, type]] = {
    "request": {"parameters": dict},
    "read": {},
    "approve": {"parameters": dict, "level": int, "escalated": bool},
    "execute": {"parameters": dict, "level": int, "escalated": bool, "requester_active": bool},
    "resolve": {},
    "revert": {},
    "review": {},
}
HOLDER: Mapping[str, type] = {"identities": list, "active": bool, "groups": list}  # told only of a stand-in
DONE_TO = {
    "request": "Workflow",
    "read": "Run",
    "approve": "Approval",
    "execute": "Approval",
    "resolve": "Approval",
    "revert": "Approval",
    "review": "Review",
}
PARAMETERS: Mapping[str, type] = {"group": str, "person": str, "days": int, "minutes": int}


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
    return action == "request" or _APART[action](who, resource, context)


def _executes(who: Json, resource: Json, context: Json) -> bool:
    now = context["level"] >= 2 and context["requester_active"]
    return now and _countersigns(who, resource, context)


def _resolves(who: Json, resource: Json, context: Json) -> bool:
    return not _own(who, resource) and _shares(who["groups"], resource["approvers"])


def _reviews(who: Json, resource: Json, context: Json) -> bool:
    """By a reviewer who had no part in it."""
    return _shares(who["groups"], resource["reviewers"]) and not _is(who, resource["took_part"])


def _countersigns(who: Json, resource: Json, context: Json) -> bool:
    """Four eyes, by whatever account, and a group: their own, or that of whom they stand in for."""
    minutes = context["parameters"].get("minutes")
    two_for_an_hour = resource["quorum"] >= 2 and minutes is not None and minutes <= 60
    if _own(who, resource) or (resource["workflow"] == "break_glass" and not two_for_an_hour):
        return False
    holder = context.get("holder")
    groups = who["groups"]
    if holder is not None:
        if not holder["active"] or _shares(holder["identities"], _involved(resource)):
            return False
        groups = holder["groups"]
    late = context["escalated"] and _shares(groups, resource["escalation"])
    return late or _shares(groups, resource["approvers"])


def _involved(resource: Json) -> list[str]:
    return [*resource["requester"], *resource["beneficiary"], *resource["authors"]]


def _own(who: Json, resource: Json) -> bool:
    return _is(who, _involved(resource))


def _is(who: Json, names: list[str]) -> bool:
    return who["subject"] in names or bool(who["human"] and who["human"] in names)


def _shares(some: Any, others: Any) -> bool:
    return any(each in others for each in some)


def _well_formed(action: str, kind: str, resource: Json, context: Json) -> bool:
    return (
        kind == DONE_TO[action]
        and _fits(resource, MADE_OF[kind], all_of_them=True)
        and _told(context, action)
        and _fits(context.get("parameters", {}), PARAMETERS, all_of_them=False)
    )


def _told(context: Json, action: str) -> bool:
    """Whether all that is to be told is; of a stand-in's holder only where somebody decides."""
    rest = dict(context)
    if action in {"approve", "execute"} and "holder" in rest:
        holder = rest.pop("holder")
        if type(holder) is not dict or not _fits(holder, HOLDER, all_of_them=True):
            return False
    return _fits(rest, TOLD[action], all_of_them=True)


def _fits(given: Json, wanted: Mapping[str, type], *, all_of_them: bool) -> bool:
    if given.keys() - wanted.keys() or (all_of_them and wanted.keys() - given.keys()):
        return False
    return all(type(value) is wanted[name] for name, value in given.items())


_APART: Mapping[str, Callable[[Json, Json, Json], bool]] = {
    "approve": _countersigns,
    "execute": _executes,
    "resolve": _resolves,
    "review": _reviews,
}
