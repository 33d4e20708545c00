"""Every policy and every clause of it, removed or turned round: none of these may pass for the real ones."""

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cedarpy

Node = Any
TURNED: Mapping[str, tuple[str, ...]] = {
    "&&": ("||",),
    "||": ("&&",),
    "==": ("!=",),
    "!=": ("==",),
    "<": ("<=", ">", ">="),
    "<=": ("<", ">", ">="),
    ">": (">=", "<", "<="),
    ">=": (">", "<", "<="),
    "contains": ("containsAny",),
    "containsAny": ("containsAll",),
    "containsAll": ("containsAny",),
}
ACTIONS = ("request", "read", "approve", "confirm", "execute", "resolve", "revert", "review")
GROUPS = ("approve", "confirm", "execute")  # of actions: each operation has one of its own in each
ALIKE: Mapping[str, tuple[str, ...]] = {  # attributes of one type, which a slip would confuse
    "requester": ("beneficiary", "authors", "approvers", "workflow"),
    "beneficiary": ("requester", "authors", "approvers", "workflow"),
    "authors": ("requester", "beneficiary", "approvers", "workflow"),
    "approvers": ("requester", "authors", "operation", "escalation"),
    "escalation": ("approvers", "authors"),
    "reviewers": ("took_part",),
    "took_part": ("reviewers",),
    "escalated": (),
    "quorum": (),
    "workflow": ("operation",),
    "holder": (),
    "lasts": ("level",),
    "subject": (),
    "active": (),
    "requester_active": (),
    "groups": ("identities", "subject"),
    "identities": ("groups", "subject"),
    "level": (),
    "confirmed": (),
    "effect": ("scope",),
    "reversible": ("outside", "permitted"),
    "outside": ("reversible", "permitted"),
    "permitted": ("reversible", "outside"),
}


_YES_OR_NO = frozenset({"active", "requester_active", "confirmed", "reversible", "outside", "permitted"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """The policies with one change, and what it is."""

    what: str
    text: str


def of(text: str) -> Iterator[Mutant]:
    """Yield the policies with one thing changed, for every one thing that can be."""
    whole = json.loads(cedarpy.policies_to_json_str(text))
    for key, policy in whole["staticPolicies"].items():
        name = policy["annotations"]["id"]
        rest = {other: one for other, one in whole["staticPolicies"].items() if other != key}
        yield _mutant(f"{name}: removed", whole, rest)
        for what, changed in _changes(policy):
            yield _mutant(f"{name}: {what}", whole, {**rest, key: changed})


def _mutant(what: str, whole: Node, policies: Node) -> Mutant:
    text = cedarpy.policies_from_json_str(json.dumps({**whole, "staticPolicies": policies}))
    return Mutant(what=what, text=text)


def _changes(policy: Node) -> Iterator[tuple[str, Node]]:
    other = "forbid" if policy["effect"] == "permit" else "permit"
    yield f"{other} instead of {policy['effect']}", {**policy, "effect": other}
    for part in ("principal", "resource"):
        if policy[part]["op"] != "All":
            yield f"any {part}", {**policy, part: {"op": "All"}}
    for what, action in _actions(policy["action"]):
        yield what, {**policy, "action": action}
    for place, condition in enumerate(policy["conditions"]):
        before, after = policy["conditions"][:place], policy["conditions"][place + 1 :]
        yield f"condition {place + 1} removed", {**policy, "conditions": [*before, *after]}
        turned = {**condition, "kind": "unless" if condition["kind"] == "when" else "when"}
        yield f"condition {place + 1} turned round", {**policy, "conditions": [*before, turned, *after]}
        for what, body in _bodies(condition["body"]):
            changed = {**condition, "body": body}
            yield f"condition {place + 1}: {what}", {**policy, "conditions": [*before, changed, *after]}


def _actions(action: Node) -> Iterator[tuple[str, Node]]:
    if action["op"] == "All":
        for name in ACTIONS:
            yield f"only {name}", _only(name)
        return
    yield "any action", {"op": "All"}
    named = [one["id"] for one in action.get("entities", [action.get("entity")])]
    for name in ACTIONS:
        entities = [{"type": "Action", "id": one} for one in ({*named} ^ {name})]
        if name in named and len(named) > 1:
            yield f"not {name}", {"op": "in", "entities": entities}
        elif name not in named:
            yield f"also {name}", {"op": "in", "entities": entities}
            yield f"{name} instead", _only(name)


def _only(name: str) -> Node:
    return {"op": "in" if name in GROUPS else "==", "entity": {"type": "Action", "id": name}}


def _bodies(body: Node) -> Iterator[tuple[str, Node]]:
    """Yield the expression with one of its nodes changed."""
    for path, node in _nodes(body):
        for what, changed in _node_changes(node):
            yield f"{what} at {'/'.join(path) or 'the top'}", _replaced(body, path, changed)


def _nodes(node: Node, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Node]]:
    yield path, node
    ((operator, inner),) = node.items()
    if isinstance(inner, dict):
        for side in ("left", "right", "arg"):
            if side in inner:
                yield from _nodes(inner[side], (*path, operator, side))


def _node_changes(node: Node) -> Iterator[tuple[str, Node]]:
    ((operator, inner),) = node.items()
    for other in TURNED.get(operator, ()):
        yield f"{other} for {operator}", {other: inner}
    if operator in {"&&", "||"}:
        yield "the left alone", inner["left"]
        yield "the right alone", inner["right"]
    if operator in TURNED or (operator == "." and inner["attr"] in _YES_OR_NO):
        yield "its opposite", {"!": {"arg": node}}
        yield "always true", {"Value": True}
        yield "always false", {"Value": False}
    if operator == ".":
        for attribute in ALIKE[inner["attr"]]:
            yield f"{attribute} for {inner['attr']}", {".": {**inner, "attr": attribute}}
    if operator == "Value" and type(inner) is int:
        yield f"{inner - 1} for {inner}", {"Value": inner - 1}
        yield f"{inner + 1} for {inner}", {"Value": inner + 1}


def _replaced(body: Node, path: tuple[str, ...], changed: Node) -> Node:
    if not path:
        return changed
    whole = copy.deepcopy(body)
    inner = whole
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = changed
    return whole
