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
        "confirmed": bool,
    },
    "Review": {"reviewers": list, "took_part": list},
}
STEP: Mapping[str, type] = {
    "parameters": dict,
    "effect": str,
    "scope": str,
    "plan": dict,
    "level": int,
    "escalated": bool,
}
TOLD: Mapping[str, Mapping[str, type]] = {
    "request": {"parameters": dict},
    "read": {},
    "approve": STEP,
    "confirm": {
        **{name: kind for name, kind in STEP.items() if name != "escalated"},
        **dict.fromkeys(("reversible", "outside", "permitted"), bool),
    },
    "execute": {**STEP, "requester_active": bool},
    "resolve": {},
    "revert": {},
    "review": {},
}
SOMETIMES: Mapping[str, type] = {
    "lasts": int,
    "holder": dict,
}  # of a step: what ends by itself, and a stand-in's
HOLDER: Mapping[str, type] = {"identities": list, "active": bool, "groups": list}
PLAN: Mapping[str, type] = {"operations": list, "steps": int}
DONE_TO = {
    "request": "Workflow",
    "read": "Run",
    "approve": "Approval",
    "confirm": "Approval",
    "execute": "Approval",
    "resolve": "Approval",
    "revert": "Approval",
    "review": "Review",
}
OPERATIONS = ("directory.add_to_group", "directory.remove_from_group")
ASKED_FOR: Mapping[str, type] = {"group": str, "days": int, "minutes": int}  # each only where it applies
SENT: Mapping[str, type] = {"group": str, "person": str}  # by either operation
SENT_BESIDES: Mapping[str, type] = {"group_id": str}


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
    return now and _countersigns(who, resource, context, theirs=_theirs(who, resource))


def _resolves(who: Json, resource: Json, context: Json) -> bool:
    if _theirs(who, resource):
        return not _is(who, resource["authors"])
    mine = not resource["confirmed"] and _own(who, resource)
    return not (mine or _is(who, resource["authors"])) and _shares(who["groups"], resource["approvers"])


def _confirms(who: Json, resource: Json, context: Json) -> bool:
    """Whoever asked, what the installation permits: a change that can be undone and touches nobody else."""
    small = context["effect"] == "write" and context["reversible"] and not context["outside"]
    alone = all(one in resource["requester"] for one in resource["beneficiary"]) and not resource["authors"]
    calm = resource["workflow"] != "break_glass" or _two_for_an_hour(resource, context)
    return context["permitted"] and small and alone and calm and _theirs(who, resource)


def _theirs(who: Json, resource: Json) -> bool:
    """Whether they asked for it by this very account, and nobody else is asked."""
    return resource["confirmed"] and who["subject"] in resource["requester"]


def _two_for_an_hour(resource: Json, context: Json) -> bool:
    lasts = context.get("lasts")
    return resource["quorum"] >= 2 and lasts is not None and lasts <= 60 * 60


def _reviews(who: Json, resource: Json, context: Json) -> bool:
    """By a reviewer who had no part in it."""
    return _shares(who["groups"], resource["reviewers"]) and not _is(who, resource["took_part"])


def _countersigns(who: Json, resource: Json, context: Json, *, theirs: bool | None = None) -> bool:
    """Four eyes, by whatever account, and a group: their own, or that of whom they stand in for."""
    lifted = theirs is not None and resource["confirmed"]  # what is theirs is carried out on their word
    barred = _is(who, resource["authors"]) if lifted else _own(who, resource)
    if barred or (resource["workflow"] == "break_glass" and not _two_for_an_hour(resource, context)):
        return False
    holder = context.get("holder")
    groups = who["groups"]
    if holder is not None:
        if not holder["active"] or _shares(holder["identities"], _involved(resource)):
            return False
        groups = holder["groups"]
    if theirs and holder is None:
        return True
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
    if kind != DONE_TO[action] or not _fits(resource, MADE_OF[kind]):
        return False
    if action == "request":
        return _fits(context, TOLD[action]) and _fits(context["parameters"], {}, ASKED_FOR)
    if action not in {"approve", "confirm", "execute"}:
        return not context
    return (
        resource["operation"] in OPERATIONS
        and _fits(context, TOLD[action], SOMETIMES if action != "confirm" else {"lasts": int})
        and _fits(context["parameters"], SENT, SENT_BESIDES)
        and _fits(context["plan"], PLAN)
        and ("holder" not in context or _fits(context["holder"], HOLDER))
    )


def _fits(given: Json, wanted: Mapping[str, type], besides: Mapping[str, type] | None = None) -> bool:
    """Whether all that is wanted is there, and nothing else but what may be there besides."""
    known = {**wanted, **(besides or {})}
    if wanted.keys() - given.keys() or given.keys() - known.keys():
        return False
    return all(type(value) is known[name] for name, value in given.items())


_APART: Mapping[str, Callable[[Json, Json, Json], bool]] = {
    "approve": _countersigns,
    "confirm": _confirms,
    "execute": _executes,
    "resolve": _resolves,
    "review": _reviews,
}
